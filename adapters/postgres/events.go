package postgres

import (
	"context"
	"time"

	"meetd/adapters/postgres/internal/db"
	"meetd/ports"
)

type events struct{ c conn }

func (r events) Keep(ctx context.Context, now time.Time, applied bool, kept ...ports.KeptEvent) error {
	if len(kept) == 0 {
		return nil
	}
	_, err := q.EventsKeep(ctx, later(r.c), keep(now, applied, kept))
	return translate(err, "event")
}

func (r events) First(ctx context.Context, now time.Time, e ports.KeptEvent) (bool, error) {
	n, err := q.EventsKeep(ctx, r.c, keep(now, true, []ports.KeptEvent{e}))
	return n > 0, translate(err, "event")
}

func keep(now time.Time, applied bool, kept []ports.KeptEvent) db.EventsKeepParams {
	arg := db.EventsKeepParams{ReceivedAt: now}
	if applied {
		arg.AppliedAt = &now
	}
	for _, e := range kept {
		arg.Sources = append(arg.Sources, string(e.Source))
		arg.Ids = append(arg.Ids, e.ID)
		arg.Subjects = append(arg.Subjects, e.Subject)
		arg.Payloads = append(arg.Payloads, string(e.Payload))
	}
	return arg
}

func (r events) Waiting(ctx context.Context, source ports.EventSource, subject string) ([]ports.KeptEvent, error) {
	rows, err := q.EventsWaiting(ctx, r.c, db.EventsWaitingParams{Source: string(source), Subject: subject})
	if err != nil {
		return nil, translate(err, "event")
	}
	out := make([]ports.KeptEvent, len(rows))
	for i, row := range rows {
		out[i] = ports.KeptEvent{Source: source, ID: row.EventID, Subject: subject, Payload: row.Payload}
	}
	return out, nil
}

func (r events) Subjects(ctx context.Context, since time.Time, limit int) ([]ports.KeptEvent, error) {
	rows, err := q.EventSubjectsWaiting(ctx, r.c, db.EventSubjectsWaitingParams{ReceivedAt: since, Limit: int32(limit)}) //nolint:gosec // a page is small
	if err != nil {
		return nil, translate(err, "event")
	}
	out := make([]ports.KeptEvent, len(rows))
	for i, row := range rows {
		out[i] = ports.KeptEvent{Source: ports.EventSource(row.Source), Subject: row.Subject}
	}
	return out, nil
}

func (r events) Applied(ctx context.Context, e ports.KeptEvent, now time.Time) error {
	return translate(q.EventApplied(ctx, r.c, db.EventAppliedParams{Source: string(e.Source), EventID: e.ID, AppliedAt: &now}), "event")
}

func (r events) DeleteOld(ctx context.Context, before time.Time) (int64, error) {
	n, err := q.EventDeleteOld(ctx, r.c, before)
	return n, translate(err, "event")
}
