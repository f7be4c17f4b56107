package postgres

import (
	"cmp"
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"meetd/adapters/postgres/internal/db"
)

// transaction sends as little as it can, because a round trip costs more than most
// statements: its BEGIN goes along with the first of them, and what was said
// through later with the next one that needs an answer, or with the COMMIT. Not
// for use by several goroutines.
type transaction struct {
	conn    *pgx.Conn
	tx      pgx.Tx     // nil until it has begun
	waiting *pgx.Batch // what is to be sent; at first the BEGIN
	over    bool
}

func newTransaction(c *pgx.Conn) *transaction {
	t := &transaction{conn: c, waiting: &pgx.Batch{}}
	t.waiting.BeginTx(pgx.TxOptions{})
	return t
}

// send sends what waits, and reads its answers but for the last so many.
func (t *transaction) send(ctx context.Context, last int) (pgx.BatchResults, error) {
	answers := t.waiting.Len() - last
	results := t.conn.SendBatch(ctx, t.waiting)
	if t.tx == nil {
		t.tx = results.Tx()
	}
	t.waiting = &pgx.Batch{}
	for range answers {
		if _, err := results.Exec(); err != nil {
			return nil, cmp.Or(err, results.Close())
		}
	}
	return results, nil
}

// ask sends a statement after what waits.
func (t *transaction) ask(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	t.waiting.Queue(sql, args...)
	return t.send(ctx, 1)
}

// straight tells that nothing has to go first.
func (t *transaction) straight() bool { return t.tx != nil && t.waiting.Len() == 0 }

// Exec implements db.DBTX.
func (t *transaction) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if t.straight() {
		return t.tx.Exec(ctx, sql, args...) //nolint:wrapcheck // it stands for the connection
	}
	results, err := t.ask(ctx, sql, args)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := results.Exec()
	return tag, cmp.Or(err, results.Close())
}

// Query implements db.DBTX.
func (t *transaction) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if t.straight() {
		return t.tx.Query(ctx, sql, args...) //nolint:wrapcheck // it stands for the connection
	}
	results, err := t.ask(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		return nil, cmp.Or(err, results.Close())
	}
	return lastRows{rows, results}, nil
}

// QueryRow implements db.DBTX.
func (t *transaction) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if t.straight() {
		return t.tx.QueryRow(ctx, sql, args...)
	}
	results, err := t.ask(ctx, sql, args)
	if err != nil {
		return noRow{err}
	}
	return lastRow{results}
}

// Begin sets a savepoint.
func (t *transaction) Begin(ctx context.Context) (pgx.Tx, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return t.tx.Begin(ctx) //nolint:wrapcheck // it stands for the connection
}

// begun gives the transaction to those who want it as pgx has it. What waits still
// does.
func (t *transaction) begun(ctx context.Context) (pgx.Tx, error) {
	if t.tx == nil {
		if err := t.flush(ctx); err != nil {
			return nil, err
		}
	}
	return t.tx, nil
}

func (t *transaction) flush(ctx context.Context) error {
	if t.straight() {
		return nil
	}
	results, err := t.send(ctx, 0)
	if err != nil {
		return err
	}
	return results.Close() //nolint:wrapcheck // it stands for the connection
}

// commit ends it. One in which nothing was said costs nothing.
func (t *transaction) commit(ctx context.Context) error {
	t.over = t.tx == nil && t.waiting.Len() == 1
	if t.over {
		return nil
	}
	tag, err := t.Exec(ctx, "commit")
	switch {
	case err != nil:
		return err
	case tag.String() == "ROLLBACK":
		err = pgx.ErrTxCommitRollback // somebody has passed over a fault
	}
	t.over = true
	return err
}

// rollback undoes everything, unless it was committed.
func (t *transaction) rollback(ctx context.Context) {
	if !t.over && t.tx != nil {
		_ = t.tx.Rollback(ctx) // where it fails, pgx closes the connection
	}
}

// later is for statements whose answer nobody needs: in a transaction they wait,
// and what is wrong with them shows at the end of it.
func later(c conn) db.DBTX {
	if t, ok := c.(*transaction); ok {
		return unanswered{t}
	}
	return c
}

type unanswered struct{ *transaction }

func (u unanswered) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	u.waiting.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// lastRows and lastRow are the last answer of a batch; the connection is free when
// they are read.
type lastRows struct {
	pgx.Rows
	results pgx.BatchResults
}

func (r lastRows) Close() {
	r.Rows.Close()
	_ = r.results.Close() // Err tells
}

type lastRow struct{ results pgx.BatchResults }

func (r lastRow) Scan(to ...any) error {
	err := r.results.QueryRow().Scan(to...)
	return cmp.Or(err, r.results.Close())
}

type noRow struct{ err error }

func (r noRow) Scan(...any) error { return r.err }
