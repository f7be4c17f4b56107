package postgres

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/audit"
	"meetd/ports"
)

type auditLog struct{ c conn }

func (r auditLog) Record(ctx context.Context, e audit.Event) error {
	if e.Details == nil {
		e.Details = map[string]string{}
	}
	details, err := json.Marshal(e.Details)
	if err != nil {
		return fmt.Errorf("audit event: %w", err)
	}
	return translate(q.AuditEventInsert(ctx, later(r.c), db.AuditEventInsertParams{
		At: e.At, Action: string(e.Action), ActorID: orNull(e.Actor), Subject: e.Subject, Details: details,
	}), "audit event")
}

func (r auditLog) RecordDownloads(ctx context.Context, list ...ports.AuditedDownload) error {
	var arg db.AuditDownloadsInsertParams
	for _, d := range list {
		arg.Ats = append(arg.Ats, d.At)
		arg.Actors = append(arg.Actors, d.Account)
		arg.Subjects = append(arg.Subjects, d.Recording.String())
	}
	return translate(q.AuditDownloadsInsert(ctx, r.c, arg), "audit event")
}

// orNull is how an id that may be none is stored.
func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// AuditTrail is the audit trail as a chain.
type AuditTrail struct{ Pool *pgxpool.Pool }

var _ ports.AuditTrail = AuditTrail{}

// Seal seals events that wait. It is one transaction, which waits for another one
// that does the same and keeps nobody else waiting.
func (t AuditTrail) Seal(ctx context.Context, limit int, next func(audit.Seal, audit.Stored) audit.Seal) (n int, head audit.Seal, err error) {
	err = pgx.BeginFunc(ctx, t.Pool, func(tx pgx.Tx) error {
		if err := q.AuditSealLock(ctx, tx); err != nil {
			return err
		}
		newest, err := q.AuditHead(ctx, tx)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		head = audit.Seal{Seq: newest.Seq}
		copy(head.Hash[:], newest.Hash)
		rows, err := q.AuditUnsealed(ctx, tx, int32(limit)) //nolint:gosec // a page is small
		if err != nil || len(rows) == 0 {
			return err
		}
		var seals db.AuditSealsInsertParams
		for _, row := range rows {
			e, err := stored(row)
			if err != nil {
				return err
			}
			head = next(head, e)
			seals.Seqs, seals.Events = append(seals.Seqs, head.Seq), append(seals.Events, head.Event)
			seals.Hashes = append(seals.Hashes, bytes.Clone(head.Hash[:]))
		}
		n = len(rows)
		if err := q.AuditSealsInsert(ctx, tx, seals); err != nil {
			return err
		}
		return q.AuditUnsealedDelete(ctx, tx, seals.Events)
	})
	return n, head, translate(err, "audit trail")
}

func stored(row db.MeetdAuditEvent) (audit.Stored, error) {
	e := audit.Stored{ID: row.ID, Event: audit.Event{At: row.At, Action: audit.Action(row.Action), Subject: row.Subject}}
	if row.ActorID != nil {
		e.Actor = *row.ActorID
	}
	if err := json.Unmarshal(row.Details, &e.Details); err != nil {
		return e, fmt.Errorf("the details of audit event %d: %w", row.ID, err)
	}
	return e, nil
}

// These are not for sqlc, whose queries hold all their rows in memory.
const (
	walkTrail = `
		SELECT s.seq, s.event_id, s.hash, e.id, e.at, e.action, e.actor_id, e.subject, e.details
		FROM meetd.audit_seal s LEFT JOIN meetd.audit_event e ON e.id = s.event_id
		ORDER BY s.seq`
	exportTrail = `
		SELECT s.seq, s.event_id, s.hash, e.id, e.at, e.action, e.actor_id, e.subject, e.details
		FROM meetd.audit_event e LEFT JOIN meetd.audit_seal s ON s.event_id = e.id
		WHERE ($1::timestamptz IS NULL OR e.at >= $1) AND ($2::timestamptz IS NULL OR e.at < $2)
		  AND ($3::uuid IS NULL OR e.actor_id = $3) AND ($4 = '' OR e.subject = $4)
		ORDER BY e.id`
)

// Walk reads the trail in one snapshot.
func (t AuditTrail) Walk(ctx context.Context, see func(ports.SealedEvent) error) (ports.TrailLoss, error) {
	var loss ports.TrailLoss
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, t.Pool, options, func(tx pgx.Tx) error {
		if err := each(ctx, tx, see, walkTrail); err != nil {
			return err
		}
		l, err := q.AuditLost(ctx, tx)
		loss = ports.TrailLoss{Gone: l.Gone, Unclaimed: l.Unclaimed, Events: int(l.Events), Waiting: int(l.Waiting)}
		return err
	})
	return loss, translate(err, "audit trail")
}

// Export reads what is wanted.
func (t AuditTrail) Export(ctx context.Context, f audit.Filter, see func(ports.SealedEvent) error) error {
	return translate(each(ctx, t.Pool, see, exportTrail, orNever(f.Since), orNever(f.Until), orNull(f.Actor), f.Subject), "audit trail")
}

// orNever is how a time that may be none is asked for.
func orNever(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

func each(ctx context.Context, c querier, see func(ports.SealedEvent) error, query string, args ...any) error {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			seq, of, id     *int64
			at              *time.Time
			action, subject *string
			row             db.MeetdAuditEvent
			hash            []byte
			out             ports.SealedEvent
		)
		if err := rows.Scan(&seq, &of, &hash, &id, &at, &action, &row.ActorID, &subject, &row.Details); err != nil {
			return err
		}
		if seq != nil {
			out.Seal = &audit.Seal{Seq: *seq, Event: *of}
			copy(out.Seal.Hash[:], hash)
		}
		if id != nil {
			row.ID, row.At, row.Action, row.Subject = *id, *at, *action, *subject
			e, err := stored(row)
			out.Event, out.Unreadable = &e, err
		}
		if err := see(out); err != nil {
			return err
		}
	}
	return rows.Err()
}
