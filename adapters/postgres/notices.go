package postgres

import (
	"context"
	"time"

	"meetd/adapters/postgres/internal/db"
	"meetd/ports"
)

type notices struct{ c conn }

func (r notices) Add(ctx context.Context, now time.Time, list ...ports.Notice) ([]ports.Notice, error) {
	arg := noticesArg(now, list)
	rows, err := q.NoticesAdd(ctx, r.c, arg)
	if err != nil {
		return nil, translate(err, "notice")
	}
	fresh := make([]ports.Notice, len(rows))
	for i, row := range rows {
		fresh[i] = ports.Notice{Recording: row.RecordingID, Kind: ports.NoticeKind(row.Kind), Recipient: row.Recipient}
	}
	return fresh, nil
}

func noticesArg(now time.Time, list []ports.Notice) db.NoticesAddParams {
	arg := db.NoticesAddParams{CreatedAt: now}
	for _, n := range list {
		arg.Recordings = append(arg.Recordings, n.Recording)
		arg.Kinds = append(arg.Kinds, string(n.Kind))
		arg.Recipients = append(arg.Recipients, n.Recipient)
	}
	return arg
}

func (r notices) Reopen(ctx context.Context, now time.Time, list ...ports.Notice) error {
	return translate(q.NoticesReopen(ctx, r.c, db.NoticesReopenParams(noticesArg(now, list))), "notice")
}

func (r notices) Open(ctx context.Context, n ports.Notice) (time.Time, error) {
	since, err := q.NoticeOpen(ctx, r.c, db.NoticeOpenParams{RecordingID: n.Recording, Kind: string(n.Kind), Recipient: n.Recipient})
	return since, translate(err, "notice")
}

func (r notices) Done(ctx context.Context, n ports.Notice, now time.Time) (int, error) {
	if err := q.NoticeDone(ctx, r.c, db.NoticeDoneParams{
		RecordingID: n.Recording, Kind: string(n.Kind), Recipient: n.Recipient, DoneAt: &now,
	}); err != nil {
		return 0, translate(err, "notice")
	}
	left, err := q.NoticesOpen(ctx, r.c, n.Recording)
	return int(left), translate(err, "notice")
}
