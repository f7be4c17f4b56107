package recordings

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
)

// Collect brings the agent that writes down who is there and speaks when
// (livekit.md §9) to where the recording is: sent for while it runs, recalled
// when it is over. It never decides anything about the recording.
func (s *Service) Collect(ctx context.Context, id uuid.UUID) error {
	rec, err := s.Store.Repos().Recordings.Get(ctx, id)
	if err != nil {
		return fault.IgnoreMissing(err)
	}
	room := rec.RoomID.String()
	switch {
	case !rec.State().Running() && rec.Collector() != "":
		return fault.IgnoreMissing(s.Agents.Recall(ctx, room, rec.Collector()))
	case !rec.State().Running(), rec.Collector() != "", !s.collects(rec):
		return nil
	}
	agent, err := s.Agents.Dispatch(ctx, s.Config.Collector, room, rec.ID.String())
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what was sent for has to be written down
	rec, err = s.change(ctx, id, func(r *recording.Recording) error {
		if r.Collector() == "" {
			r.CollectedBy(agent)
		}
		return nil
	})
	if err == nil && rec.State().Running() && rec.Collector() == agent {
		return nil
	}
	// It ended meanwhile, somebody else was faster, or nobody would recall it.
	return errors.Join(err, fault.IgnoreMissing(s.Agents.Recall(ctx, room, agent)))
}

// collects reports whether metadata is collected with the recording.
func (s *Service) collects(r *recording.Recording) bool {
	return s.Config.Collector != "" && r.WantsMetadata()
}
