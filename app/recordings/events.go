package recordings

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// egressFact is what is kept of an egress event.
type egressFact struct {
	Status    recording.EgressStatus
	Elsewhere bool
}

// maxName is how long the names of egresses and jobs may be that are stored with
// recordings, in characters (database.md).
const maxName = 255

// storable reports whether an egress or a job of this name could be one of ours.
func storable(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= maxName && !strings.ContainsRune(name, 0)
}

// EgressEvent takes what LiveKit says of an egress, in the event with this id. An
// egress that nobody here asked for is no error: the sender could do nothing about
// it.
func (s *Service) EgressEvent(ctx context.Context, eventID string, e ports.Egress) error {
	if !storable(e.ID) {
		return nil
	}
	said := egressFact{e.Status, e.Elsewhere}
	kept, err := ports.Kept(ports.FromLiveKit, e.ID, cmp.Or(eventID, string(e.Status)), said)
	if err != nil {
		return err
	}
	id, err := s.Store.Repos().Recordings.ByWorker(ctx, e.ID)
	if err == nil {
		return s.observe(ctx, id, kept, said)
	} else if !errors.Is(err, fault.NotFound) {
		return err
	}
	// The start may not be committed yet, or never will be: it may have failed
	// half-way. The event waits for it, and settle looks a second time because
	// the commit may have happened since.
	if err := s.keep(ctx, kept); err != nil {
		return err
	}
	if err := s.settle(ctx, ports.FromLiveKit, e.ID); err != nil {
		return err
	}
	if err := s.stopAbandoned(ctx, e); err != nil { // Reconcile finds it too
		s.Log.WarnContext(ctx, "an egress that nobody wants could not be stopped yet", "egress", e.ID, "error", err)
	}
	return nil
}

// stopAbandoned ends egresses that run for recordings which gave them up, as after
// a start that timed out here but not there, or one that was given up by hand before
// its egress was known: nobody may be recorded without knowing.
func (s *Service) stopAbandoned(ctx context.Context, running ...ports.Egress) error {
	egresses := map[uuid.UUID]string{} // by recording
	for _, e := range running {
		for _, file := range e.Files {
			if addr, ok := recording.ParseKey(s.Config.Folder, file); ok && e.Status == recording.EgressActive {
				egresses[addr.ID] = e.ID
			}
		}
	}
	if len(egresses) == 0 {
		return nil
	}
	abandoned, err := s.Store.Repos().Recordings.GivenUp(ctx, slices.Collect(maps.Keys(egresses)))
	for _, id := range abandoned {
		s.Log.WarnContext(ctx, "stopping an egress whose recording was given up", "recording", id, "egress", egresses[id])
		err = errors.Join(err, s.StopEgress(ctx, egresses[id]))
	}
	return err
}

// observe applies what LiveKit says of the egress of a recording.
func (s *Service) observe(ctx context.Context, id uuid.UUID, e ports.KeptEvent, said egressFact) error {
	rec, err := s.take(ctx, e, id, func(r *recording.Recording) error {
		r.Observe(said.Status)
		return nil
	})
	if err != nil {
		return err
	}
	if s.Config.StorageEvents || !said.Status.Produced() || said.Elsewhere || !rec.Savable() {
		return nil
	}
	_, err = s.complete(ctx, id, e)
	if errors.Is(err, fault.Forbidden) { // somebody else was faster
		return nil
	}
	return err
}

// keep writes an event down until it can be applied.
func (s *Service) keep(ctx context.Context, e ports.KeptEvent) error {
	return s.Store.Repos().Events.Keep(ctx, s.Now(), false, e)
}

// processFact is what is kept of a call of the summary service.
type processFact struct{ Succeeded bool }

// ProcessEvent takes how a job of the summary service ended. Everything but the
// end of a transcript, and a job that nobody here asked for, is no error: the
// sender could do nothing about it (recording.md §6).
func (s *Service) ProcessEvent(ctx context.Context, job, kind, status string) error {
	if kind != "transcript" || status != "success" && status != "failure" || !storable(job) {
		return nil
	}
	said := processFact{Succeeded: status == "success"}
	kept, err := ports.Kept(ports.FromSummary, job, status, said)
	if err != nil {
		return err
	}
	id, err := s.Store.Repos().Recordings.ByProcess(ctx, job)
	if errors.Is(err, fault.NotFound) { // the answer that named the job may not be committed yet
		if err := s.keep(ctx, kept); err != nil {
			return err
		}
		return s.settle(ctx, ports.FromSummary, job)
	} else if err != nil {
		return err
	}
	return s.endProcess(ctx, id, kept, said)
}

func (s *Service) endProcess(ctx context.Context, id uuid.UUID, e ports.KeptEvent, said processFact) error {
	_, err := s.take(ctx, e, id, func(r *recording.Recording) error {
		r.EndProcess(said.Succeeded)
		return nil
	})
	return err
}

// settle applies what is kept for a subject, as far as it can be applied now.
func (s *Service) settle(ctx context.Context, source ports.EventSource, subject string) error {
	repos := s.Store.Repos()
	events, err := repos.Events.Waiting(ctx, source, subject)
	if err != nil || len(events) == 0 {
		return err
	}
	var id uuid.UUID
	switch source {
	case ports.FromLiveKit:
		id, err = repos.Recordings.ByWorker(ctx, subject)
	case ports.FromSummary:
		id, err = repos.Recordings.ByProcess(ctx, subject)
	case ports.FromStorage:
		id, err = uuid.Parse(subject)
	}
	if err != nil {
		return fault.IgnoreMissing(err)
	}
	for _, e := range events {
		done, err := s.settleOne(ctx, id, e)
		if err != nil {
			return err
		}
		if done {
			if err := repos.Events.Applied(ctx, e, s.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleOne applies one kept event. It reports whether the event is of no more
// use.
func (s *Service) settleOne(ctx context.Context, id uuid.UUID, e ports.KeptEvent) (done bool, err error) {
	switch e.Source {
	case ports.FromLiveKit:
		var said egressFact
		if err := json.Unmarshal(e.Payload, &said); err != nil {
			return false, fmt.Errorf("kept event %s: %w", e.ID, err)
		}
		return true, s.observe(ctx, id, e, said)
	case ports.FromSummary:
		var said processFact
		if err := json.Unmarshal(e.Payload, &said); err != nil {
			return false, fmt.Errorf("kept event %s: %w", e.ID, err)
		}
		return true, s.endProcess(ctx, id, e, said)
	case ports.FromStorage:
	}
	return s.settleStorage(ctx, id, e)
}
