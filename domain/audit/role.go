package audit

import (
	"time"

	"github.com/google/uuid"
)

// GaveRole is that actor gave somebody another role on a room; the empty role is
// none.
func GaveRole(at time.Time, actor, account, room uuid.UUID, from, to string) Event {
	e := Event{At: at, Action: RoleChanged, Actor: actor, Subject: account.String(), Details: map[string]string{"room": room.String()}}
	switch "" {
	case from:
		e.Action = RoleGiven
	case to:
		e.Action = RoleTaken
	}
	for name, role := range map[string]string{"from": from, "to": to} {
		if role != "" {
			e.Details[name] = role
		}
	}
	return e
}
