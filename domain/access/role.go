package access

// Role is what somebody is on a room or a recording, exactly as stored
// (database.md §2). The zero value means no role.
type Role string

// The roles, weakest first.
const (
	None          Role = ""
	Member        Role = "member"
	Administrator Role = "administrator"
	Owner         Role = "owner"
)

// Privileged reports whether r may administer: administrators and owners.
func (r Role) Privileged() bool { return r == Administrator || r == Owner }

// Valid reports whether r is one of the three stored roles.
func (r Role) Valid() bool { return r == Member || r.Privileged() }

// MayAssign reports whether somebody with role r may make an access with the
// role old (None: a new one) into one with the role to (http-users-rooms.md
// §11): owners are made by owners, and an owner is changed by nobody but
// himself.
func (r Role) MayAssign(old, to Role, self bool) bool {
	if old == Owner && !self {
		return false
	}
	return r == Owner || (r == Administrator && to != Owner)
}
