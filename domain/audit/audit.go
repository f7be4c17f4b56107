package audit

import (
	"time"

	"github.com/google/uuid"
)

// Action is what was done.
type Action string

// The actions, as stored.
const (
	LoggedIn      Action = "logged_in"
	LoginRefused  Action = "login_refused"
	LoggedOut     Action = "logged_out"
	SessionsEnded Action = "sessions_ended" // by the provider or an operator
	MergeStarted  Action = "account_merge_started"
	MergeFinished Action = "account_merge_finished"
	MergeUndone   Action = "account_merge_undone"
	StaffChanged  Action = "staff_changed" // somebody was made a superuser

	AdminAdded   Action = "admin_added" // by the administration, as what follows; the model is in the details
	AdminChanged Action = "admin_changed"
	AdminDeleted Action = "admin_deleted"
	JobRetried   Action = "job_retried"
	JobCancelled Action = "job_cancelled"

	RecordingStarted    Action = "recording_started"
	RecordingStopped    Action = "recording_stopped"    // by somebody; not when it ended by itself
	RecordingDownloaded Action = "recording_downloaded" // once an hour for each person and recording
	RecordingDeleted    Action = "recording_deleted"    // by somebody, with its room, or because of its age
	RecordingHeld       Action = "recording_held"       // must not be deleted
	RecordingReleased   Action = "recording_released"   // may be deleted again

	RoomDeleted        Action = "room_deleted"
	GuestAdmitted      Action = "guest_admitted" // from the lobby
	GuestRefused       Action = "guest_refused"
	ParticipantRemoved Action = "participant_removed" // from the meeting

	RoleGiven   Action = "role_given" // on a room or a recording
	RoleChanged Action = "role_changed"
	RoleTaken   Action = "role_taken"

	PersonExported Action = "person_exported"
	PersonErased   Action = "person_erased"
)

// Event is one thing that was done. It holds ids and reasons, never names,
// addresses or secrets.
type Event struct {
	At      time.Time
	Action  Action
	Actor   uuid.UUID         // the account that did it; uuid.Nil: nobody we know, or an operator
	Subject string            // what it was done to, e.g. the id of an account; may be empty
	Details map[string]string // e.g. the reason of a refusal; may be nil
}
