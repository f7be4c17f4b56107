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

// Statuses lists all states.
func Statuses() []Status {
	return []Status{
		Initiated, Active, Stopped, Saved, Aborted, FailedToStart, FailedToStop,
		NotificationSucceeded, ExternalProcessSuccessful, ExternalProcessFailed,
	}
}

// next lists where each state may go. What is not listed is final for events:
// a late one never moves a recording back.
var next = map[Status][]Status{
	Initiated:                 {Active, FailedToStart},
	Active:                    {Stopped, Saved, Aborted, FailedToStop},
	Stopped:                   {Saved, Aborted},
	Saved:                     {NotificationSucceeded, ExternalProcessSuccessful, ExternalProcessFailed},
	Aborted:                   nil,
	FailedToStart:             nil,
	FailedToStop:              nil,
	NotificationSucceeded:     {ExternalProcessSuccessful, ExternalProcessFailed},
	ExternalProcessSuccessful: nil,
	ExternalProcessFailed:     {ExternalProcessSuccessful},
}

// Open reports whether the recording holds its room: one per room.
func (s Status) Open() bool { return s == Initiated || s == Active }

// MaxHoldReason is how long the reason of a legal hold may be, in characters.
const MaxHoldReason = 500

// Final reports whether the recording may be deleted: it does not record.
// Unlike in the Django backend that holds after a notification too.
func (s Status) Final() bool { return !s.Open() }

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
	process  string
	egress   EgressStatus
	unsure   bool

	stored  State // as it was restored
	rewrote bool  // its options changed since
	limited bool  // since it was restored
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

// WantsTranscript reports whether it was asked at the start to write down what is
// said in a film.
func (r *Recording) WantsTranscript() bool {
	wants, _ := r.Options["transcribe"].(bool)
	return wants
}

// Language is what was asked for at the start; empty: nothing was.
func (r *Recording) Language() string {
	language, _ := r.Options["language"].(string)
	return language
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
	r.rewrote = true
}

// New makes an initiated recording.
func New(id, room uuid.UUID, mode Mode, options Options, now time.Time) *Recording {
	return &Recording{
		ID: id, RoomID: room, Mode: mode, Options: maps.Clone(options),
		CreatedAt: now, UpdatedAt: now, status: Initiated,
	}
}

// State is what only verbs change of a recording.
type State struct {
	Status   Status
	WorkerID string       // of its LiveKit egress; empty until it started
	Process  string       // its job at the summary service; empty: none
	Egress   EgressStatus // how far LiveKit said it is; empty until it said anything
	Unsure   bool         // it was asked to stop and nobody knows whether it did
}

// Restore rebuilds a stored recording. r must not be used afterwards.
func Restore(r Recording, s State) *Recording {
	r.status, r.workerID, r.process, r.egress, r.unsure = s.Status, s.WorkerID, s.Process, s.Egress, s.Unsure
	r.stored = s
	return &r
}

// Stored is the state it was restored with.
func (r *Recording) Stored() State { return r.stored }

// Changed reports whether there is something to be stored.
func (r *Recording) Changed() bool { return r.rewrote || r.State() != r.stored }

// Began reports whether it got its egress since it was restored.
func (r *Recording) Began() bool { return r.workerID != "" && r.stored.WorkerID == "" }

// State is what has to be stored to restore it.
func (r *Recording) State() State { return State{r.status, r.workerID, r.process, r.egress, r.unsure} }

// Status is where the recording stands.
func (r *Recording) Status() Status { return r.status }

// WorkerID is the id of its LiveKit egress; empty until it started.
func (r *Recording) WorkerID() string { return r.workerID }

// Egress is how far LiveKit said its egress is; empty until it said anything.
func (r *Recording) Egress() EgressStatus { return r.egress }

// Unsure reports whether it was asked to stop and nobody knows whether it did:
// it failed to stop, but may still be found to have been saved.
func (r *Recording) Unsure() bool { return r.unsure }

// Running reports whether there may be something to record still.
func (s State) Running() bool {
	return !s.Egress.Ended() && (s.Status == Active || s.Status == Stopped || s.Status == FailedToStop)
}

// Savable reports whether the recording may still become saved.
func (r *Recording) Savable() bool { return r.may(Saved) }

// Failed reports whether it is certain that there will be no file.
func (r *Recording) Failed() bool { return r.State().Failed() }

// Failed reports whether it is certain that there will be no file.
func (s State) Failed() bool {
	return s.Status == Aborted || s.Status == FailedToStart || s.Status == FailedToStop && !s.Unsure
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

// FailStop notes that the egress was asked to end and did not say that it will.
// The room is free again. What really becomes of it has to be found out.
func (r *Recording) FailStop() error {
	if err := r.to(FailedToStop); err != nil {
		return err
	}
	r.unsure = true
	return nil
}

// GiveUp is FailStop by hand: a recording that has no end yet, begun or not, holds
// its room no longer. It reports whether the recording is such a one.
func (r *Recording) GiveUp() bool {
	switch r.status {
	case Initiated, Active, Stopped:
		r.status, r.unsure = FailedToStop, true
		return true
	case Saved, Aborted, FailedToStart, FailedToStop, NotificationSucceeded, ExternalProcessSuccessful, ExternalProcessFailed:
	}
	return false
}

// Abort notes that there will be no file.
func (r *Recording) Abort() error { return r.to(Aborted) }

// Save notes that the file is in the bucket.
func (r *Recording) Save() error { return r.to(Saved) }

// Notify notes that everybody was told that the file is there. A recording that
// went on meanwhile stays where it is.
func (r *Recording) Notify() {
	if r.may(NotificationSucceeded) {
		r.status = NotificationSucceeded
	}
}

// Process is its job at the summary service; empty: none.
func (r *Recording) Process() string { return r.process }

// ProcessedBy notes the job at the summary service.
func (r *Recording) ProcessedBy(job string) { r.process = job }

// EndProcess notes how that job ended. A success stays one, and a recording that
// is not saved is not changed: unlike in the Django backend, no call-back makes a
// recording downloadable.
func (r *Recording) EndProcess(succeeded bool) {
	end := ExternalProcessFailed
	if succeeded {
		end = ExternalProcessSuccessful
	}
	if r.may(end) {
		r.status = end
	}
}

func (r *Recording) to(s Status) error {
	if r.status == s {
		return nil
	}
	if !r.may(s) {
		return fault.About(fault.Conflict, "recording_transition", string(r.status)+" to "+string(s))
	}
	r.status, r.unsure = s, false
	return nil
}

func (r *Recording) may(s Status) bool {
	from := r.status
	if r.unsure {
		from = Stopped // for all we know
	}
	return slices.Contains(next[from], s)
}

// ExpiresAt is when the recording may no longer be downloaded; ok is false when
// days is zero: never (RECORDING_EXPIRATION_DAYS).
func (r *Recording) ExpiresAt(days int) (at time.Time, ok bool) {
	if days == 0 {
		return time.Time{}, false
	}
	return r.CreatedAt.UTC().AddDate(0, 0, days), true // a day is 24 hours, wherever the program runs
}

// Expired reports whether that time has passed.
func (r *Recording) Expired(days int, now time.Time) bool {
	at, ok := r.ExpiresAt(days)
	return ok && at.Before(now)
}
