package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/recording"
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
	return toRecording(row.MeetRecording, row.Egress, err)
}

func (r recordings) Update(ctx context.Context, id uuid.UUID, now time.Time, fn func(*recording.Recording) error) (*recording.Recording, error) {
	var rec *recording.Recording
	err := pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		row, err := q.RecordingGetForUpdate(ctx, tx, id)
		if rec, err = toRecording(row.MeetRecording, row.Egress, err); err != nil {
			return err
		}
		status, worker, egress, options := rec.Status(), rec.WorkerID(), rec.Egress(), rec.Options
		if err := fn(rec); err != nil {
			return err
		}
		if rec.Egress() != egress {
			if err := q.RecordingStateSet(ctx, tx, db.RecordingStateSetParams{
				RecordingID: id, Egress: string(rec.Egress()), UpdatedAt: now,
			}); err != nil {
				return err
			}
		}
		if !reflect.DeepEqual(rec.Options, options) {
			if err := setOptions(ctx, tx, rec); err != nil {
				return err
			}
		}
		if rec.Status() == status && rec.WorkerID() == worker {
			return nil
		}
		rec.UpdatedAt = now
		return q.RecordingSetStatus(ctx, tx, db.RecordingSetStatusParams{
			ID: id, Status: string(rec.Status()), WorkerID: orNil(rec.WorkerID()), UpdatedAt: now,
		})
	})
	if err != nil {
		return nil, translate(err, "recording")
	}
	return rec, nil
}

// setOptions stores the options, and nothing else.
func setOptions(ctx context.Context, tx pgx.Tx, rec *recording.Recording) error {
	options, err := json.Marshal(rec.Options)
	if err != nil {
		return fmt.Errorf("recording options: %w", err)
	}
	return q.RecordingSetOptions(ctx, tx, db.RecordingSetOptionsParams{ID: rec.ID, Options: options})
}

func (r recordings) ByWorker(ctx context.Context, workerID string) (uuid.UUID, error) {
	id, err := q.RecordingIDByWorker(ctx, r.c, workerID)
	return id, translate(err, "recording")
}

func (r recordings) ActiveOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error) {
	row, err := q.RecordingActiveOfRoom(ctx, r.c, room)
	return toRecording(row.MeetRecording, row.Egress, err)
}

func (r recordings) LatestOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error) {
	row, err := q.RecordingLatestOfRoom(ctx, r.c, room)
	return toRecording(row.MeetRecording, row.Egress, err)
}

func (r recordings) Role(ctx context.Context, id, user uuid.UUID) (access.Role, error) {
	role, err := q.RecordingRole(ctx, r.c, db.RecordingRoleParams{RecordingID: id, UserID: user})
	return toRole(role, err)
}

func (r recordings) Unfinished(ctx context.Context, before time.Time, after *recording.Recording, page int) ([]*recording.Recording, error) {
	arg := db.RecordingsUnfinishedParams{Before: before, Page: int32(page)} //nolint:gosec // a page is small
	if after != nil {
		arg.AfterCreated, arg.AfterID = after.CreatedAt, after.ID
	}
	rows, err := q.RecordingsUnfinished(ctx, r.c, arg)
	if err != nil {
		return nil, translate(err, "recording")
	}
	out := make([]*recording.Recording, len(rows))
	for i, row := range rows {
		if out[i], err = toRecording(row.MeetRecording, row.Egress, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func toRecording(row db.MeetRecording, egress *string, err error) (*recording.Recording, error) {
	if err != nil {
		return nil, translate(err, "recording")
	}
	rec := recording.Recording{
		ID: row.ID, RoomID: row.RoomID, Mode: recording.Mode(row.Mode), CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
	if err := json.Unmarshal(row.Options, &rec.Options); err != nil {
		return nil, fmt.Errorf("options of recording %s: %w", row.ID, err)
	}
	return recording.Restore(rec, recording.Status(row.Status), orEmpty(row.WorkerID), recording.EgressStatus(orEmpty(egress))), nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
