package recordings

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
)

// Show writes into the metadata of the LiveKit room how far its newest
// recording is; participants' clients read it there (livekit.md §5). A room
// that is not open has nobody to tell. What was written is looked at once more:
// another one that came later may have been faster.
func (s *Service) Show(ctx context.Context, roomID uuid.UUID) error {
	var written *shown
	for {
		now, err := s.toShow(ctx, roomID)
		if err != nil || written != nil && *written == now {
			return err
		}
		set, remove := now.metadata()
		if err := s.Conference.MergeMetadata(ctx, roomID.String(), set, remove); err != nil {
			return fault.IgnoreMissing(err)
		}
		written = &now
	}
}

// shown is what participants see of a recording.
type shown struct {
	mode   string // empty: as it is
	status string // empty: there is nothing to see
}

// toShow is what is to be seen now.
func (s *Service) toShow(ctx context.Context, roomID uuid.UUID) (shown, error) {
	rec, err := s.Store.Repos().Recordings.LatestOf(ctx, roomID)
	switch {
	case errors.Is(err, fault.NotFound): // what there was is deleted
		return shown{}, nil
	case err != nil:
		return shown{}, err
	case rec.Egress().Ended(), !rec.Status().Open() && rec.Status() != recording.Stopped && !rec.Unsure():
		return shown{}, nil
	case rec.Egress() == recording.EgressEnding:
		return shown{status: "saving"}, nil
	case rec.Egress() == recording.EgressActive:
		return shown{rec.ShownMode(), "started"}, nil
	}
	return shown{rec.ShownMode(), "starting"}, nil
}

// metadata is how a room's metadata has to change to show it.
func (w shown) metadata() (set map[string]any, remove []string) {
	const mode, status = "recording_mode", "recording_status"
	switch {
	case w.status == "":
		return nil, []string{mode, status}
	case w.mode == "":
		return map[string]any{status: w.status}, nil
	}
	return map[string]any{mode: w.mode, status: w.status}, nil
}

// AnnounceLimit tells the participants that the recording reached the longest
// that it may be (livekit.md §5). In a room that is not open nobody is told.
func (s *Service) AnnounceLimit(ctx context.Context, id uuid.UUID) error {
	rec, err := s.Store.Repos().Recordings.Get(ctx, id)
	if err != nil {
		return fault.IgnoreMissing(err)
	}
	message := `{"type": "screenRecordingLimitReached"}`
	if rec.Mode == recording.Transcript {
		message = `{"type": "transcriptionLimitReached"}`
	}
	return fault.IgnoreMissing(s.Calls.Call(ctx, rec.RoomID.String(), []byte(message)))
}
