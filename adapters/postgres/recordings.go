package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/recording"
	"meetd/domain/user"
)

type recordings struct{ c conn }

func (r recordings) Create(ctx context.Context, rec *recording.Recording, owner, accessID uuid.UUID) error {
	options, err := json.Marshal(rec.Options)
	if err != nil {
		return fmt.Errorf("recording options: %w", err)
	}
	err = pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		if err := q.RecordingInsert(ctx, tx, db.RecordingInsertParams{
			ID: rec.ID, CreatedAt: rec.CreatedAt, UpdatedAt: rec.UpdatedAt, Status: string(rec.Status()),
			RoomID: rec.RoomID, Mode: string(rec.Mode), Options: options,
		}); err != nil {
			return err
		}
		return q.RecordingAccessInsert(ctx, tx, db.RecordingAccessInsertParams{
			ID: accessID, CreatedAt: rec.CreatedAt, Role: string(access.Owner), RecordingID: rec.ID, UserID: &owner,
		})
	})
	return translate(err, "recording")
}

func (r recordings) Get(ctx context.Context, id uuid.UUID) (*recording.Recording, error) {
	row, err := q.RecordingGet(ctx, r.c, id)
	return toRecording(row, err)
}

func (r recordings) Lock(ctx context.Context, ids ...uuid.UUID) (map[uuid.UUID]*recording.Recording, error) {
	rows, err := q.RecordingsLock(ctx, r.c, ids)
	if err != nil {
		return nil, translate(err, "recording")
	}
	out := make(map[uuid.UUID]*recording.Recording, len(rows))
	for _, row := range rows {
		rec, err := toRecording(db.RecordingGetRow(row), nil)
		if err != nil {
			return nil, err
		}
		out[rec.ID] = rec
	}
	return out, nil
}

// Save writes two statements at most, however many recordings there are.
func (r recordings) Save(ctx context.Context, now time.Time, changed ...*recording.Recording) error {
	var rows db.RecordingsSetParams
	states := db.RecordingStatesSetParams{Now: now}
	for _, rec := range changed {
		was, is := rec.Stored(), rec.State()
		if is.Status != was.Status || is.WorkerID != was.WorkerID || is.Process != was.Process {
			rec.UpdatedAt = now
		}
		if is.Egress != was.Egress || is.Unsure != was.Unsure {
			states.Ids = append(states.Ids, rec.ID)
			states.Egresses = append(states.Egresses, string(is.Egress))
			states.Unsures = append(states.Unsures, is.Unsure)
		}
		options, err := json.Marshal(rec.Options)
		if err != nil {
			return fmt.Errorf("recording options: %w", err)
		}
		rows.Ids = append(rows.Ids, rec.ID)
		rows.Statuses = append(rows.Statuses, string(is.Status))
		rows.Workers = append(rows.Workers, is.WorkerID)
		rows.Processes = append(rows.Processes, is.Process)
		rows.Options = append(rows.Options, string(options))
		rows.UpdatedAts = append(rows.UpdatedAts, rec.UpdatedAt)
	}
	if len(rows.Ids) > 0 {
		if err := q.RecordingsSet(ctx, later(r.c), rows); err != nil {
			return translate(err, "recording")
		}
	}
	if len(states.Ids) > 0 {
		return translate(q.RecordingStatesSet(ctx, later(r.c), states), "recording")
	}
	return nil
}

func (r recordings) ByProcess(ctx context.Context, job string) (uuid.UUID, error) {
	id, err := q.RecordingIDByProcess(ctx, r.c, job)
	return id, translate(err, "recording")
}

func (r recordings) ByWorker(ctx context.Context, workerID string) (uuid.UUID, error) {
	id, err := q.RecordingIDByWorker(ctx, r.c, workerID)
	return id, translate(err, "recording")
}

func (r recordings) ActiveOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error) {
	row, err := q.RecordingActiveOfRoom(ctx, r.c, room)
	return toRecording(db.RecordingGetRow(row), err)
}

func (r recordings) LatestOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error) {
	row, err := q.RecordingLatestOfRoom(ctx, r.c, room)
	return toRecording(db.RecordingGetRow(row), err)
}

func (r recordings) Owners(ctx context.Context, id uuid.UUID) ([]*user.User, error) {
	rows, err := q.RecordingOwners(ctx, r.c, id)
	if err != nil {
		return nil, translate(err, "recording")
	}
	out := make([]*user.User, len(rows))
	for i, row := range rows {
		out[i] = toUser(row.MeetUser)
	}
	return out, nil
}

func (r recordings) GivenUp(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	found, err := q.RecordingsGivenUp(ctx, r.c, ids)
	return found, translate(err, "recording")
}

func (r recordings) Unfinished(ctx context.Context, before, now time.Time, after *recording.Recording, page int) ([]*recording.Recording, error) {
	arg := db.RecordingsUnfinishedParams{Before: before, Now: &now, Page: int32(page)} //nolint:gosec // a page is small
	if after != nil {
		arg.AfterCreated, arg.AfterID = after.CreatedAt, after.ID
	}
	rows, err := q.RecordingsUnfinished(ctx, r.c, arg)
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

func (r recordings) LookAgain(ctx context.Context, id uuid.UUID, now time.Time, pause, longest time.Duration) error {
	return translate(q.RecordingLookAgain(ctx, r.c, db.RecordingLookAgainParams{
		ID: id, Now: now, Pause: pause.Seconds(), Longest: longest.Seconds(),
	}), "recording")
}

func toRecording(row db.RecordingGetRow, err error) (*recording.Recording, error) {
	if err != nil {
		return nil, translate(err, "recording")
	}
	r := row.MeetRecording
	rec := recording.Recording{
		ID: r.ID, RoomID: r.RoomID, Mode: recording.Mode(r.Mode), CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	if err := json.Unmarshal(r.Options, &rec.Options); err != nil {
		return nil, fmt.Errorf("options of recording %s: %w", r.ID, err)
	}
	return recording.Restore(rec, recording.State{
		Status: recording.Status(r.Status), WorkerID: orEmpty(r.WorkerID), Process: orEmpty(r.ExternalProcessID),
		Egress: recording.EgressStatus(orEmpty(row.Egress)), Unsure: row.Unsure != nil && *row.Unsure,
	}), nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
