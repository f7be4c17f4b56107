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

// manyRows is from how many rows of one person on sorting all of them takes longer
// than it should.
const manyRows = 1000

// walk says how many of all rows to walk at most, in the order of a list, to fill
// the page at offset of somebody who has count of about total. Zero: look up and
// sort his own instead. Both give the same page, and a row costs about the same in
// both. So walking is worth it when it ends early: at the beginning of a long list,
// for somebody who has a good share of all. His rows may lie elsewhere than
// expected, all of them at the end perhaps, so walking is given up when it has
// taken half of what sorting takes.
func walk(count, total int64, offset, limit int) int32 {
	expected := float64(offset+limit) * float64(total) / float64(count)
	if most := count / 2; count >= manyRows && expected <= float64(most) {
		return int32(most) //nolint:gosec // nobody has that many
	}
	return 0
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
	n, err := q.RecordingCount(ctx, r.c, db.RecordingCountParams{UserID: u.ID, Teams: teams})
	if err != nil {
		return nil, 0, translate(err, "recording")
	}
	count := int(n.Held)
	if limit == 0 || offset >= count {
		return nil, count, nil
	}
	most, skip := int32(limit), int32(offset) //nolint:gosec // the caller has checked the page
	var rows []db.RecordingPageRow
	if among := walk(n.Held, n.Total, offset, limit); among > 0 {
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
