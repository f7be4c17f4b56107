package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
	"meetd/ports/gather"
)

const (
	// checksTogether bounds how many checks share a round trip.
	checksTogether = 128
	// checkPatience is how long a check may take.
	checkPatience = 5 * time.Second
)

// MediaChecks answers the ingress. A check is cheap and its round trip is not, so
// checks that come at the same time go together.
type MediaChecks struct {
	pool     *pgxpool.Pool
	checks   *gather.Gatherer[*mediaCheck]
	patience time.Duration
}

var _ ports.MediaChecks = (*MediaChecks)(nil)

// NewMediaChecks asks pool.
func NewMediaChecks(pool *pgxpool.Pool) *MediaChecks {
	m := &MediaChecks{pool: pool, patience: checkPatience}
	m.checks = gather.New(1, checksTogether, 0, m.answer)
	return m
}

type mediaCheck struct {
	key   ports.SessionKey
	id    uuid.UUID
	now   time.Time
	facts ports.MediaFacts
	err   error
}

// MediaFacts looks up session, account, recording and access. Who waits for the
// check before his is no more patient than who does not: those who come while the
// database hangs would wait ever longer otherwise.
func (m *MediaChecks) MediaFacts(ctx context.Context, key ports.SessionKey, id uuid.UUID, now time.Time) (ports.MediaFacts, error) {
	c := &mediaCheck{key: key, id: id, now: now}
	ctx, cancel := context.WithTimeout(ctx, m.patience)
	defer cancel()
	if err := m.checks.Do(ctx, c); err != nil {
		if ctx.Err() != nil {
			err = translate(err, "media check")
		}
		return ports.MediaFacts{}, err
	}
	return c.facts, c.err
}

func (m *MediaChecks) answer(ctx context.Context, batch []*mediaCheck) {
	arg := db.MediaChecksParams{Keys: make([][]byte, len(batch)), Ids: make([]uuid.UUID, len(batch))}
	for i, c := range batch {
		arg.Keys[i], arg.Ids[i] = c.key[:], c.id
		if c.now.After(arg.Now) {
			arg.Now = c.now
		}
		c.err = fault.New(fault.Unauthenticated, "session") // unless a row says otherwise
	}
	ctx, cancel := context.WithTimeout(ctx, m.patience)
	defer cancel()
	rows, err := q.MediaChecks(ctx, m.pool, arg)
	for _, row := range rows {
		batch[row.N-1].set(row)
	}
	if err != nil {
		for _, c := range batch {
			c.facts, c.err = ports.MediaFacts{}, translate(err, "media check")
		}
	}
}

func (c *mediaCheck) set(row db.MediaChecksRow) {
	c.err = nil
	if row.Status == nil { // no such recording
		return
	}
	c.facts = ports.MediaFacts{
		Found: true, Account: row.UserID, Status: recording.Status(*row.Status), Mode: recording.Mode(orEmpty(row.Mode)),
		CreatedAt: *row.CreatedAt, Role: access.Higher(access.Role(orEmpty(row.Role)), access.Role(row.TeamRole)), Room: orEmpty(row.Slug),
	}
}
