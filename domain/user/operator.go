package user

import "github.com/google/uuid"

// Verb is what a permission allows to do with a model.
type Verb string

// The verbs, as Django's permissions begin.
const (
	View   Verb = "view"
	Add    Verb = "add"
	Change Verb = "change"
	Delete Verb = "delete"
)

// Model is a kind of thing that the administration shows, as Django names it:
// application and model.
type Model string

// The models.
const (
	AccountModel         Model = "core.user"
	GroupModel           Model = "auth.group"
	RoomModel            Model = "core.room"
	RoomAccessModel      Model = "core.resourceaccess"
	RecordingModel       Model = "core.recording"
	RecordingAccessModel Model = "core.recordingaccess"
	LogModel             Model = "admin.logentry"
)

// Permission is what may be done, as application.codename.
type Permission string

// Permit is the permission to do something with a model.
func Permit(v Verb, m Model) Permission {
	for i := range len(m) {
		if m[i] == '.' {
			return Permission(string(m[:i+1]) + string(v) + "_" + string(m[i+1:]))
		}
	}
	return ""
}

// Operator is somebody who asks the administration for something.
type Operator struct {
	ID          uuid.UUID
	Name        string // to be shown
	Staff       bool   // may use the administration at all
	Superuser   bool   // may do everything there
	Permissions map[Permission]bool
	Noted       bool // something is to be told on the next page
}

// May reports whether the operator has a permission. Who may change may look, as
// in the Django admin.
func (o Operator) May(v Verb, m Model) bool {
	if !o.Staff {
		return false
	}
	return o.Superuser || o.Permissions[Permit(v, m)] || v == View && o.Permissions[Permit(Change, m)]
}

// MayTouch reports whether the operator may change this account, given that he
// may change accounts: those of staff are left to superusers, since who sets
// their password or their address is them. One's own is one's own.
func (o Operator) MayTouch(a *Account) bool {
	return o.Superuser || a.ID == o.ID || !a.Staff && !a.Superuser
}

// MayDrop reports whether the operator may delete this group, given that he may
// delete groups: with one that allows something its members lose it, and who may
// do what is left to superusers.
func (o Operator) MayDrop(g *Group) bool {
	return o.Superuser || len(g.Permissions) == 0
}
