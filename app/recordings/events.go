package recordings

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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

// storageEvent applies one record (recording.md §4).
func (s *Service) storageEvent(ctx context.Context, e ports.StorageEvent) (Outcome, error) {
	if e.Bucket != s.Config.Bucket {
		return "", fault.New(fault.Forbidden, "storage_bucket")
	}
	if name := strings.TrimPrefix(e.Name, "s3:"); name != "" && !strings.HasPrefix(name, "ObjectCreated:") {
		return Ignored, nil
	}
	if e.ContentType != recording.Transcript.ContentType() && e.ContentType != recording.ScreenRecording.ContentType() {
		return Ignored, nil
	}
	addr, ok := recording.ParseKey(s.Config.Folder, e.Key)
	if !ok {
		return Ignored, nil
	}
	rec, err := s.Store.Repos().Recordings.Get(ctx, addr.ID)
	if errors.Is(err, fault.NotFound) {
		return "", fault.New(fault.NotFound, "storage_recording")
	} else if err != nil {
		return "", err
	}
	if rec.Status() == recording.Initiated {
		// Our own start is not committed yet. It will find the event; the sender
		// is told what the contract says.
		if err := s.keep(ctx, ports.FromStorage, addr.ID.String(), e.Sequencer, struct{}{}); err != nil {
			return "", err
		}
		if err := s.settle(ctx, ports.FromStorage, addr.ID.String()); err != nil {
			return "", err
		}
	}
	if !rec.Status().Savable() {
		return "", fault.About(fault.Forbidden, "recording_not_savable", addr.ID.String())
	}
	saved, err := s.complete(ctx, rec)
	if err != nil {
		return "", err
	}
	if !saved {
		return Processed, s.keep(ctx, ports.FromStorage, addr.ID.String(), e.Sequencer, struct{}{})
	}
	return Processed, nil
}

// complete makes the recording saved once its object is in the bucket. It
// reports false, and changes nothing, while the object cannot be seen there.
// fault.Forbidden when the recording may not become saved any more.
func (s *Service) complete(ctx context.Context, rec *recording.Recording) (saved bool, err error) {
	if s.Config.VerifyObject {
		object, err := s.Objects.Stat(ctx, rec.Key(s.Config.Folder))
		if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Unavailable) {
			s.Log.WarnContext(ctx, "the object of a recording cannot be seen; it will be looked for again",
				"recording", rec.ID, "error", err)
			return false, nil
		} else if err != nil {
			return false, err
		}
		if object.Size == 0 {
			s.Log.WarnContext(ctx, "the object of a recording is empty", "recording", rec.ID)
			return false, nil
		}
	}
	_, err = s.change(ctx, rec.ID, func(r *recording.Recording) error {
		if !r.Status().Savable() {
			return fault.About(fault.Forbidden, "recording_not_savable", r.ID.String())
		}
		return r.Save()
	})
	return err == nil, err
}

// egressFact is what is kept of an egress event.
type egressFact struct {
	Status    recording.EgressStatus
	Elsewhere bool
}

// EgressEvent takes what LiveKit says of an egress. An egress that nobody here
// asked for is no error: the sender could do nothing about it.
func (s *Service) EgressEvent(ctx context.Context, e ports.Egress) error {
	if e.ID == "" || strings.ContainsRune(e.ID, 0) { // none that could have been given to us
		return nil
	}
	recordings := s.Store.Repos().Recordings
	id, err := recordings.ByWorker(ctx, e.ID)
	if err == nil {
		return s.observe(ctx, id, egressFact{e.Status, e.Elsewhere})
	} else if !errors.Is(err, fault.NotFound) {
		return err
	}
	// The start may not be committed yet, or never will be: it may have failed
	// half-way. The event waits for it, and settle looks a second time because
	// the commit may have happened since.
	if err := s.keep(ctx, ports.FromLiveKit, e.ID, string(e.Status), egressFact{e.Status, e.Elsewhere}); err != nil {
		return err
	}
	if err := s.settle(ctx, ports.FromLiveKit, e.ID); err != nil {
		return err
	}
	return s.stopAbandoned(ctx, e)
}

// stopAbandoned ends an egress that runs for a recording which gave it up, as
// after a start that timed out here but not there: nobody may be recorded
// without knowing.
func (s *Service) stopAbandoned(ctx context.Context, e ports.Egress) error {
	if e.Status != recording.EgressActive {
		return nil
	}
	for _, file := range e.Files {
		addr, ok := recording.ParseKey(s.Config.Folder, file)
		if !ok {
			continue
		}
		rec, err := s.Store.Repos().Recordings.Get(ctx, addr.ID)
		if errors.Is(err, fault.NotFound) {
			continue
		} else if err != nil {
			return err
		}
		if rec.Status() == recording.FailedToStart {
			s.Log.WarnContext(ctx, "stopping an egress whose recording failed to start", "recording", rec.ID, "egress", e.ID)
			_, err := s.Recorder.Stop(ctx, e.ID)
			return err
		}
	}
	return nil
}

// observe applies what LiveKit says of the egress of a recording.
func (s *Service) observe(ctx context.Context, id uuid.UUID, fact egressFact) error {
	rec, err := s.change(ctx, id, func(r *recording.Recording) error {
		r.Observe(fact.Status)
		return nil
	})
	if err != nil {
		return err
	}
	if s.Config.StorageEvents || !fact.Status.Produced() || fact.Elsewhere || !rec.Status().Savable() {
		return nil
	}
	_, err = s.complete(ctx, rec)
	if errors.Is(err, fault.Forbidden) { // somebody else was faster
		return nil
	}
	return err
}

// keep writes an event down until it can be applied. Deliveries of one event
// share subject and mark.
func (s *Service) keep(ctx context.Context, source ports.EventSource, subject, mark string, fact any) error {
	payload, err := json.Marshal(fact)
	if err != nil {
		return fmt.Errorf("keep event: %w", err)
	}
	// The mark is whatever a stranger sent; its hash can be stored.
	sum := sha256.Sum256([]byte(mark))
	return s.Store.Repos().Events.Keep(ctx, ports.KeptEvent{
		Source: source, ID: subject + "/" + hex.EncodeToString(sum[:16]), Subject: subject, Payload: payload,
	}, s.Now())
}

// settle applies what is kept for a subject, as far as it can be applied now.
func (s *Service) settle(ctx context.Context, source ports.EventSource, subject string) error {
	repos := s.Store.Repos()
	events, err := repos.Events.Waiting(ctx, source, subject)
	if err != nil || len(events) == 0 {
		return err
	}
	var id uuid.UUID
	if source == ports.FromLiveKit {
		id, err = repos.Recordings.ByWorker(ctx, subject)
	} else {
		id, err = uuid.Parse(subject)
	}
	if errors.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range events {
		done := true
		if source == ports.FromLiveKit {
			var fact egressFact
			if err := json.Unmarshal(e.Payload, &fact); err != nil {
				return fmt.Errorf("kept event %s: %w", e.ID, err)
			}
			err = s.observe(ctx, id, fact)
		} else {
			done, err = s.settleStorage(ctx, id)
		}
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

// settleStorage applies a kept storage event. It reports whether the event is
// of no more use.
func (s *Service) settleStorage(ctx context.Context, id uuid.UUID) (done bool, err error) {
	rec, err := s.Store.Repos().Recordings.Get(ctx, id)
	if errors.Is(err, fault.NotFound) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	if rec.Status() == recording.Initiated {
		return false, nil
	}
	if !rec.Status().Savable() {
		return true, nil
	}
	done, err = s.complete(ctx, rec)
	if errors.Is(err, fault.Forbidden) {
		return true, nil
	}
	return done, err
}
