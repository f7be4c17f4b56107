package ports

import "context"

// Invitation asks people into a meeting that is under way (integrations.md §1).
type Invitation struct {
	To       []string // addresses, which do not see each other
	Language string   // code, e.g. fr-fr
	Sender   string   // e-mail of who invites
	Slug     string   // of the room
}

// Mailer sends mail.
type Mailer interface {
	// Invite sends one message to all addresses. fault.Invalid when the server
	// refuses it for good, fault.Upstream when it may work later.
	Invite(ctx context.Context, i Invitation) error
}
