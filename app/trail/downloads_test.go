package trail

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/ports"
)

// paper keeps what is written down.
type paper struct {
	ports.Audit

	mu   sync.Mutex
	list []ports.AuditedDownload
	err  error
}

func (p *paper) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *paper) RecordDownloads(_ context.Context, list ...ports.AuditedDownload) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.list = append(p.list, list...)
	}
	return p.err
}

func TestDownloads(t *testing.T) {
	t.Parallel()
	p := &paper{}
	d := &Downloads{Audit: p, Log: slog.New(slog.DiscardHandler)}
	ada, bob, film, other := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	note := func(account, recording uuid.UUID, at time.Time) { d.Note(t.Context(), account, recording, at) }
	settled := func(what string, want int) {
		t.Helper()
		d.Settle(t.Context())
		if len(p.list) != want {
			t.Errorf("%s: %d are written down, want %d", what, len(p.list), want)
		}
	}
	settled("nothing", 0)
	for i := range 100 {
		note(ada, film, noon.Add(time.Duration(i)*30*time.Second))
	}
	note(bob, film, noon)
	note(ada, other, noon)
	settled("an hour", 3)
	if got := p.list[0]; got != (ports.AuditedDownload{At: noon, Account: ada, Recording: film}) {
		t.Errorf("%+v", got)
	}
	note(ada, film, noon.Add(59*time.Minute))
	settled("the same hour", 3)
	note(ada, film, noon.Add(time.Hour))
	note(bob, film, noon.Add(59*time.Minute)) // a little late
	settled("the next hour", 5)               // the database knows the late one
}

// A database that is away costs nothing but memory, and that is bounded.
func TestDownloadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	p := &paper{err: errors.New("the database is away")}
	d := &Downloads{Audit: p, Log: slog.New(slog.DiscardHandler)}
	now := time.Now()
	d.writing.Lock() // or the timer would do it
	for range mostSeen + 10 {
		d.Note(t.Context(), uuid.New(), uuid.New(), now)
	}
	if len(d.waiting) != mostSeen || d.lost != 10 || len(d.seen) > mostSeen {
		t.Errorf("%d wait, %d are lost, %d seen", len(d.waiting), d.lost, len(d.seen))
	}
	d.writing.Unlock()
	d.Settle(t.Context())
	p.fail(nil)
	d.Settle(t.Context())
	if len(p.list) != mostSeen {
		t.Errorf("%d are written down", len(p.list))
	}
}

func BenchmarkNote(b *testing.B) {
	d := &Downloads{Audit: &paper{}, Log: slog.New(slog.DiscardHandler)}
	account, recording, now := uuid.New(), uuid.New(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		d.Note(b.Context(), account, recording, now)
	}
	d.Settle(b.Context())
}
