package recordings

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

const (
	// page is how many recordings are looked at in one query.
	page = 500
	// sideBySide is how many of them are decided at the same time.
	sideBySide = 16
	// longestPause is between two looks at a recording that cannot be decided.
	longestPause = time.Hour
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
	var wg sync.WaitGroup
	var settled error
	// Side by side: many events may wait for a store that does not answer.
	wg.Go(func() { settled = guarded(func() error { return s.settleAll(ctx) }) })
	finished := s.finishAll(ctx)
	wg.Wait()
	return errors.Join(settled, finished)
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

// world is what LiveKit says of all that it has.
type world struct {
	asked    bool // it answered
	byWorker map[string]ports.Egress
	byFile   map[string]ports.Egress
}

// survey asks LiveKit once for everything. That it does not answer is no reason
// not to look at the bucket.
func (s *Service) survey(ctx context.Context) (world, error) {
	list, err := s.Recorder.List(ctx)
	if err != nil {
		return world{}, err
	}
	w := world{asked: true, byWorker: make(map[string]ports.Egress, len(list)), byFile: make(map[string]ports.Egress, len(list))}
	for _, e := range list {
		w.byWorker[e.ID] = e
		for _, f := range e.Files {
			w.byFile[f] = e
		}
	}
	return w, nil
}

// finishAll decides the recordings that have been silent for a while, and ends
// egresses that nobody wants.
func (s *Service) finishAll(ctx context.Context) error {
	now := s.Now() // what begins after this is not in the survey
	w, err := s.survey(ctx)
	errs := []error{err, s.stopAbandoned(ctx, slices.Collect(maps.Values(w.byWorker))...)}
	var last *recording.Recording
	for {
		list, err := s.Store.Repos().Recordings.Unfinished(ctx, now.Add(-s.Config.Patience), now, last, page)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, s.finishPage(ctx, w, list))
		if len(list) < page {
			return errors.Join(errs...)
		}
		last = list[len(list)-1]
	}
}

// finishPage decides some recordings side by side: most of the time goes into
// waiting for the store.
func (s *Service) finishPage(ctx context.Context, w world, list []*recording.Recording) error {
	open, roomsErr := map[string]bool{}, error(nil)
	if w.asked && len(list) > 0 {
		rooms := make([]string, len(list))
		for i, rec := range list {
			rooms[i] = rec.RoomID.String()
		}
		slices.Sort(rooms)
		open, roomsErr = s.Rooms.Among(ctx, slices.Compact(rooms))
	}
	work := make(chan *recording.Recording)
	errs := make([]error, sideBySide)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for rec := range work {
				errs[i] = errors.Join(errs[i], guarded(func() error {
					found := w.of(rec, rec.Key(s.Config.Folder))
					found.RoomOpen = (roomsErr != nil || open[rec.RoomID.String()]) && !rec.Overdue(s.Now())
					return s.finish(ctx, rec, found)
				}))
			}
		})
	}
	for _, rec := range list {
		work <- rec
	}
	close(work)
	wg.Wait()
	return errors.Join(append(errs, roomsErr)...)
}

// guarded makes an error of a panic, which would end the program in a goroutine that
// nobody else watches over.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}

// of is what LiveKit says of one recording, whose egress may not have been
// written down.
func (w world) of(rec *recording.Recording, key string) recording.Evidence {
	e, ok := w.byWorker[rec.State().WorkerID]
	if rec.WorkerID() == "" {
		e, ok = w.byFile[key]
	}
	if !ok {
		return recording.Evidence{Asked: w.asked}
	}
	return recording.Evidence{Asked: true, Egress: e.Status, WorkerID: e.ID, Elsewhere: e.Elsewhere}
}

// finish decides one recording, or leaves it for later.
func (s *Service) finish(ctx context.Context, rec *recording.Recording, found recording.Evidence) error {
	if !found.NeedsObject() && found.Egress == rec.Egress() && rec.Status() != recording.Initiated {
		return nil // it goes on, as we know
	}
	var lookErr error
	switch {
	case !found.NeedsObject():
	case !s.Config.VerifyObject:
		found.Object = recording.Unreadable
	default:
		if found.Object, lookErr = s.look(ctx, rec); found.Object == recording.Absent {
			lookErr = nil
		}
	}
	if found.Object == recording.NotLooked && !found.Asked {
		return lookErr
	}
	undecided := false
	seen, heard := rec.UpdatedAt, rec.Egress()
	rec, err := s.together(ctx, rec.ID, func(r *recording.Recording) error {
		if !r.UpdatedAt.Equal(seen) || r.Egress() != heard { // somebody else was faster
			return nil
		}
		undecided = r.Conclude(found, s.Now())
		return nil
	})
	switch {
	case errors.Is(err, fault.NotFound): // deleted meanwhile
		return lookErr
	case err == nil && undecided && !rec.Changed() && found.Object != recording.NotLooked:
		err = s.Store.Repos().Recordings.LookAgain(ctx, rec.ID, s.Now(), s.Config.Patience, longestPause)
	}
	return errors.Join(lookErr, err)
}
