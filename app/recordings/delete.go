package recordings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/user"
	"meetd/ports"
)

// Why a recording was deleted, as the audit log has it.
const (
	onRequest = "request"
	withRoom  = "room"
	expired   = "expired"
	erased    = "erased" // with the person who alone owned it, or owned its room
)

// Delete removes a recording, and has its objects removed by a job. Only its owners
// and administrators may; while it is open, or on legal hold, nobody may:
// fault.Forbidden. fault.NotFound as in Get.
func (s *Service) Delete(ctx context.Context, u *user.User, id uuid.UUID) error {
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if _, err := administered(ctx, r, u, id); err != nil {
			return err
		}
		rec, err := deletable(ctx, r, id)
		if err != nil {
			return err
		}
		return s.remove(ctx, r, u.ID, onRequest, rec)
	})
}

// deletable locks a recording that may be deleted now: fault.Forbidden when it may
// not, fault.NotFound when it is gone.
func deletable(ctx context.Context, r ports.Repos, id uuid.UUID) (*recording.Recording, error) {
	recs, err := r.Recordings.Lock(ctx, id)
	if err != nil {
		return nil, err
	}
	rec := recs[id]
	if rec == nil {
		return nil, fault.New(fault.NotFound, "recording")
	}
	if !rec.Status().Final() {
		return nil, fault.New(fault.Forbidden, "permission")
	}
	held, err := r.Holds.Among(ctx, id)
	if err == nil && len(held) > 0 {
		err = fault.New(fault.Forbidden, "recording_held")
	}
	return rec, err
}

// RemoveOf deletes all recordings of a room that actor deletes, those that are
// being made too. fault.Forbidden while one of them is on legal hold.
func (s *Service) RemoveOf(ctx context.Context, r ports.Repos, room, actor uuid.UUID) error {
	recs, err := r.Recordings.LockOf(ctx, room)
	if err != nil || len(recs) == 0 {
		return err
	}
	ids := make([]uuid.UUID, len(recs))
	for i, rec := range recs {
		ids[i] = rec.ID
	}
	held, err := r.Holds.Among(ctx, ids...)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		return fault.New(fault.Forbidden, "room_held")
	}
	return s.remove(ctx, r, actor, withRoom, recs...)
}

// RemoveErased deletes locked recordings because a person is erased.
func (s *Service) RemoveErased(ctx context.Context, r ports.Repos, recs ...*recording.Recording) error {
	return s.remove(ctx, r, uuid.Nil, erased, recs...)
}

// remove deletes locked recordings: their rows now, everything else by jobs.
func (s *Service) remove(ctx context.Context, r ports.Repos, actor uuid.UUID, reason string, recs ...*recording.Recording) error {
	now := s.Now()
	var show []uuid.UUID // rooms that may say that something is being recorded
	for _, rec := range recs {
		left := rec.Remains(now)
		if err := r.Jobs.DeleteObjects(ctx, left); err != nil {
			return err
		}
		if rec.Status() == recording.Active {
			if err := r.Jobs.StopEgress(ctx, rec.WorkerID()); err != nil {
				return err
			}
		}
		if left.Running && !slices.Contains(show, rec.RoomID) {
			show = append(show, rec.RoomID)
		}
		if err := r.Audit.Record(ctx, audit.Event{
			At: now, Action: audit.RecordingDeleted, Actor: actor, Subject: rec.ID.String(),
			Details: map[string]string{"reason": reason, "room": rec.RoomID.String(), "status": string(rec.Status())},
		}); err != nil {
			return err
		}
	}
	for _, room := range show {
		if err := r.Jobs.ShowRecording(ctx, room); err != nil {
			return err
		}
	}
	if err := s.announceDeleted(ctx, r, now, reason, recs...); err != nil {
		return err
	}
	return r.Recordings.Delete(ctx, recs...)
}

// abandon ends the egress of a recording that was deleted, with its room, while it
// was being started.
func (s *Service) abandon(ctx context.Context, rec *recording.Recording, worker string) error {
	if err := rec.Start(worker); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Jobs.StopEgress(ctx, worker); err != nil {
			return err
		}
		return r.Jobs.DeleteObjects(ctx, rec.Remains(s.Now()))
	})
}

const (
	// uploadPatience is how long after a deletion an egress may still upload: then
	// LiveKit is not believed any more, which lists some dead ones as active.
	uploadPatience = 24 * time.Hour
	// startPatience is how long an egress of which nobody was told may take to be
	// listed.
	startPatience = 10 * time.Minute
	// uploadPause is between two looks at an egress.
	uploadPause = time.Minute
)

// ClearAway removes what is left of a deleted recording, and looks whether it is
// really gone. Where the recording may not have been over it has to be called again
// after a time, else that is zero: an egress uploads when it ends, so the objects
// are removed once more after LiveKit has said that it has ended. LiveKit is asked
// first and the objects are removed after that, in this order, so that nothing can
// come between; and they are removed even when LiveKit does not answer.
func (s *Service) ClearAway(ctx context.Context, left recording.Remains) (again time.Duration, err error) {
	worker, running, egressErr := s.endEgress(ctx, left)
	if left.WorkerID == "" {
		left.WorkerID = worker
	}
	keys := left.Keys(s.Config.Folder, s.Config.Notification.MetadataFolder)
	for _, key := range keys {
		err = errors.Join(err, s.clear(ctx, key))
	}
	switch {
	case err != nil:
		s.Log.WarnContext(ctx, "objects of a deleted recording are not gone yet; it will be tried again", "recording", left.ID, "error", err)
	case egressErr != nil:
		s.Log.WarnContext(ctx, "the objects of a deleted recording are gone, but its egress may write others", "recording", left.ID, "error", egressErr)
	case running:
		again = uploadPause
	default:
		s.Log.InfoContext(ctx, "the objects of a deleted recording are gone", "recording", left.ID, "objects", keys)
	}
	return again, errors.Join(err, egressErr)
}

// clear removes one object.
func (s *Service) clear(ctx context.Context, key string) error {
	if err := s.Objects.Delete(ctx, key); err != nil || !s.Config.VerifyObject {
		return err
	}
	_, err := s.Objects.Stat(ctx, key)
	if err == nil {
		return fmt.Errorf("%s was deleted, but the store still has it", key)
	}
	return fault.IgnoreMissing(err)
}

// endEgress sees to it that what recorded a deleted recording ends, and reports
// whether it may still upload. worker is its id, if it can be found.
func (s *Service) endEgress(ctx context.Context, left recording.Remains) (worker string, running bool, err error) {
	age := s.Now().Sub(left.At)
	if !left.Running || age > uploadPatience {
		return "", false, nil
	}
	if left.Agent != "" {
		err = fault.IgnoreMissing(s.Agents.Recall(ctx, left.Room.String(), left.Agent))
	}
	e, lookErr := s.egressOf(ctx, left)
	if errors.Is(lookErr, fault.NotFound) {
		return "", left.WorkerID == "" && age < startPatience, err
	}
	if err = errors.Join(err, lookErr); lookErr != nil || e.Status.Ended() {
		return e.ID, false, err
	}
	if e.Status != recording.EgressEnding {
		err = errors.Join(err, s.StopEgress(ctx, e.ID))
	}
	return e.ID, true, err
}

// egressOf asks LiveKit for the egress of a recording, by the file it writes where
// its id is not known. fault.NotFound when there is none, or none any more.
func (s *Service) egressOf(ctx context.Context, left recording.Remains) (ports.Egress, error) {
	if left.WorkerID != "" {
		return s.Recorder.Lookup(ctx, left.WorkerID)
	}
	w, err := s.survey(ctx)
	if err != nil {
		return ports.Egress{}, err
	}
	e, ok := w.byFile[recording.Key(s.Config.Folder, left.ID, left.Mode)]
	if !ok {
		err = fault.New(fault.NotFound, "livekit_egress")
	}
	return e, err
}
