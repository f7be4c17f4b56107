package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"meetd/ports"
)

// Transaction is what the repositories of one work in.
type Transaction = transaction

// TransactionOf gives what these repositories work in.
func TransactionOf(r ports.Repos) *Transaction {
	return r.Events.(events).c.(*transaction) //nolint:forcetypeassert // as InTx makes it
}

// Later says a statement whose answer nobody needs.
func (t *Transaction) Later(ctx context.Context, sql string, args ...any) error {
	_, err := later(t).Exec(ctx, sql, args...)
	return err
}

// Begun gives the transaction as pgx has it.
func (t *Transaction) Begun(ctx context.Context) (pgx.Tx, error) { return t.begun(ctx) }

// SetPatience says how long a check may take.
func (m *MediaChecks) SetPatience(d time.Duration) { m.patience = d }
