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
