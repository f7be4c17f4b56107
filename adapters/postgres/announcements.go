package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/fault"
	"meetd/ports"
)

type announcements struct{ c conn }

func (r announcements) Add(ctx context.Context, at time.Time, list ...ports.Announcement) error {
	if len(list) == 0 {
		return nil
	}
	arg := db.AnnouncementsAddParams{At: at}
	for _, a := range list {
		arg.EventIds = append(arg.EventIds, a.Event)
		arg.Types = append(arg.Types, string(a.Type))
		arg.Recordings = append(arg.Recordings, a.Recording)
		arg.Payloads = append(arg.Payloads, string(a.Body))
	}
	return translate(q.AnnouncementsAdd(ctx, later(r.c), arg), "announcement")
}

func (r announcements) Body(ctx context.Context, event uuid.UUID) ([]byte, error) {
	body, err := q.AnnouncementPayload(ctx, r.c, event)
	return body, translate(err, "announcement")
}

func (r announcements) After(ctx context.Context, after ports.Cursor, limit int) ([][]byte, ports.Cursor, error) {
	rows, err := q.AnnouncementsAfter(ctx, r.c, db.AnnouncementsAfterParams{
		AfterXid: after.Transaction, AfterID: after.ID, Page: int32(limit), //nolint:gosec // a page is small
	})
	if err != nil {
		return nil, after, translate(err, "announcement")
	}
	if len(rows) == 0 && after != (ports.Cursor{}) {
		reached, err := q.TransactionReached(ctx, r.c, after.Transaction)
		if err == nil && !reached {
			err = fault.New(fault.Invalid, "cursor")
		}
		return nil, after, translate(err, "announcement")
	}
	bodies := make([][]byte, len(rows))
	for i, row := range rows {
		bodies[i], after = row.Payload, ports.Cursor{Transaction: row.Xid, ID: row.ID}
	}
	return bodies, after, nil
}

func (r announcements) Adopt(ctx context.Context) error {
	return translate(q.AnnouncementsAdopt(ctx, r.c), "announcement")
}

func (r announcements) DeleteOld(ctx context.Context, before time.Time) (int64, error) {
	n, err := q.AnnouncementDeleteOld(ctx, r.c, before)
	return n, translate(err, "announcement")
}
