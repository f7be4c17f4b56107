package recordings

import (
	"context"
	"errors"
	"slices"
	"time"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

const (
	// page is how many recordings are looked at in one query.
	page = 100
	// waitingAtMost is how many kept events are tried again in one go, the
	// newest first: an old one waits for something that will not come.
	waitingAtMost = 1000
	// memory is how long kept events stay: past it LiveKit has forgotten the
	// egress and no store sends an event again.
	memory = 7 * 24 * time.Hour
)

// Reconcile brings recordings to their end of which nobody reported it: the
// process died between two steps, or an event was lost. It asks LiveKit and the
// bucket. A recording it cannot decide stays for the next time; the errors are
// returned together.
func (s *Service) Reconcile(ctx context.Context) error {
	return errors.Join(s.settleAll(ctx), s.finishAll(ctx))
}

func (s *Service) settleAll(ctx context.Context) error {
	now := s.Now()
	events := s.Store.Repos().Events
	waiting, err := events.Subjects(ctx, now.Add(-memory), waitingAtMost)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range waiting {
		errs = append(errs, s.settle(ctx, e.Source, e.Subject))
	}
	_, err = events.DeleteOld(ctx, now.Add(-memory))
	return errors.Join(append(errs, err)...)
}

func (s *Service) finishAll(ctx context.Context) error {
	var errs []error
	var last *recording.Recording
	for {
		list, err := s.Store.Repos().Recordings.Unfinished(ctx, s.Now().Add(-s.Config.Patience), last, page)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, rec := range list {
			errs = append(errs, s.finish(ctx, rec))
		}
		if len(list) < page {
			return errors.Join(errs...)
		}
		last = list[len(list)-1]
	}
}

// finish decides one recording that has been silent for a while.
func (s *Service) finish(ctx context.Context, rec *recording.Recording) error {
	egresses, err := s.Recorder.OfRoom(ctx, rec.RoomID.String())
	if err != nil {
		return err
	}
	key := rec.Key(s.Config.Folder)
	at := slices.IndexFunc(egresses, func(e ports.Egress) bool {
		return e.ID == rec.WorkerID() || (rec.WorkerID() == "" && slices.Contains(e.Files, key))
	})
	switch {
	case at < 0 && rec.Status() == recording.Initiated:
		_, err := s.change(ctx, rec.ID, (*recording.Recording).FailStart)
		return ignoreConflict(err)
	case at < 0:
		return s.finishByObject(ctx, rec)
	}
	e := egresses[at]
	if rec.Status() == recording.Initiated {
		if err := s.begin(ctx, rec.ID, e.ID); err != nil {
			return ignoreConflict(err)
		}
	}
	if err := s.observe(ctx, rec.ID, egressFact{e.Status, e.Elsewhere}); err != nil {
		return err
	}
	switch {
	case !e.Status.Ended():
		return nil
	case e.Elsewhere:
		return s.awaitObject(ctx, rec)
	case e.Status.Produced() && !s.Config.VerifyObject: // LiveKit's word is all there is
		_, err := s.complete(ctx, rec)
		if errors.Is(err, fault.Forbidden) {
			return nil
		}
		return err
	}
	return s.finishByObject(ctx, rec)
}

// awaitObject frees the room of a recording whose file went to LiveKit's backup
// storage. It is saved when somebody has brought the file into the bucket.
func (s *Service) awaitObject(ctx context.Context, rec *recording.Recording) error {
	_, err := s.change(ctx, rec.ID, func(r *recording.Recording) error {
		if r.Status() == recording.Active {
			return r.Stop()
		}
		return nil
	})
	if err != nil || !rec.Status().Savable() {
		return err
	}
	object, err := s.Objects.Stat(ctx, rec.Key(s.Config.Folder))
	if err != nil || object.Size == 0 {
		return fault.IgnoreMissing(err)
	}
	_, err = s.change(ctx, rec.ID, func(r *recording.Recording) error {
		if !r.Status().Savable() {
			return nil
		}
		return r.Save()
	})
	return err
}

// finishByObject decides a recording whose egress is over or forgotten: the
// file is there, or it will never be. A store that cannot be read has none.
func (s *Service) finishByObject(ctx context.Context, rec *recording.Recording) error {
	found := false
	if s.Config.VerifyObject {
		object, err := s.Objects.Stat(ctx, rec.Key(s.Config.Folder))
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		found = err == nil && object.Size > 0
	}
	_, err := s.change(ctx, rec.ID, func(r *recording.Recording) error {
		switch {
		case !r.Status().Savable():
			return nil
		case found:
			return r.Save()
		}
		return r.Abort()
	})
	return err
}

// ignoreConflict takes a lost race for success: somebody else decided.
func ignoreConflict(err error) error {
	if errors.Is(err, fault.Conflict) {
		return nil
	}
	return err
}
