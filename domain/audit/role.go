package audit

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// What a role may be on.
const (
	OnRoom      = "room"
	OnRecording = "recording"
)

// GaveRole is that actor gave somebody another role on something, which is a kind
// of the above; the empty role is none.
func GaveRole(at time.Time, actor, account uuid.UUID, kind string, id fmt.Stringer, from, to string) Event {
	e := Event{At: at, Action: RoleChanged, Actor: actor, Subject: account.String(), Details: map[string]string{kind: id.String()}}
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
