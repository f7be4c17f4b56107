package postgres

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

const (
	// checksTogether bounds how many checks share a round trip.
	checksTogether = 128
	// checkPatience is how long the database may take.
	checkPatience = 5 * time.Second
)

// MediaChecks answers the ingress. A check is cheap and its round trip is not,
// so checks that arrive while another is under way go together in the next one:
// a check alone waits for nobody, and under load the database is asked once for
// many. This is ours because loaders in libraries gather for a fixed time
// instead, which every check would have to wait.
type MediaChecks struct {
	pool *pgxpool.Pool

	mu      sync.Mutex
	waiting []*mediaCheck
	busy    bool // a round trip is under way
}

var _ ports.MediaChecks = (*MediaChecks)(nil)

// NewMediaChecks asks pool.
func NewMediaChecks(pool *pgxpool.Pool) *MediaChecks { return &MediaChecks{pool: pool} }

type mediaCheck struct {
	key   ports.SessionKey
	id    uuid.UUID
	now   time.Time
	done  chan struct{}
	facts ports.MediaFacts
	err   error
}

// MediaFacts looks up session, account, recording and access.
func (m *MediaChecks) MediaFacts(ctx context.Context, key ports.SessionKey, id uuid.UUID, now time.Time) (ports.MediaFacts, error) {
	c := &mediaCheck{key: key, id: id, now: now, done: make(chan struct{})}
	m.mu.Lock()
	if m.busy {
		m.waiting = append(m.waiting, c)
		m.mu.Unlock()
		select {
		case <-c.done:
			return c.facts, c.err
		case <-ctx.Done():
			return ports.MediaFacts{}, translate(ctx.Err(), "media check")
		}
	}
	m.busy = true
	m.mu.Unlock()
	m.answer(ctx, []*mediaCheck{c})
	if next := m.gathered(); next != nil {
		// Others must not wait for this request, nor depend on its context.
		go m.work(context.WithoutCancel(ctx), next)
	}
	return c.facts, c.err
}

// gathered takes the checks for the next round trip; with none there is a pause.
func (m *MediaChecks) gathered() []*mediaCheck {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(len(m.waiting), checksTogether)
	if n == 0 {
		m.busy = false
		return nil
	}
	batch := m.waiting[:n:n]
	if m.waiting = m.waiting[n:]; len(m.waiting) == 0 {
		m.waiting = nil // or its array would grow for ever
	}
	return batch
}

// work answers checks until none waits.
func (m *MediaChecks) work(ctx context.Context, batch []*mediaCheck) {
	for batch != nil {
		m.answer(ctx, batch)
		batch = m.gathered()
	}
}

// answer asks the database, and answers every check of the batch whatever
// happens: nobody may be left waiting, and a panic would take the program down
// or leave the gatherer busy for ever.
func (m *MediaChecks) answer(ctx context.Context, batch []*mediaCheck) {
	err := m.ask(ctx, batch)
	for _, c := range batch {
		if err != nil {
			c.facts, c.err = ports.MediaFacts{}, err
		}
		close(c.done)
	}
}

func (m *MediaChecks) ask(ctx context.Context, batch []*mediaCheck) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("media check: panic: %v\n%s", p, debug.Stack())
		}
	}()
	arg := db.MediaChecksParams{Keys: make([][]byte, len(batch)), Ids: make([]uuid.UUID, len(batch))}
	for i, c := range batch {
		arg.Keys[i], arg.Ids[i] = c.key[:], c.id
		if c.now.After(arg.Now) {
			arg.Now = c.now
		}
		c.err = fault.New(fault.Unauthenticated, "session") // unless a row says otherwise
	}
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	rows, err := q.MediaChecks(ctx, m.pool, arg)
	if err != nil {
		return translate(err, "media check")
	}
	for _, row := range rows {
		batch[row.N-1].set(row)
	}
	return nil
}

func (c *mediaCheck) set(row db.MediaChecksRow) {
	c.err = nil
	if row.Status == nil { // no such recording
		return
	}
	c.facts = ports.MediaFacts{
		Found: true, Status: recording.Status(*row.Status), Mode: recording.Mode(orEmpty(row.Mode)),
		CreatedAt: *row.CreatedAt, Role: access.Role(orEmpty(row.Role)), Room: orEmpty(row.Slug),
	}
}
