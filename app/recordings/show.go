package recordings

import (
	"context"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
)

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
