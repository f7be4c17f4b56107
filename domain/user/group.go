package user

// Group is what accounts are put into, to be allowed what it allows.
type Group struct {
	ID          int32
	Name        string // no other has it
	Permissions []Permission
}

// LongestGroupName is how long the name of a group may be, in characters.
const LongestGroupName = 150
