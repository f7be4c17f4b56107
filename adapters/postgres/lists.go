package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/recording"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

const (
	// manyRows is from how many rows of one person on sorting all of them takes
	// longer than it should.
	manyRows = 2000
	// worthWalking is which part of somebody's rows may be walked in vain: so much
	// longer a page takes at worst.
	worthWalking = 4
)

// walk says how many of all rows to walk, in the order of a list, to fill the page
// at offset of somebody who has count of them. Zero: sort his own instead. Both
// give the same page. Walking is worth it at the beginning of a long list: it ends
// as soon as the page is full, which takes few rows when a person has a good share
// of them all. It may not be full in the end, as for somebody whose rows are all
// old; that is why it is bounded by what sorting costs.
func walk(count, offset int) int32 {
	most := count / worthWalking
	if count < manyRows || offset >= most {
		return 0
	}
	return int32(most) //nolint:gosec // nobody has that many
}

func (r recordings) Find(ctx context.Context, id uuid.UUID, u *user.User) (ports.HeldRecording, error) {
	row, err := q.RecordingHeld(ctx, r.c, db.RecordingHeldParams{ID: id, UserID: u.ID, Teams: orNone(u.Teams)})
	if err != nil {
		return ports.HeldRecording{}, translate(err, "recording")
	}
	rec, err := toRecording(db.RecordingGetRow{MeetRecording: row.MeetRecording, Egress: row.Egress, Unsure: row.Unsure}, nil)
	return ports.HeldRecording{
		Recording: rec,
		Room:      ports.RecordedRoom{ID: row.MeetRecording.RoomID, Name: row.Name, Slug: orEmpty(row.Slug), AccessLevel: room.AccessLevel(row.AccessLevel)},
		Role:      access.Higher(access.Role(row.Role), access.Role(row.TeamRole)),
	}, err
}

func (r recordings) List(ctx context.Context, u *user.User, offset, limit int) ([]ports.HeldRecording, int, error) {
	teams := orNone(u.Teams)
	held, err := q.RecordingCount(ctx, r.c, db.RecordingCountParams{UserID: u.ID, Teams: teams})
	if err != nil {
		return nil, 0, translate(err, "recording")
	}
	count := int(held)
	if limit == 0 || offset >= count {
		return nil, count, nil
	}
	most, skip := int32(limit), int32(offset) //nolint:gosec // the caller has checked the page
	var rows []db.RecordingPageRow
	if among := walk(count, offset); among > 0 {
		newest, err := q.RecordingPageOfNewest(ctx, r.c, db.RecordingPageOfNewestParams{
			UserID: u.ID, Teams: teams, Among: among, PageSize: most, Skip: skip,
		})
		if err != nil {
			return nil, 0, translate(err, "recording")
		}
		for _, row := range newest {
			rows = append(rows, db.RecordingPageRow(row))
		}
	}
	if len(rows) < min(limit, count-offset) {
		if rows, err = q.RecordingPage(ctx, r.c, db.RecordingPageParams{UserID: u.ID, Teams: teams, PageSize: most, Skip: skip}); err != nil {
			return nil, 0, translate(err, "recording")
		}
	}
	out := make([]ports.HeldRecording, len(rows))
	for i, row := range rows {
		rec := recording.Recording{
			ID: row.ID, RoomID: row.RoomID, Mode: recording.Mode(row.Mode), CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		}
		if err := json.Unmarshal(row.Options, &rec.Options); err != nil {
			return nil, 0, fmt.Errorf("options of recording %s: %w", row.ID, err)
		}
		out[i] = ports.HeldRecording{
			Recording: recording.Restore(rec, recording.State{Status: recording.Status(row.Status)}),
			Room:      ports.RecordedRoom{ID: row.RoomID, Name: row.Name, Slug: orEmpty(row.Slug), AccessLevel: room.AccessLevel(row.AccessLevel)},
		}
	}
	return out, count, nil
}
