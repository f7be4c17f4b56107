package lobby

import (
	"testing"
	"time"
)

func TestParticipant(t *testing.T) {
	t.Parallel()
	id := Participant("secret")
	if id != Participant("secret") || id == Participant("secret2") {
		t.Error("the id does not follow the secret")
	}
	if Participant(id.String()) == id {
		t.Error("the id of a guest is as good as his secret")
	}
	if got, want := id.String(), "11db0dc7-5d1d-5b4d-e70e-ad78f6e78899"; got != want {
		t.Errorf("%s, want %s: guests who wait would lose their place", got, want)
	}
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	l := Lifetimes{Waiting: 1, Denied: 2, Accepted: 3}
	for status, want := range map[Status]time.Duration{Waiting: 1, Denied: 2, Accepted: 3} {
		if got := l.Of(status); got != want {
			t.Errorf("%s: %d, want %d", status, got, want)
		}
	}
}

func TestNoticeDue(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	e := Entry{Since: start}
	for _, c := range []struct {
		name      string
		told, now time.Time
		want      bool
	}{
		{"never told", time.Time{}, start, true},
		{"told of somebody else a moment before", at(-500 * time.Millisecond), start, false},
		{"a second after that", at(-500 * time.Millisecond), at(500 * time.Millisecond), true},
		{"told when he came", start, at(9 * time.Second), false},
		{"told a period ago", start, at(10 * time.Second), true},
		{"told after he came", at(3 * time.Second), at(12 * time.Second), false},
		{"told long ago", at(-time.Hour), start, true},
		{"the clock went back", at(time.Minute), start, false},
	} {
		if got := e.NoticeDue(c.told, c.now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
