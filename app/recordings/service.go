package recordings

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about recordings.
type Config struct {
	Enabled        bool             // RECORDING_ENABLE
	Modes          []recording.Mode // those with a worker
	Folder         string           // RECORDING_OUTPUT_FOLDER
	Bucket         string           // AWS_STORAGE_BUCKET_NAME
	StorageEvents  bool             // the store reports saved objects; else the end of the egress counts
	VerifyObject   bool             // look at the object before calling it saved
	ExpirationDays int              // 0: never
	Collector      string           // name of the agent that collects metadata; empty: METADATA_COLLECTOR_ENABLED is off
	Patience       time.Duration    // how long an open recording may stay silent before Reconcile looks at it
}

// Service is the recording capability.
type Service struct {
	Store         ports.Store
	Recorder      ports.Recorder
	Conference    ports.Conference
	Objects       ports.Objects
	Agents        ports.Agents
	Calls         ports.RoomCalls
	StorageEvents ports.StorageEvents
	Config        Config
	Now           func() time.Time
	NewID         func() uuid.UUID
	Log           *slog.Logger
}

// Available is fault.NotFound when recording is switched off.
func (s *Service) Available() error {
	if !s.Config.Enabled {
		return fault.New(fault.NotFound, "feature_off")
	}
	return nil
}

// privileged finds the room and refuses callers who may not administer it.
func (s *Service) privileged(ctx context.Context, u *user.User, identifier string) (*room.Room, error) {
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, u.Key())
	if err == nil {
		held, err = held.Administered("room_privileges")
	}
	return held.Room, err
}

// Start records the room. Only administrators and owners may; one recording
// holds a room at a time. The row is committed before LiveKit is asked, so that
// its callbacks find it, and the outcome is written even if the caller has gone.
func (s *Service) Start(ctx context.Context, u *user.User, identifier string, mode recording.Mode, options recording.Options) (*room.Room, error) {
	rm, err := s.privileged(ctx, u, identifier)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.Config.Modes, mode) {
		return nil, fault.About(fault.Invalid, "recording_request", string(mode))
	}
	rec := recording.New(s.NewID(), rm.ID, mode, options, s.Now())
	repo := s.Store.Repos().Recordings
	if err := repo.Create(ctx, rec, u.ID, s.NewID()); err != nil {
		if errors.Is(err, fault.Conflict) {
			return nil, fault.About(fault.Conflict, "recording_open", rm.Slug)
		}
		return nil, err
	}
	worker, startErr := s.Recorder.Start(ctx, rec)
	ctx = context.WithoutCancel(ctx)
	if startErr != nil {
		_, err := repo.Update(ctx, rec.ID, s.Now(), (*recording.Recording).FailStart)
		return nil, &fault.Error{
			Kind: fault.Upstream, Code: "recording_start", Subject: rm.Slug, Err: errors.Join(startErr, err),
		}
	}
	return rm, s.begin(ctx, rec.ID, worker)
}

// begin commits the egress of a recording and applies what came before that.
func (s *Service) begin(ctx context.Context, id uuid.UUID, worker string) error {
	if _, err := s.change(ctx, id, func(r *recording.Recording) error { return r.Start(worker) }); err != nil {
		return err
	}
	return errors.Join(
		s.settle(ctx, ports.FromLiveKit, worker),
		s.settle(ctx, ports.FromStorage, id.String()),
	)
}

// change applies fn to a recording, lets the participants know, and sends for or
// recalls the agent that goes with it.
func (s *Service) change(ctx context.Context, id uuid.UUID, fn func(*recording.Recording) error) (*recording.Recording, error) {
	var rec *recording.Recording
	err := s.Store.InTx(ctx, func(r ports.Repos) error {
		var err error
		running, limited := false, false
		if rec, err = r.Recordings.Update(ctx, id, s.Now(), func(rec *recording.Recording) error {
			running, limited = rec.Running(), rec.Limited()
			return fn(rec)
		}); err != nil {
			return err
		}
		if rec.Limited() && !limited {
			if err := r.Jobs.AnnounceLimit(ctx, rec.ID); err != nil {
				return err
			}
		}
		if rec.Running() != running && (s.collects(rec) || rec.Collector() != "") {
			if err := r.Jobs.CollectMetadata(ctx, rec.ID); err != nil {
				return err
			}
		}
		return r.Jobs.ShowRecording(ctx, rec.RoomID)
	})
	return rec, err
}

// Stop ends the active recording of the room. What the egress answered decides
// the state, unless an event was faster: its word stands.
func (s *Service) Stop(ctx context.Context, u *user.User, identifier string) (*room.Room, error) {
	rm, err := s.privileged(ctx, u, identifier)
	if err != nil {
		return nil, err
	}
	rec, err := s.Store.Repos().Recordings.ActiveOf(ctx, rm.ID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.New(fault.NotFound, "recording_none_active")
	} else if err != nil {
		return nil, err
	}
	status, stopErr := s.Recorder.Stop(ctx, rec.WorkerID())
	_, err = s.change(context.WithoutCancel(ctx), rec.ID, func(r *recording.Recording) error {
		switch {
		case r.Status() != recording.Active:
			return nil
		case stopErr == nil && status == recording.EgressEnding:
			return r.Stop()
		case stopErr == nil && status == recording.EgressAborted:
			return r.Abort()
		}
		return r.FailStop()
	})
	if stopErr != nil {
		return nil, &fault.Error{Kind: fault.Upstream, Code: "recording_stop", Subject: rm.Slug, Err: errors.Join(stopErr, err)}
	}
	return rm, err
}

// StopEgress ends an egress whose recording is gone. One that is over is no error.
func (s *Service) StopEgress(ctx context.Context, worker string) error {
	if _, err := s.Recorder.Stop(ctx, worker); err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

// View is a recording as its administrators see it.
type View struct {
	*recording.Recording
	Room      *room.Room
	Key       string
	Expired   bool
	ExpiresAt *time.Time // nil: never
}

// Get shows a recording to its owners and administrators. fault.NotFound for
// whoever has no role on it: that it exists is not told.
func (s *Service) Get(ctx context.Context, u *user.User, id uuid.UUID) (View, error) {
	repos := s.Store.Repos()
	role, err := repos.Recordings.Role(ctx, id, u.ID)
	if err != nil {
		return View{}, err
	}
	if role == access.None {
		return View{}, fault.New(fault.NotFound, "recording")
	}
	if !role.Privileged() {
		return View{}, fault.New(fault.Forbidden, "permission")
	}
	rec, err := repos.Recordings.Get(ctx, id)
	if err != nil {
		return View{}, err
	}
	rm, err := repos.Rooms.Get(ctx, rec.RoomID)
	if err != nil {
		return View{}, err
	}
	v := View{Recording: rec, Room: rm, Key: rec.Key(s.Config.Folder), Expired: rec.Expired(s.Config.ExpirationDays, s.Now())}
	if at, ok := rec.ExpiresAt(s.Config.ExpirationDays); ok {
		v.ExpiresAt = &at
	}
	return v, nil
}

// Show writes into the metadata of the LiveKit room how far its newest
// recording is; participants' clients read it there (livekit.md §5). A room
// that is not open has nobody to tell.
func (s *Service) Show(ctx context.Context, roomID uuid.UUID) error {
	rec, err := s.Store.Repos().Recordings.LatestOf(ctx, roomID)
	if errors.Is(err, fault.NotFound) {
		return nil
	} else if err != nil {
		return err
	}
	var set map[string]any
	var remove []string
	switch {
	case rec.Egress().Ended(), !rec.Status().Open() && rec.Status() != recording.Stopped:
		remove = []string{"recording_mode", "recording_status"}
	case rec.Egress() == recording.EgressEnding:
		set = map[string]any{"recording_status": "saving"}
	case rec.Egress() == recording.EgressActive:
		set = map[string]any{"recording_mode": rec.ShownMode(), "recording_status": "started"}
	default:
		set = map[string]any{"recording_mode": rec.ShownMode(), "recording_status": "starting"}
	}
	err = s.Conference.MergeMetadata(ctx, roomID.String(), set, remove)
	if errors.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

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
