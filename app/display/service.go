package display

import (
	"context"
	"errors"
	"reflect"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// Service shows what is true of rooms.
type Service struct {
	Store      ports.Store
	Conference ports.Conference
}

// Room shows access level and configuration of a room. One that is deleted or not
// open has nobody to tell.
func (s *Service) Room(ctx context.Context, id uuid.UUID) error { return s.show(ctx, id, settings) }

// Recording shows how far the newest recording of a room is; see Room.
func (s *Service) Recording(ctx context.Context, id uuid.UUID) error {
	return s.show(ctx, id, progress)
}

// What is shown has two parts.
const (
	settings = iota
	progress
	parts
)

// state is what is to be shown now; a key that is missing stays as it is, and nil is
// shown by its absence.
type state struct {
	shown    [parts]map[string]any
	recorded bool // there is a recording of the room
}

// show shows one part. Of the other one it writes what changed meanwhile, and what it
// would bring back of a recording: who read the metadata before another one wrote
// would undo that.
func (s *Service) show(ctx context.Context, id uuid.UUID, part int) error {
	var before *state
	for {
		now, err := s.state(ctx, id)
		if err != nil {
			return fault.IgnoreMissing(err)
		}
		if before != nil && reflect.DeepEqual(*before, now) {
			return nil
		}
		err = s.Conference.ChangeMetadata(ctx, id.String(), func(metadata map[string]any) {
			for i, values := range now.shown {
				changed := before != nil && !reflect.DeepEqual(before.shown[i], values)
				if i == part || changed || i == progress && now.recorded && metadata[recordingStatus] != nil {
					write(metadata, values)
				}
			}
		})
		if err != nil {
			return fault.IgnoreMissing(err)
		}
		before = &now
	}
}

func write(metadata, values map[string]any) {
	for key, value := range values {
		if value == nil {
			delete(metadata, key)
		} else {
			metadata[key] = value
		}
	}
}

// state reads what is to be shown. fault.NotFound when there is no such room.
func (s *Service) state(ctx context.Context, id uuid.UUID) (state, error) {
	rm, err := s.Store.Repos().Rooms.Get(ctx, id)
	if err != nil {
		return state{}, err
	}
	rec, err := s.Store.Repos().Recordings.LatestOf(ctx, id)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return state{}, err
	}
	return state{recorded: rec != nil, shown: [parts]map[string]any{
		settings: {"access_level": rm.AccessLevel, "configuration": rm.Configuration},
		progress: recorded(rec),
	}}, nil
}

const (
	recordingMode   = "recording_mode"
	recordingStatus = "recording_status"
)

// recorded is what is to be seen of a recording; nil: there is none.
func recorded(rec *recording.Recording) map[string]any {
	switch {
	case rec == nil, rec.Egress().Ended(), !rec.Status().Open() && rec.Status() != recording.Stopped && !rec.Unsure():
		return map[string]any{recordingMode: nil, recordingStatus: nil}
	case rec.Egress() == recording.EgressEnding:
		return map[string]any{recordingStatus: "saving"}
	case rec.Egress() == recording.EgressActive:
		return map[string]any{recordingMode: rec.ShownMode(), recordingStatus: "started"}
	}
	return map[string]any{recordingMode: rec.ShownMode(), recordingStatus: "starting"}
}
