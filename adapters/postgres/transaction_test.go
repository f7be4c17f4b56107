package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	"meetd/domain/fault"
	"meetd/ports"
)

// notebook is a database with a table of notes.
func notebook(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE note (id integer PRIMARY KEY, said text NOT NULL)`); err != nil {
		t.Fatal(err)
	}
	return pool
}

// What waits is sent before anything that could see it, in the order in which it
// was said, and is there when the transaction ends; a fault in it undoes the whole.
func TestTransaction(t *testing.T) {
	t.Parallel()
	pool := notebook(t)
	store := &postgres.Store{Pool: pool}
	const insert, find = `INSERT INTO note VALUES ($1, $2)`, `SELECT said FROM note WHERE id = $1`
	write := func(tx *postgres.Transaction, id int, said string) error {
		return tx.Later(t.Context(), insert, id, said)
	}
	read := func(tx *postgres.Transaction, id int) (said string, err error) {
		err = tx.QueryRow(t.Context(), find, id).Scan(&said)
		return said, err
	}
	own := errors.New("no more of it")
	for name, c := range map[string]struct {
		do   func(tx *postgres.Transaction) error
		want error // what it ends with
		left int   // notes that are there then
	}{
		"nothing":         {do: func(*postgres.Transaction) error { return nil }},
		"only later":      {do: func(tx *postgres.Transaction) error { return errors.Join(write(tx, 1, "a"), write(tx, 2, "b")) }, left: 2},
		"later and fault": {do: func(tx *postgres.Transaction) error { return errors.Join(write(tx, 1, "a"), own) }, want: own},
		"begun and fault": {do: func(tx *postgres.Transaction) error {
			_, err := tx.Exec(t.Context(), insert, 1, "a")
			return errors.Join(err, own)
		}, want: own},
		"seen by a row": {do: func(tx *postgres.Transaction) error {
			said, err := read(tx, 1)
			if !errors.Is(err, pgx.ErrNoRows) {
				t.Errorf("before: %q, %v", said, err)
			}
			err = write(tx, 1, "a")
			if said, err := read(tx, 1); said != "a" || err != nil {
				t.Errorf("after: %q, %v", said, err)
			}
			return err
		}, left: 1},
		"seen by rows": {do: func(tx *postgres.Transaction) error {
			err := errors.Join(write(tx, 1, "a"), write(tx, 2, "b"))
			for range 2 { // with something to send first, and without
				rows, err := tx.Query(t.Context(), `SELECT id FROM note ORDER BY id`)
				if err != nil {
					t.Fatal(err)
				}
				if ids, err := pgx.CollectRows(rows, pgx.RowTo[int]); len(ids) != 2 || err != nil {
					t.Errorf("got %v, %v", ids, err)
				}
			}
			return err
		}, left: 2},
		"seen by a statement": {do: func(tx *postgres.Transaction) error {
			err := write(tx, 1, "a")
			if tag, err := tx.Exec(t.Context(), `UPDATE note SET said = 'b'`); tag.RowsAffected() != 1 || err != nil {
				t.Errorf("got %v, %v", tag, err)
			}
			return err
		}, left: 1},
		"a savepoint": {do: func(tx *postgres.Transaction) error {
			err := write(tx, 1, "a")
			inner := pgx.BeginFunc(t.Context(), tx, func(in pgx.Tx) error {
				_, err := in.Exec(t.Context(), insert, 2, "b")
				return errors.Join(err, own)
			})
			if !errors.Is(inner, own) {
				t.Errorf("inside: %v", inner)
			}
			return errors.Join(err, write(tx, 3, "c"))
		}, left: 2},
		"a fault found late": {do: func(tx *postgres.Transaction) error { return errors.Join(write(tx, 1, "a"), write(tx, 1, "b")) }, want: fault.Conflict},
		"a fault found when reading": {do: func(tx *postgres.Transaction) error {
			_ = errors.Join(write(tx, 1, "a"), write(tx, 1, "b"))
			_, err := read(tx, 1)
			return err
		}, want: fault.Conflict},
		"a fault passed over": {do: func(tx *postgres.Transaction) error {
			if _, err := tx.Exec(t.Context(), `SELECT 1/0`); !strings.Contains(fmt.Sprint(err), "division by zero") {
				t.Errorf("got %v", err)
			}
			return nil
		}, want: pgx.ErrTxCommitRollback},
		"for others": {do: func(tx *postgres.Transaction) error {
			err := write(tx, 1, "a")
			for range 2 {
				in, err := tx.Begun(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var n int
				if err := in.QueryRow(t.Context(), `SELECT count(*) FROM note`).Scan(&n); n != 1 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
			}
			return err
		}, left: 1},
	} {
		if _, err := pool.Exec(t.Context(), `TRUNCATE note`); err != nil {
			t.Fatal(err)
		}
		err := store.InTx(t.Context(), func(r ports.Repos) error {
			return c.do(postgres.TransactionOf(r))
		})
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: ended with %v, not %v", name, err, c.want)
		}
		var left int
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM note`).Scan(&left); err != nil || left != c.left {
			t.Errorf("%s: %d notes are left, not %d; %v", name, left, c.left, err)
		}
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// Whoever goes away in the middle leaves nothing behind.
func TestTransactionLeft(t *testing.T) {
	t.Parallel()
	pool := notebook(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := (&postgres.Store{Pool: pool}).InTx(ctx, func(r ports.Repos) error {
		tx := postgres.TransactionOf(r)
		if _, err := tx.Exec(ctx, `INSERT INTO note VALUES (1, 'a')`); err != nil {
			return err
		}
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	var left int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM note`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d notes are left; %v", left, err)
	}
}
