package postgres_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	"meetd/domain/fault"
	"meetd/domain/lobby"
	"meetd/ports"
)

func repos(t *testing.T) ports.Repos {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return (&postgres.Store{Pool: pool}).Repos()
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return noon.Add(d) }

func waiting(room uuid.UUID, name string, since time.Time) lobby.Entry {
	return lobby.Entry{
		Room: room, Participant: lobby.Participant(name), Identity: name, Status: lobby.Waiting, Username: name, Color: "red",
		Since: since, ExpiresAt: since.Add(3 * time.Second),
	}
}

// An entry lives as long as it is renewed, and is decided about as long as it
// lives.
func TestLobby(t *testing.T) {
	t.Parallel()
	l := repos(t).Lobby
	room, ada := uuid.New(), waiting(uuid.Nil, "ada", noon)
	ada.Room = room
	if _, err := l.Get(t.Context(), room, ada.Participant, noon); !errors.Is(err, fault.NotFound) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := l.Add(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	again := waiting(room, "ada", after(2*time.Second))
	if _, err := l.Add(t.Context(), again); !errors.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
	renew := func(at, until time.Duration) (lobby.Entry, error) {
		e, _, err := l.Renew(t.Context(), room, ada.Participant, "sub-ada", after(at), after(until))
		return e, err
	}
	if e, err := renew(2*time.Second, 5*time.Second); err != nil || e.Username != "ada" || e.Identity != "sub-ada" || !e.ExpiresAt.Equal(after(5*time.Second)) {
		t.Errorf("renewed: %+v, %v", e, err)
	}
	if _, err := l.Get(t.Context(), uuid.New(), ada.Participant, noon); !errors.Is(err, fault.NotFound) {
		t.Errorf("in another room: %v", err)
	}
	if err := l.Decide(t.Context(), room, ada.Participant, lobby.Denied, after(4*time.Second), after(9*time.Second)); err != nil {
		t.Error(err)
	}
	if e, err := renew(8*time.Second, 11*time.Second); err != nil || e.Status != lobby.Denied || !e.ExpiresAt.Equal(after(9*time.Second)) {
		t.Errorf("a refusal was renewed: %+v, %v", e, err)
	}
	if _, err := renew(9*time.Second, 12*time.Second); !errors.Is(err, fault.NotFound) {
		t.Errorf("an expired one was renewed: %v", err)
	}
	if err := l.Decide(t.Context(), room, ada.Participant, lobby.Accepted, after(9*time.Second), after(time.Hour)); !errors.Is(err, fault.NotFound) {
		t.Errorf("an expired one was let in: %v", err)
	}
	later := waiting(room, "ada", after(9*time.Second))
	if _, err := l.Add(t.Context(), later); err != nil {
		t.Errorf("in place of an expired one: %v", err)
	}
	if e, err := l.Get(t.Context(), room, ada.Participant, after(10*time.Second)); err != nil || e.Status != lobby.Waiting {
		t.Errorf("anew: %+v, %v", e, err)
	}
}

func TestLobbyWaiting(t *testing.T) {
	t.Parallel()
	l := repos(t).Lobby
	room, other := uuid.New(), uuid.New()
	for _, e := range []lobby.Entry{
		waiting(room, "second", after(time.Second)), waiting(room, "first", noon), waiting(room, "let in", noon),
		waiting(room, "expired", after(-time.Minute)), waiting(other, "elsewhere", noon), waiting(room, "third", after(time.Second*3/2)),
	} {
		if _, err := l.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Decide(t.Context(), room, lobby.Participant("let in"), lobby.Accepted, noon, after(time.Hour)); err != nil {
		t.Fatal(err)
	}
	expect := func(what string, room uuid.UUID, limit int, want ...string) {
		t.Helper()
		list, err := l.Waiting(t.Context(), room, after(2*time.Second), limit)
		if err != nil || len(list) != len(want) {
			t.Fatalf("%s: %+v, %v, want %q", what, list, err, want)
		}
		for i, e := range list {
			if e.Username != want[i] || e.Color != "red" || e.Participant != lobby.Participant(want[i]) {
				t.Errorf("%s: %d is %+v, want %q", what, i, e, want[i])
			}
		}
	}
	expect("all", room, 10, "first", "second", "third")
	expect("two", room, 2, "first", "second")
	if err := l.Forget(t.Context(), room, "second"); err != nil {
		t.Error(err)
	}
	if err := l.Forget(t.Context(), room, "nobody"); err != nil {
		t.Error(err)
	}
	expect("one removed", room, 10, "first", "third")
	if err := l.DeleteExpired(t.Context(), after(2*time.Second)); err != nil {
		t.Error(err)
	}
	expect("after the purge", room, 10, "first", "third")
	if e, err := l.Get(t.Context(), room, lobby.Participant("expired"), after(-time.Minute)); err == nil {
		t.Errorf("purged, but there: %+v", e)
	}
	if err := l.Clear(t.Context(), room); err != nil {
		t.Error(err)
	}
	if _, err := l.Get(t.Context(), room, lobby.Participant("let in"), noon); !errors.Is(err, fault.NotFound) {
		t.Errorf("let in, and the room ended: %v", err)
	}
	expect("the room ended", room, 10)
	expect("another room", other, 10, "elsewhere")
}

// However many find that a notice is due, one sends it.
func TestLobbyTold(t *testing.T) {
	t.Parallel()
	l := repos(t).Lobby
	room := uuid.New()
	told, err := l.Add(t.Context(), waiting(room, "ada", noon))
	if err != nil || noon.Sub(told) < 24*time.Hour {
		t.Fatalf("told %s, %v, want long ago", told, err)
	}
	for round := range 2 {
		at := after(time.Duration(round) * time.Second)
		var sent atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				ok, err := l.Told(t.Context(), room, told, at)
				if err != nil {
					t.Error(err)
				}
				if ok {
					sent.Add(1)
				}
			})
		}
		wg.Wait()
		if sent.Load() != 1 {
			t.Errorf("round %d: sent %d times", round, sent.Load())
		}
		if _, told, err = l.Renew(t.Context(), room, lobby.Participant("ada"), "ada", at, after(time.Hour)); err != nil || !told.Equal(at) {
			t.Errorf("told %s, %v, want %s", told, err, at)
		}
	}
}
