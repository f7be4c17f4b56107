package recordings

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// Outcome is what became of a storage notification.
type Outcome string

// The outcomes that are no fault.
const (
	Processed Outcome = "processed" // a recording is saved, or will be once its object is seen
	Ignored   Outcome = "ignored"   // not about a recording of ours
)

// StorageHook takes a storage notification. Every record in it is applied; it
// returns only after the effect of each is committed, so that a sender who
// keeps its events until they are acknowledged loses none. With several
// records one that was processed makes up for others that were refused, but
// not for one that could not be decided.
func (s *Service) StorageHook(ctx context.Context, body []byte) (Outcome, error) {
	events, err := s.StorageEvents.Parse(body)
	if err != nil {
		return "", err
	}
	outcome, refused := Ignored, error(nil)
	for _, e := range events {
		got, err := s.storageEvent(ctx, e)
		got, err = s.tolerate(ctx, got, err)
		var f *fault.Error
		switch {
		case err != nil && (!errors.As(err, &f) || f.Kind == fault.Unavailable):
			return "", err
		case err != nil && refused == nil:
			refused = err
		case err == nil && got == Processed:
			outcome = Processed
		}
	}
	if outcome == Processed {
		return outcome, nil
	}
	return outcome, refused
}

// tolerate passes over a record that was refused because there is nothing left to
// do about it, if the installation wants that: a sender that keeps what is refused
// would offer it for ever, and nothing behind it.
func (s *Service) tolerate(ctx context.Context, outcome Outcome, err error) (Outcome, error) {
	var f *fault.Error
	if !s.Config.Tolerant || !errors.As(err, &f) || f.Code != codeUnknown && f.Code != codeNotSavable {
		return outcome, err
	}
	s.Log.WarnContext(ctx, "a storage event is of no use", "fault", f.Code, "recording", f.Subject)
	return Ignored, nil
}

const (
	codeUnknown    = "storage_recording"
	codeNotSavable = "recording_not_savable"
)

// storageEvent applies one record (recording.md §4).
func (s *Service) storageEvent(ctx context.Context, e ports.StorageEvent) (Outcome, error) {
	if e.Bucket != s.Config.Bucket {
		return "", fault.New(fault.Forbidden, "storage_bucket")
	}
	if !e.Created {
		return Ignored, nil
	}
	if e.ContentType != recording.Transcript.ContentType() && e.ContentType != recording.ScreenRecording.ContentType() {
		return Ignored, nil
	}
	addr, ok := recording.ParseKey(s.Config.Folder, e.Key)
	if !ok {
		return Ignored, nil
	}
	kept, err := ports.Kept(ports.FromStorage, addr.ID.String(), e.Key+" "+e.Sequencer, struct{}{})
	if err != nil {
		return "", err
	}
	saved, err := s.complete(ctx, addr.ID, kept)
	switch {
	case errors.Is(err, errEarly):
		// It is kept, and looked at once more because the start may be committed
		// since. The sender is told what the contract says.
		if err := s.keep(ctx, kept); err != nil {
			return "", err
		}
		if err := s.settle(ctx, ports.FromStorage, addr.ID.String()); err != nil {
			return "", err
		}
		return "", notSavable(addr.ID)
	case errors.Is(err, fault.NotFound):
		return "", fault.About(fault.NotFound, codeUnknown, addr.ID.String())
	case err == nil && !saved:
		err = s.keep(ctx, kept)
	}
	return Processed, err
}

func notSavable(id uuid.UUID) error {
	return fault.About(fault.Forbidden, codeNotSavable, id.String())
}

// errEarly says that an event came before our own start was committed.
var errEarly = errors.New("the recording is not known to have begun")

// complete makes the recording saved once its object is in the bucket. It
// reports false, and changes nothing, while the object cannot be seen there.
// fault.NotFound for an unknown recording, fault.Forbidden for one that may not
// become saved any more, errEarly for one that may not yet.
func (s *Service) complete(ctx context.Context, id uuid.UUID, e ports.KeptEvent) (saved bool, err error) {
	if s.Config.VerifyObject {
		rec, err := s.Store.Repos().Recordings.Get(ctx, id)
		if err != nil {
			return false, err
		}
		if rec.Savable() {
			if presence, err := s.look(ctx, rec); presence != recording.Seen {
				s.Log.WarnContext(ctx, "the object of a recording cannot be seen; it will be looked for again", "recording", id, "error", err)
				return false, nil
			}
		}
	}
	_, err = s.take(ctx, e, id, func(r *recording.Recording) error {
		switch {
		case r.Status() == recording.Initiated:
			return errEarly
		case !r.Savable():
			return notSavable(id)
		}
		return r.Save()
	})
	return err == nil, err
}

// look looks for the object of a recording. The error says why it was not seen.
func (s *Service) look(ctx context.Context, rec *recording.Recording) (recording.Presence, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	object, err := s.Objects.Stat(ctx, rec.Key(s.Config.Folder))
	switch {
	case errors.Is(err, fault.NotFound):
		return recording.Absent, err
	case err != nil:
		return recording.NotLooked, err
	case object.Size == 0:
		return recording.Absent, errEmpty
	}
	return recording.Seen, nil
}

// lookPatience is how long the store may take to tell about one object: a sender
// of events is waiting.
const lookPatience = 3 * time.Second

var errEmpty = errors.New("the object is empty")

// settleStorage applies a kept storage event. It reports whether the event is
// of no more use.
func (s *Service) settleStorage(ctx context.Context, id uuid.UUID, e ports.KeptEvent) (done bool, err error) {
	done, err = s.complete(ctx, id, e)
	switch {
	case errors.Is(err, errEarly):
		return false, nil
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Forbidden):
		return true, nil
	}
	return done, err
}
