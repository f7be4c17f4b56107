package recordings

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
	"meetd/ports/gather"
)

const (
	// inOneGo is how many share a transaction at most, and lanes how many of these
	// go on at the same time: while one waits for the disk another can work.
	inOneGo = 128
	lanes   = 2
	// pause is how long those are waited for who are on their way: less than what a
	// transaction takes with them.
	pause = time.Millisecond
	// commitPatience is how long such a transaction may take.
	commitPatience = 10 * time.Second
)

// fact is something that happened to a recording.
type fact struct {
	id    uuid.UUID
	apply func(*recording.Recording) error
	event *ports.KeptEvent // who said so, to be written down; nil: we did
	deed  *deed            // what somebody did by it; nil: nobody did anything
	// What came of it.
	rec *recording.Recording
	err error
}

// deed is what somebody did to a recording, for the audit trail.
type deed struct {
	by     uuid.UUID
	action audit.Action
}

// gathering lets events that come at the same time share a transaction.
type gathering struct {
	once sync.Once
	g    *gather.Gatherer[*fact]
}

// take is change for an event. It returns when the event and its effect are
// committed, together with those of others.
func (s *Service) take(ctx context.Context, e ports.KeptEvent, id uuid.UUID, fn func(*recording.Recording) error) (*recording.Recording, error) {
	return s.join(ctx, &fact{id: id, apply: fn, event: &e})
}

// together is change, in a transaction shared with others.
func (s *Service) together(ctx context.Context, id uuid.UUID, fn func(*recording.Recording) error) (*recording.Recording, error) {
	return s.join(ctx, &fact{id: id, apply: fn})
}

func (s *Service) join(ctx context.Context, f *fact) (*recording.Recording, error) {
	s.inbound.once.Do(func() {
		s.inbound.g = gather.New(lanes, inOneGo, pause, func(ctx context.Context, facts []*fact) {
			ctx, cancel := context.WithTimeout(ctx, commitPatience)
			defer cancel()
			s.commitAll(ctx, facts)
		})
	})
	if err := s.inbound.g.Do(ctx, f); err != nil {
		return nil, err
	}
	return f.rec, f.err
}

// change applies fn to a recording and notes what follows from that. fault.NotFound
// for an unknown one; on fn's error nothing is changed.
func (s *Service) change(ctx context.Context, id uuid.UUID, fn func(*recording.Recording) error) (*recording.Recording, error) {
	return s.changeBy(ctx, nil, id, fn)
}

// changeBy is change, for somebody who does something by it.
func (s *Service) changeBy(ctx context.Context, d *deed, id uuid.UUID, fn func(*recording.Recording) error) (*recording.Recording, error) {
	f := &fact{id: id, apply: fn, deed: d}
	if err := s.commit(ctx, []*fact{f}); err != nil {
		return nil, err
	}
	return f.rec, f.err
}

// commitAll commits facts together; if that fails, one by one, so that each gets
// an error of its own only.
func (s *Service) commitAll(ctx context.Context, facts []*fact) {
	err := s.commit(ctx, facts)
	if err == nil {
		return
	}
	for i, f := range facts {
		f.err = err
		if len(facts) > 1 {
			if err := s.commit(ctx, facts[i:i+1]); err != nil {
				f.err = err
			}
		}
	}
}

// commit applies facts, in their order, in one transaction. Its error is for all
// of them; each has its own besides.
func (s *Service) commit(ctx context.Context, facts []*fact) error {
	var states []recording.Status
	err := s.Store.InTx(ctx, func(r ports.Repos) (err error) {
		states, err = s.commitIn(ctx, r, facts)
		return err
	})
	if err == nil {
		s.became(states...)
	}
	return err
}

// starter is who started a recording whose start nobody lived to write down: it
// was his from its beginning.
func starter(ctx context.Context, r ports.Repos, id uuid.UUID) (*deed, error) {
	d := &deed{action: audit.RecordingStarted}
	owners, err := r.Recordings.Owners(ctx, id)
	if len(owners) > 0 {
		d.by = owners[0].ID
	}
	return d, err
}

// noteDeeds writes down who did what.
func noteDeeds(ctx context.Context, r ports.Repos, now time.Time, facts []*fact) error {
	for _, f := range facts {
		if f.deed == nil || f.err != nil || f.deed.action == audit.RecordingStarted && !f.rec.Began() {
			continue
		}
		if err := r.Audit.Record(ctx, audit.Event{
			At: now, Action: f.deed.action, Actor: f.deed.by, Subject: f.id.String(),
			Details: map[string]string{"room": f.rec.RoomID.String(), "mode": string(f.rec.Mode)},
		}); err != nil {
			return err
		}
	}
	return nil
}

// became tells which states recordings got into, after that was committed.
func (s *Service) became(states ...recording.Status) {
	if s.Became == nil {
		return
	}
	for _, state := range states {
		s.Became(state)
	}
}

// commitIn is commit as a part of a transaction; it gives the states that recordings
// get into by it.
func (s *Service) commitIn(ctx context.Context, r ports.Repos, facts []*fact) (states []recording.Status, err error) {
	ids := make([]uuid.UUID, len(facts))
	for i, f := range facts {
		ids[i] = f.id
	}
	recs, err := r.Recordings.Lock(ctx, ids...)
	if err != nil {
		return nil, err
	}
	var events []ports.KeptEvent
	for _, f := range facts {
		if f.rec, f.err = applied(recs[f.id], f.apply); f.err != nil {
			continue
		}
		recs[f.id] = f.rec
		if f.event != nil {
			events = append(events, *f.event)
		}
	}
	var changed []*recording.Recording
	var saved []uuid.UUID
	for _, f := range facts {
		rec := recs[f.id]
		if rec == nil || !rec.Changed() {
			continue
		}
		delete(recs, f.id)
		changed = append(changed, rec)
		if rec.Status() != rec.Stored().Status {
			states = append(states, rec.Status())
		}
		if rec.Status() == recording.Saved && rec.Stored().Status != recording.Saved {
			saved = append(saved, rec.ID)
		}
		if err := s.follow(ctx, r, rec); err != nil {
			return nil, err
		}
		if f.deed == nil && rec.Began() {
			if f.deed, err = starter(ctx, r, rec.ID); err != nil {
				return nil, err
			}
		}
	}
	if saved != nil {
		if err := r.Jobs.NotifyOf(ctx, saved...); err != nil {
			return nil, err
		}
	}
	now := s.Now()
	if err := noteDeeds(ctx, r, now, facts); err != nil {
		return nil, err
	}
	if err := r.Recordings.Save(ctx, now, changed...); err != nil {
		return nil, err
	}
	if err := s.announceEnds(ctx, r, now, changed...); err != nil {
		return nil, err
	}
	return states, r.Events.Keep(ctx, now, true, events...)
}

// applied gives the recording after fn; rec itself stays as it is.
func applied(rec *recording.Recording, fn func(*recording.Recording) error) (*recording.Recording, error) {
	if rec == nil {
		return nil, fault.New(fault.NotFound, "recording")
	}
	after := *rec
	if err := fn(&after); err != nil {
		return nil, err
	}
	return &after, nil
}

// follow notes what follows from a change, but for who is to be told of a file.
func (s *Service) follow(ctx context.Context, r ports.Repos, rec *recording.Recording) error {
	was, is := rec.Stored(), rec.State()
	if rec.Limited() {
		if err := r.Jobs.AnnounceLimit(ctx, rec.ID); err != nil {
			return err
		}
	}
	if is.Running() != was.Running() && (s.collects(rec) || rec.Collector() != "") {
		if err := r.Jobs.CollectMetadata(ctx, rec.ID); err != nil {
			return err
		}
	}
	if is.Unsure && !was.Unsure && is.WorkerID != "" {
		if err := r.Jobs.StopEgress(ctx, is.WorkerID); err != nil {
			return err
		}
	}
	if is.Status == recording.Saved && was.Status != recording.Saved {
		return nil // Notify has the room told too
	}
	if is.Status != was.Status || is.Egress != was.Egress {
		return r.Jobs.ShowRecording(ctx, rec.RoomID)
	}
	return nil
}
