package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/recording"
	"meetd/domain/user"
)

// Admin are the repositories that only the administration has (admin.md).
type Admin struct {
	Accounts Accounts
	Groups   Groups
	Lists    AdminLists
	Shares   RecordingAccesses
	Log      AdminLog
}

// Accounts keeps accounts as the administration sees them.
type Accounts interface {
	// Operator tells whose session it is; fault.NotFound when it is over,
	// anonymous, or the account is disabled.
	Operator(ctx context.Context, key SessionKey, now time.Time) (user.Operator, error)
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (*user.Account, error)
	// Lock is Get, and keeps everybody else from changing the account.
	Lock(ctx context.Context, id uuid.UUID) (*user.Account, error)
	// Find takes an id, a subject, an e-mail or an admin e-mail. fault.NotFound for
	// nobody, fault.Conflict when there are several.
	Find(ctx context.Context, text string) (*user.User, error)
	// Create stores a new account without a subject. fault.Conflict with code
	// "admin_email" when the address is taken.
	Create(ctx context.Context, a *user.Account) error
	// Save stores all that the administration may change, and the password. Faults
	// as in Create.
	Save(ctx context.Context, a *user.Account, at time.Time) error
	// Delete removes the account with all that hangs on it, but for its files and
	// sessions, which must be gone.
	Delete(ctx context.Context, id uuid.UUID) error
	// Rights lists what can be given to accounts.
	Rights(ctx context.Context) (Rights, error)
}

// Rights are the groups and permissions there are.
type Rights struct {
	Groups      []user.Group // without what they allow
	Permissions []NamedPermission
}

// Groups keeps groups of accounts.
type Groups interface {
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id int32) (*user.Group, error)
	// Lock is Get, and keeps everybody else from changing the group. Who its members
	// are may change.
	Lock(ctx context.Context, id int32) (*user.Group, error)
	// Create stores a new group and gives it its id. fault.Conflict with code
	// "group_name" when another has the name.
	Create(ctx context.Context, g *user.Group) error
	// Save stores the name and what the group allows. Faults as in Create.
	Save(ctx context.Context, g *user.Group) error
	// Delete removes a group, and its members from it. fault.Conflict with code
	// "group" when somebody is put into it at that moment.
	Delete(ctx context.Context, id int32) error
	// Members counts its members.
	Members(ctx context.Context, id int32) (int, error)
}

// NamedPermission is a permission as people read it.
type NamedPermission struct {
	user.Permission
	Name string
}

// AccountBelongings is what hangs on an account.
type AccountBelongings struct {
	Rooms      int // roles on rooms
	Orphans    int // rooms that have no other owner
	Recordings int // roles on recordings
	Files      int // which keep the account from being deleted
	Entries    int // what it did, in the change log
	Sessions   int // live ones
}

// RoomBelongings is what hangs on a room.
type RoomBelongings struct {
	Accesses   int
	Recordings int
	Held       int // recordings on legal hold
}

// RecordingAccess is a role on a recording, of an account or of a team.
type RecordingAccess struct {
	ID        uuid.UUID
	Recording uuid.UUID
	User      uuid.UUID // uuid.Nil: it is a team's
	Team      string
	Role      access.Role
	Name      string // whose it is, to be shown; not stored
}

// RecordingAccesses keeps who has a role on which recording.
type RecordingAccesses interface {
	// Of lists the newest 500 roles on a recording.
	Of(ctx context.Context, recording uuid.UUID) ([]RecordingAccess, error)
	// Save stores a new role, or another one for an access that is there. A second
	// one of the same user or team is fault.Conflict.
	Save(ctx context.Context, a RecordingAccess, at time.Time) error
	// Delete removes one; one that is not there is no error.
	Delete(ctx context.Context, id uuid.UUID) error
	// Hold tells whether and why a recording must not be deleted; fault.NotFound
	// when it may.
	Hold(ctx context.Context, recording uuid.UUID) (Hold, error)
}

// Listing is which rows of a list are wanted.
type Listing struct {
	Search  string
	Filters map[string]string // of those the list has; any other is passed over
	Sort    string            // one of the orders of the list; else its own
	Reverse bool              // the other way round
	Cursor  string            // a place that Listed gave; empty: the beginning
	Back    bool              // what comes before that place
	Size    int
	Now     time.Time // of filters by age
}

// Listed is a page of a list.
type Listed[T any] struct {
	Rows     []T
	Next     string // place of what comes after; empty: nothing does
	Previous string // likewise before
	Count    int    // how many there are in all
	More     bool   // there are more than Count
	Partial  bool   // the search finds too much: only some of it is listed
}

// MostMembers is up to which number the members of a group in a list are counted.
const MostMembers = 10_000

// GroupLine is a group in a list.
type GroupLine struct {
	ID          int32
	Name        string
	Members     int // at most one more than MostMembers
	Permissions int
}

// RoomLine is a room in a list.
type RoomLine struct {
	ID          uuid.UUID
	Name        string
	Slug        string
	AccessLevel string
	Owner       string // of the only one; empty: see Owners
	Owners      int
	CreatedAt   time.Time
}

// RecordingLine is a recording in a list.
type RecordingLine struct {
	ID        uuid.UUID
	Status    recording.Status
	Mode      recording.Mode
	RoomID    uuid.UUID
	Room      string // its name
	Owner     string // of the only one; empty: see Owners
	Owners    int
	CreatedAt time.Time
	UpdatedAt time.Time
	WorkerID  string
	Held      bool
	Egress    recording.EgressStatus // only of stuck ones, as what follows
	Unsure    bool
	LookAt    time.Time // when it is looked at again; zero: at once
}

// LogFlag is what was done to an object.
type LogFlag int16

// The flags, as Django stores them.
const (
	LogAdded   LogFlag = 1
	LogChanged LogFlag = 2
	LogDeleted LogFlag = 3
)

// LogEntry is one change by the administration.
type LogEntry struct {
	ID      int64
	At      time.Time
	By      uuid.UUID
	ByName  string // not stored
	Model   user.Model
	Object  string // id
	Name    string // what it was called then
	Flag    LogFlag
	Message string // as Django's admin writes it: a list in JSON, or nothing
}

// AdminLists are the lists of the administration. Each looks at a bounded number
// of rows; one that would take too long is fault.Invalid with code "list_slow".
// A cursor that was not given by it is fault.Invalid with code "cursor".
type AdminLists interface {
	Users(ctx context.Context, l Listing) (Listed[user.Account], error)
	Groups(ctx context.Context, l Listing) (Listed[GroupLine], error)
	Rooms(ctx context.Context, l Listing) (Listed[RoomLine], error)
	Recordings(ctx context.Context, l Listing) (Listed[RecordingLine], error)
	Log(ctx context.Context, l Listing) (Listed[LogEntry], error)
	// Stuck lists up to most recordings without an end that have not changed since
	// before, the oldest first.
	Stuck(ctx context.Context, before time.Time, most int) ([]RecordingLine, error)
	OfAccount(ctx context.Context, id uuid.UUID, now time.Time) (AccountBelongings, error)
	OfRoom(ctx context.Context, id uuid.UUID) (RoomBelongings, error)
}

// AdminLog keeps what the administration changed, where Django looks for it.
type AdminLog interface {
	// Add writes entries down.
	Add(ctx context.Context, entries ...LogEntry) error
}

// Job is a background job as its operator sees it.
type Job struct {
	ID          int64
	Kind        string
	State       string
	Attempt     int // how often it was tried
	MaxAttempts int
	Next        time.Time // when it is tried again; zero: it is not
	Subject     string    // what it is about, in JSON
	Failure     string    // why the last attempt failed, on one line and without secrets; empty: none did
}

// JobQueue is the queue as its operator sees it.
type JobQueue interface {
	// List gives up to limit jobs, the newest first: those in a state, of a kind.
	// An empty state stands for what was given up or waits for another try, an empty
	// kind for all of them.
	List(ctx context.Context, state, kind string, limit int) ([]Job, error)
	// Retry has a job done again, at once, and gives its state. fault.NotFound for an
	// unknown one, fault.Conflict when another waits to do the same.
	Retry(ctx context.Context, id int64) (state string, err error)
	// Cancel gives a job up, and gives its state. fault.NotFound as in Retry.
	Cancel(ctx context.Context, id int64) (state string, err error)
}
