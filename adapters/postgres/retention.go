package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// LockOf locks the room's row too: whoever adds a recording has to look at it
// when he commits, and finds it gone.
func (r recordings) LockOf(ctx context.Context, room uuid.UUID) ([]*recording.Recording, error) {
	if _, err := q.RoomLock(ctx, r.c, room); err != nil {
		return nil, translate(err, "room")
	}
	rows, err := q.RecordingsLockOfRoom(ctx, r.c, room)
	if err != nil {
		return nil, translate(err, "recording")
	}
	out := make([]*recording.Recording, len(rows))
	for i, row := range rows {
		if out[i], err = toRecording(db.RecordingGetRow(row), nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r recordings) Outdated(ctx context.Context, before time.Time, after ports.Outdated, page int) ([]ports.Outdated, error) {
	rows, err := q.RecordingsOutdated(ctx, r.c, db.RecordingsOutdatedParams{
		Before: before, AfterCreated: after.CreatedAt, AfterID: after.ID, Page: int32(page), //nolint:gosec // a page is small
	})
	if err != nil {
		return nil, translate(err, "recording")
	}
	out := make([]ports.Outdated, len(rows))
	for i, row := range rows {
		out[i] = ports.Outdated{ID: row.ID, CreatedAt: row.CreatedAt}
	}
	return out, nil
}

func (r recordings) Delete(ctx context.Context, gone ...*recording.Recording) error {
	ids := make([]uuid.UUID, len(gone))
	var stored, recorded, processed []string // what events about them are about
	for i, rec := range gone {
		state := rec.State()
		ids[i] = rec.ID
		stored, recorded, processed = append(stored, rec.ID.String()), append(recorded, state.WorkerID), append(processed, state.Process)
	}
	for _, remove := range []func(context.Context, db.DBTX, []uuid.UUID) error{
		q.RecordingsDeleteAccesses, q.RecordingsDeleteStates, q.RecordingsDeleteNotices, q.RecordingsDelete,
	} {
		if err := remove(ctx, r.c, ids); err != nil {
			return translate(err, "recording")
		}
	}
	for source, of := range map[ports.EventSource][]string{
		ports.FromStorage: stored, ports.FromLiveKit: recorded, ports.FromSummary: processed,
	} {
		if err := q.RecordingsDeleteEvents(ctx, r.c, db.RecordingsDeleteEventsParams{Source: string(source), Subjects: of}); err != nil {
			return translate(err, "recording")
		}
	}
	return nil
}

type holds struct{ c conn }

func (r holds) Place(ctx context.Context, h ports.Hold) error {
	return translate(q.HoldInsert(ctx, r.c, db.HoldInsertParams{
		RecordingID: h.Recording, Reason: h.Reason, PlacedAt: h.PlacedAt, PlacedBy: h.PlacedBy,
	}), "hold")
}

func (r holds) Release(ctx context.Context, recording uuid.UUID) error {
	n, err := q.HoldDelete(ctx, r.c, recording)
	if err == nil && n == 0 {
		return fault.New(fault.NotFound, "hold")
	}
	return translate(err, "hold")
}

func (r holds) List(ctx context.Context) ([]ports.Hold, error) {
	rows, err := q.HoldList(ctx, r.c)
	if err != nil {
		return nil, translate(err, "hold")
	}
	out := make([]ports.Hold, len(rows))
	for i, row := range rows {
		out[i] = ports.Hold{Recording: row.RecordingID, Reason: row.Reason, PlacedAt: row.PlacedAt, PlacedBy: row.PlacedBy}
	}
	return out, nil
}

func (r holds) Among(ctx context.Context, recordings ...uuid.UUID) ([]uuid.UUID, error) {
	held, err := q.HoldAmong(ctx, r.c, recordings)
	return held, translate(err, "hold")
}
