package recordings

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
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
	Tolerant       bool             // take storage events of no use, instead of refusing them
	VerifyObject   bool             // look at the object before calling it saved
	ExpirationDays int              // 0: never
	Collector      string           // name of the agent that collects metadata; empty: METADATA_COLLECTOR_ENABLED is off
	Notification   Notification
	Announce       bool          // other programs want to know what becomes of recordings
	Patience       time.Duration // how long an open recording may stay silent before Reconcile looks at it
}

// Service is the recording capability.
type Service struct {
	Store         ports.Store
	Recorder      ports.Recorder
	Objects       ports.Objects
	Presigner     ports.ObjectPresigner
	Mailer        ports.Mailer
	Summary       ports.Summary // nil: there is none
	Agents        ports.Agents
	Calls         ports.RoomCalls
	Rooms         ports.OpenRooms
	Analytics     ports.Analytics
	StorageEvents ports.StorageEvents
	Config        Config
	Now           func() time.Time
	NewID         func() uuid.UUID
	Log           *slog.Logger
	// Became is told which state a recording got into. nil: nobody is.
	Became func(recording.Status)

	inbound gathering
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
	if err := s.Store.Repos().Recordings.Create(ctx, rec, u.ID, s.NewID()); err != nil {
		if errors.Is(err, fault.Conflict) {
			return nil, fault.About(fault.Conflict, "recording_open", rm.Slug)
		}
		return nil, err
	}
	s.became(rec.Status())
	worker, startErr := s.Recorder.Start(ctx, rec)
	ctx = context.WithoutCancel(ctx)
	if startErr != nil {
		_, err := s.change(ctx, rec.ID, (*recording.Recording).FailStart)
		return nil, &fault.Error{
			Kind: fault.Upstream, Code: "recording_start", Subject: rm.Slug, Err: errors.Join(startErr, err),
		}
	}
	err = s.begin(ctx, u.ID, rec.ID, worker)
	switch {
	case errors.Is(err, fault.NotFound):
		err = errors.Join(err, s.abandon(ctx, rec, worker))
	case errors.Is(err, fault.Conflict): // it was given up meanwhile
		err = errors.Join(err, s.Store.InTx(ctx, func(r ports.Repos) error { return r.Jobs.StopEgress(ctx, worker) }))
		return nil, &fault.Error{Kind: fault.Upstream, Code: "recording_start", Subject: rm.Slug, Err: err}
	}
	return rm, err
}

// begin commits the egress of a recording that somebody started, and applies what came
// before that; what cannot be applied is no failure of the start, and left to Reconcile.
func (s *Service) begin(ctx context.Context, by, id uuid.UUID, worker string) error {
	d := &deed{by: by, action: audit.RecordingStarted}
	if _, err := s.changeBy(ctx, d, id, func(r *recording.Recording) error { return r.Start(worker) }); err != nil {
		return err
	}
	if err := errors.Join(s.settle(ctx, ports.FromLiveKit, worker), s.settle(ctx, ports.FromStorage, id.String())); err != nil {
		s.Log.WarnContext(ctx, "what came before a recording began could not be applied; it will be tried again", "recording", id, "error", err)
	}
	return nil
}

// Stop ends the active recording of the room. What the egress answered decides
// the state, unless an event was faster: its word stands. Where it did not say
// that it will end, it is asked again by a job, and what came of the recording is
// found out later.
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
	var d *deed
	if stopErr == nil {
		d = &deed{by: u.ID, action: audit.RecordingStopped}
	}
	_, err = s.changeBy(context.WithoutCancel(ctx), d, rec.ID, func(r *recording.Recording) error {
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

// StopEgress ends an egress that nobody wants. One that is over is no error.
func (s *Service) StopEgress(ctx context.Context, worker string) error {
	_, err := s.Recorder.Stop(ctx, worker)
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Conflict) {
		return nil
	}
	return err
}
