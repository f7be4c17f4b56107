package recordings

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"meetd/domain/recording"
	"meetd/ports"
)

// tiding is what became of a recording.
type tiding struct {
	rec    *recording.Recording
	kind   ports.AnnouncementType
	reason string // empty: none is known
}

// tidingBody is what other programs read (docs/events.md). It holds no personal
// data, and what is in it may be added to but never changed.
type tidingBody struct {
	ID        uuid.UUID              `json:"id"`
	Type      ports.AnnouncementType `json:"type"`
	Timestamp time.Time              `json:"timestamp"`
	Recording tidingRecording        `json:"recording"`
	Reason    string                 `json:"reason,omitempty"`
}

type tidingRecording struct {
	ID        uuid.UUID        `json:"id"`
	Room      tidingRoom       `json:"room"`
	Mode      recording.Mode   `json:"mode"`
	Status    recording.Status `json:"status"`
	CreatedAt time.Time        `json:"created_at"`
	Key       string           `json:"key"`
}

type tidingRoom struct {
	ID   uuid.UUID `json:"id"`
	Slug string    `json:"slug"`
}

// announceEnds tells of those recordings that were saved or have failed since they
// were restored.
func (s *Service) announceEnds(ctx context.Context, r ports.Repos, at time.Time, changed ...*recording.Recording) error {
	if !s.Config.Announce {
		return nil
	}
	var list []tiding
	for _, rec := range changed {
		was, is := rec.Stored(), rec.State()
		switch {
		case is.Status == recording.Saved && was.Status != recording.Saved:
			list = append(list, tiding{rec: rec, kind: ports.RecordingSaved})
		case is.Failed() && !was.Failed():
			list = append(list, tiding{rec, ports.RecordingFailed, failure(is)})
		}
	}
	return s.announce(ctx, r, at, list)
}

// announceDeleted tells of recordings that are deleted in this transaction. Their
// rooms must still be there.
func (s *Service) announceDeleted(ctx context.Context, r ports.Repos, at time.Time, reason string, gone ...*recording.Recording) error {
	if !s.Config.Announce {
		return nil
	}
	list := make([]tiding, len(gone))
	for i, rec := range gone {
		list[i] = tiding{rec, ports.RecordingDeleted, reason}
	}
	return s.announce(ctx, r, at, list)
}

// failure says why there is no file, as far as it is known.
func failure(is recording.State) string {
	switch {
	case is.Egress == recording.EgressFailed:
		return "egress_failed"
	case is.Egress == recording.EgressAborted:
		return "egress_aborted"
	case is.Status == recording.FailedToStart:
		return "not_started"
	}
	return "no_file"
}

// announce writes down what is to be told, and has it told.
func (s *Service) announce(ctx context.Context, r ports.Repos, at time.Time, list []tiding) error {
	if len(list) == 0 {
		return nil
	}
	rooms := make([]uuid.UUID, len(list))
	for i, t := range list {
		rooms[i] = t.rec.RoomID
	}
	slugs, err := r.Rooms.Slugs(ctx, rooms...)
	if err != nil {
		return err
	}
	out := make([]ports.Announcement, len(list))
	events := make([]uuid.UUID, len(list))
	for i, t := range list {
		events[i] = s.NewID()
		body, err := json.Marshal(tidingBody{
			ID: events[i], Type: t.kind, Timestamp: wireTime(at), Reason: t.reason,
			Recording: tidingRecording{
				ID: t.rec.ID, Room: tidingRoom{t.rec.RoomID, slugs[t.rec.RoomID]}, Mode: t.rec.Mode,
				Status: t.rec.Status(), CreatedAt: wireTime(t.rec.CreatedAt), Key: t.rec.Key(s.Config.Folder),
			},
		})
		if err != nil {
			return fmt.Errorf("announce recording %s: %w", t.rec.ID, err)
		}
		out[i] = ports.Announcement{Event: events[i], Type: t.kind, Recording: t.rec.ID, Body: body}
	}
	if err := r.Announcements.Add(ctx, at, out...); err != nil {
		return err
	}
	return r.Jobs.Deliver(ctx, events...)
}

// wireTime is UTC with as many digits as the database keeps.
func wireTime(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }
