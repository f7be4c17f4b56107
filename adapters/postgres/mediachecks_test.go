package postgres_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// Many people ask at once for things of their own and of others: everybody gets
// the answer to his own question.
func TestMediaChecksTogether(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	const people = 40
	users, ids := make([]uuid.UUID, people), make([]uuid.UUID, people)
	keys := make([]ports.SessionKey, people)
	for i := range people {
		users[i], ids[i] = uuid.New(), uuid.New()
		keys[i] = sha256.Sum256(fmt.Append(nil, i))
		exec(`INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, language, timezone, is_device, is_staff,
			is_active, default_room_configuration) VALUES ($1, '!', false, now(), now(), $2, 'en-us', 'UTC', false, false, $3, '{}')`,
			users[i], fmt.Sprint(i), i%10 != 9)
		expires := time.Now().Add(time.Hour)
		if i%10 == 8 {
			expires = time.Now().Add(-time.Second)
		}
		exec(`INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at) VALUES ($1, $2, '{}', now(), $3)`,
			keys[i][:], users[i], expires)
		exec(`INSERT INTO meet_resource (id, created_at, updated_at) VALUES ($1, now(), now())`, users[i])
		exec(`INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) VALUES ($1, 'x', $2, '{}', 'public')`, users[i], fmt.Sprint(i))
		exec(`INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options) VALUES ($1, now(), now(), $2, $3, 'transcript', '{}')`,
			ids[i], []string{"saved", "active"}[i%2], users[i])
		exec(`INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id) VALUES ($1, now(), now(), '', 'owner', $2, $3)`,
			uuid.New(), ids[i], users[i])
	}
	checks := postgres.NewMediaChecks(pool)
	var wg sync.WaitGroup
	for n := range 2000 {
		wg.Go(func() {
			who, what := n%people, (n*7)%people
			facts, err := checks.MediaFacts(t.Context(), keys[who], ids[what], time.Now())
			if who%10 >= 8 {
				if !errors.Is(err, fault.Unauthenticated) || facts.Found {
					t.Errorf("%d has no session: %+v, %v", who, facts, err)
				}
				return
			}
			wantRole, wantStatus := access.None, []recording.Status{recording.Saved, recording.Active}[what%2]
			if who == what {
				wantRole = access.Owner
			}
			if err != nil || !facts.Found || facts.Role != wantRole || facts.Status != wantStatus || facts.Mode != recording.Transcript || facts.Room != fmt.Sprint(what) {
				t.Errorf("%d asks for %d: %+v, %v", who, what, facts, err)
			}
		})
	}
	wg.Wait()
	if facts, err := checks.MediaFacts(t.Context(), keys[0], uuid.New(), time.Now()); err != nil || facts.Found {
		t.Errorf("an unknown recording: %+v, %v", facts, err)
	}
	if _, err := checks.MediaFacts(t.Context(), sha256.Sum256([]byte("nobody")), ids[0], time.Now()); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("an unknown session: %v", err)
	}
	// One who goes away takes nobody with him; a database that is gone says no.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := checks.MediaFacts(gone, keys[0], ids[0], time.Now()); err == nil {
		t.Error("a request that is over was answered")
	}
	if _, err := checks.MediaFacts(t.Context(), keys[0], ids[0], time.Now()); err != nil {
		t.Errorf("the next one: %v", err)
	}
	pool.Close()
	if _, err := checks.MediaFacts(t.Context(), keys[0], ids[0], time.Now()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("no database: %v", err)
	}
}

// A check that panics, here for want of a pool, is answered, and so are those
// that waited for it and those that come after it.
func TestMediaChecksPanic(t *testing.T) {
	t.Parallel()
	checks := postgres.NewMediaChecks(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			facts, err := checks.MediaFacts(ctx, ports.SessionKey{}, uuid.New(), time.Now())
			if err == nil || facts.Found || errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "panic") {
				t.Errorf("%+v, %v, want the panic as an error", facts, err)
			}
		})
	}
	wg.Wait()
}

// While the database hangs nobody waits for those before him.
func TestMediaChecksOfHangingDatabase(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it only holds the table
	if _, err := tx.Exec(t.Context(), `LOCK TABLE meetd.session IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	const patience = 3 * time.Second
	checks := postgres.NewMediaChecks(pool)
	checks.SetPatience(patience)
	ask := func() {
		begun := time.Now()
		if _, err := checks.MediaFacts(t.Context(), ports.SessionKey{}, uuid.New(), time.Now()); !errors.Is(err, fault.Unavailable) {
			t.Errorf("%v, want that the database is not available", err)
		}
		if took := time.Since(begun); took > patience*5/3 {
			t.Errorf("the answer took %v", took)
		}
	}
	var wg sync.WaitGroup
	wg.Go(ask)
	for waiting := false; !waiting; {
		if err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		wg.Go(ask)
	}
	wg.Wait()
}
