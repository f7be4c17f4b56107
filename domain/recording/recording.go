package recording

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
)

// Mode is what is recorded.
type Mode string

// The modes, exactly as stored.
const (
	ScreenRecording Mode = "screen_recording"
	Transcript      Mode = "transcript"
)

// Valid reports whether m is one of the two modes.
func (m Mode) Valid() bool { return m == ScreenRecording || m == Transcript }

// Extension is the file name extension of the object: ogg for a transcript,
// else mp4.
func (m Mode) Extension() string {
	if m == Transcript {
		return "ogg"
	}
	return "mp4"
}

// Status is where a recording stands.
type Status string

// The states, exactly as stored (recording.md §1).
const (
	Initiated                 Status = "initiated"
	Active                    Status = "active"
	Stopped                   Status = "stopped"
	Saved                     Status = "saved"
	Aborted                   Status = "aborted"
	FailedToStart             Status = "failed_to_start"
	FailedToStop              Status = "failed_to_stop"
	NotificationSucceeded     Status = "notification_succeeded"
	ExternalProcessSuccessful Status = "external_process_successful"
	ExternalProcessFailed     Status = "external_process_failed"
)

// next lists where each state may go. What is not listed is final for events:
// a late one never moves a recording back.
var next = map[Status][]Status{
	Initiated:                 {Active, FailedToStart},
	Active:                    {Stopped, Saved, Aborted, FailedToStop},
	Stopped:                   {Saved, Aborted},
	Saved:                     nil,
	Aborted:                   nil,
	FailedToStart:             nil,
	FailedToStop:              nil,
	NotificationSucceeded:     nil,
	ExternalProcessSuccessful: nil,
	ExternalProcessFailed:     nil,
}

// Open reports whether the recording holds its room: one per room.
func (s Status) Open() bool { return s == Initiated || s == Active }

// Savable reports whether the recording may still become saved.
func (s Status) Savable() bool { return slices.Contains(next[s], Saved) }

// Downloadable reports whether the file is there to be had.
func (s Status) Downloadable() bool {
	switch s {
	case Saved, NotificationSucceeded, ExternalProcessSuccessful, ExternalProcessFailed:
		return true
	case Initiated, Active, Stopped, Aborted, FailedToStart, FailedToStop:
		return false
	}
	return false
}

// Recording is one recording of a room.
type Recording struct {
	ID        uuid.UUID
	RoomID    uuid.UUID
	Mode      Mode
	Options   Options
	CreatedAt time.Time
	UpdatedAt time.Time

	status   Status
	workerID string
	egress   EgressStatus
	limited  bool // since it was restored
}

// Options is what was asked for at the start, kept as stored: language,
// transcribe, collect_metadata, original_mode and what agents add.
type Options map[string]any

// ShownMode is the mode that participants are told: original_mode if given.
func (r *Recording) ShownMode() string {
	if m, ok := r.Options["original_mode"].(string); ok {
		return m
	}
	return string(r.Mode)
}

// collector is the option that holds the id of the metadata agent's dispatch.
const collector = "metadata_collector_dispatch_id"

// WantsMetadata reports whether it was asked at the start to collect metadata.
func (r *Recording) WantsMetadata() bool {
	wants, _ := r.Options["collect_metadata"].(bool)
	return wants
}

// Collector is what the agent that collects metadata is recalled by; empty when
// none was sent for.
func (r *Recording) Collector() string {
	id, _ := r.Options[collector].(string)
	return id
}

// CollectedBy notes what the agent is recalled by.
func (r *Recording) CollectedBy(id string) {
	r.Options = maps.Clone(r.Options)
	if r.Options == nil {
		r.Options = Options{}
	}
	r.Options[collector] = id
}

// New makes an initiated recording.
func New(id, room uuid.UUID, mode Mode, options Options, now time.Time) *Recording {
	return &Recording{
		ID: id, RoomID: room, Mode: mode, Options: maps.Clone(options),
		CreatedAt: now, UpdatedAt: now, status: Initiated,
	}
}

// Restore rebuilds a stored recording. r must not be used afterwards.
func Restore(r Recording, status Status, workerID string, egress EgressStatus) *Recording {
	r.status, r.workerID, r.egress = status, workerID, egress
	return &r
}

// Status is where the recording stands.
func (r *Recording) Status() Status { return r.status }

// WorkerID is the id of its LiveKit egress; empty until it started.
func (r *Recording) WorkerID() string { return r.workerID }

// Egress is how far LiveKit said its egress is; empty until it said anything.
func (r *Recording) Egress() EgressStatus { return r.egress }

// Running reports whether there may be something to record still.
func (r *Recording) Running() bool {
	return !r.egress.Ended() && (r.status == Active || r.status == Stopped || r.status == FailedToStop)
}

// Start notes that the egress runs. Told the same worker again it does
// nothing, whatever happened since: an event may have overtaken the start.
func (r *Recording) Start(workerID string) error {
	if workerID != "" && r.workerID == workerID {
		return nil
	}
	if err := r.to(Active); err != nil {
		return err
	}
	r.workerID = workerID
	return nil
}

// FailStart notes that no egress runs for it: the room is free again.
func (r *Recording) FailStart() error { return r.to(FailedToStart) }

// Stop notes that the egress was asked to end and its file is on the way.
func (r *Recording) Stop() error { return r.to(Stopped) }

// FailStop notes that the egress could not be stopped.
func (r *Recording) FailStop() error { return r.to(FailedToStop) }

// Abort notes that the egress ended without a file.
func (r *Recording) Abort() error { return r.to(Aborted) }

// Save notes that the file is in the bucket.
func (r *Recording) Save() error { return r.to(Saved) }

func (r *Recording) to(s Status) error {
	if r.status == s {
		return nil
	}
	if !slices.Contains(next[r.status], s) {
		return fault.About(fault.Conflict, "recording_transition", string(r.status)+" to "+string(s))
	}
	r.status = s
	return nil
}

// ExpiresAt is when the recording may no longer be downloaded; ok is false when
// days is zero: never (RECORDING_EXPIRATION_DAYS).
func (r *Recording) ExpiresAt(days int) (at time.Time, ok bool) {
	if days == 0 {
		return time.Time{}, false
	}
	return r.CreatedAt.AddDate(0, 0, days), true
}

// Expired reports whether that time has passed.
func (r *Recording) Expired(days int, now time.Time) bool {
	at, ok := r.ExpiresAt(days)
	return ok && at.Before(now)
}
