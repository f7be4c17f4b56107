package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/fault"
	"meetd/ports"
)

// conn is the pool or a transaction.
type conn interface {
	db.DBTX
	Begin(ctx context.Context) (pgx.Tx, error)
}

var q = db.New()

// Store is the database.
type Store struct {
	Pool *pgxpool.Pool
	// Outbox gives what notes the jobs of one transaction, and what stores them in
	// the transaction that begun gives. A program that notes no jobs leaves it nil.
	Outbox func() (jobs ports.Jobs, flush func(ctx context.Context, begun func(context.Context) (pgx.Tx, error)) error)
}

var _ ports.Store = (*Store)(nil)

// Repos gives the repositories outside a transaction: without the job queue.
func (s *Store) Repos() ports.Repos { return repos(s.Pool) }

// InTx runs fn in one transaction.
func (s *Store) InTx(ctx context.Context, fn func(ports.Repos) error) error {
	return translate(s.inTx(ctx, fn), "transaction")
}

func (s *Store) inTx(ctx context.Context, fn func(ports.Repos) error) error {
	c, err := s.Pool.Acquire(ctx)
	if err != nil {
		return err //nolint:wrapcheck // InTx does
	}
	defer c.Release()
	t := newTransaction(c.Conn())
	defer t.rollback(ctx)
	r := repos(t)
	flush := func(context.Context, func(context.Context) (pgx.Tx, error)) error { return nil }
	if s.Outbox != nil {
		r.Jobs, flush = s.Outbox()
	}
	if err := fn(r); err != nil {
		return err
	}
	if err := flush(ctx, t.begun); err != nil {
		return err
	}
	return t.commit(ctx)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Pool.Ping(ctx); err != nil {
		return fault.Wrap(fault.Unavailable, "database", err)
	}
	return nil
}

func repos(c conn) ports.Repos {
	return ports.Repos{
		Users: users{c}, Staff: staff{c}, People: people{c}, Sessions: sessions{c}, UsedTokens: usedTokens{c}, Rooms: rooms{c}, Accesses: roomAccesses{c},
		Recordings: recordings{c}, Events: events{c}, Files: files{c}, Notices: notices{c}, Announcements: announcements{c}, Holds: holds{c}, Audit: auditLog{c}, Throttle: throttle{c}, Lobby: lobbies{c}, Callbacks: callbacks{c},
		Admin: ports.Admin{Accounts: accounts{c}, Groups: groups{c}, Lists: adminLists{c}, Shares: recordingAccesses{c}, Log: adminLog{c}},
	}
}

// translate makes a fault of what the database says; faults pass. It is called
// once, where the error leaves the package.
func translate(err error, what string) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return err
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, what)
	}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "23505":
		return &fault.Error{Kind: fault.Conflict, Code: unique(pg.ConstraintName), Err: err}
	case errors.As(err, &pg) && (pg.Code == "22021" || pg.Code == "22P05"):
		return fault.Wrap(fault.Invalid, "text", err) // NUL, or bytes that are no text
	case errors.As(err, &pg) && pg.Code == "23503" && strings.HasSuffix(pg.ConstraintName, "_fk_meet_user_id"):
		// The account of the request was merged away while it was under way.
		return fault.Wrap(fault.Unauthenticated, "session", err)
	case errors.As(err, &pg) && pg.Code == "23503" && strings.HasSuffix(pg.ConstraintName, "_fk_auth_group_id"):
		// It was deleted while somebody was put into it.
		return fault.Wrap(fault.Conflict, "group", err)
	case errors.As(err, &pg) && pg.Code[:2] != "08" && pg.Code[:2] != "53" && pg.Code[:2] != "57":
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", what, err)
	}
	// No answer, no connection, no space: it may work again in a moment.
	return fault.Wrap(fault.Unavailable, "database", fmt.Errorf("%s: %w", what, err))
}

// unique names the fault of a unique constraint.
func unique(constraint string) string {
	switch constraint {
	case "meet_user_sub_key":
		return "user_sub"
	case "meet_room_slug_key":
		return "room_slug"
	case "meet_room_pin_code_key":
		return "room_pin"
	case "meet_user_admin_email_key":
		return "admin_email"
	case "auth_group_name_key":
		return "group_name"
	case "meet_recording_external_process_id_key":
		return "recording_process"
	case "resource_access_unique_user_resource":
		return "room_access_twice"
	case "unique_initiated_or_active_recording_per_room":
		return "recording_open"
	}
	return constraint
}
