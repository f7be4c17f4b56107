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
// that is not open has nobody to tell.
func (s *Service) Show(ctx context.Context, roomID uuid.UUID) error {
	rec, err := s.Store.Repos().Recordings.LatestOf(ctx, roomID)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	var set map[string]any
	var remove []string
	switch {
	case err != nil: // what there was is deleted
		remove = []string{"recording_mode", "recording_status"}
	case rec.Egress().Ended(), !rec.Status().Open() && rec.Status() != recording.Stopped:
		remove = []string{"recording_mode", "recording_status"}
	case rec.Egress() == recording.EgressEnding:
		set = map[string]any{"recording_status": "saving"}
	case rec.Egress() == recording.EgressActive:
		set = map[string]any{"recording_mode": rec.ShownMode(), "recording_status": "started"}
	default:
		set = map[string]any{"recording_mode": rec.ShownMode(), "recording_status": "starting"}
	}
	err = s.Conference.MergeMetadata(ctx, roomID.String(), set, remove)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
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
