package ports

import "context"

// Store is the database.
type Store interface {
	// Repos gives the repositories outside a transaction.
	Repos() Repos
	// InTx runs fn in one transaction: committed when fn returns nil, else
	// rolled back. fn touches nothing but the repositories it is given.
	InTx(ctx context.Context, fn func(Repos) error) error
}

// Repos are the repositories, all on the same connection. They hold no InTx, so
// that transactions cannot be nested.
type Repos struct {
	Users         Users
	Staff         Staff
	People        People
	Sessions      Sessions
	UsedTokens    UsedTokens
	Rooms         Rooms
	Accesses      RoomAccesses
	Lobby         Lobby
	Callbacks     Callbacks
	Recordings    Recordings
	Events        Events
	Files         Files
	Notices       Notices
	Holds         Holds
	Jobs          Jobs
	Audit         Audit
	Throttle      Throttle
	Announcements Announcements
	Admin         Admin
}
