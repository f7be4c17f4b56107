package participant

import (
	"time"

	"meetd/domain/access"
	"meetd/domain/room"
	"meetd/domain/user"
)

// TokenTTL is how long a token to join is good for.
const TokenTTL = 6 * time.Hour

// Grant is what a participant may do.
type Grant struct {
	Room     string
	Identity string
	Name     string
	Role     access.Role
	LoggedIn bool
	Sources  []room.Source // what may be published; empty: nothing
	Color    string        // empty: derived from the identity
	TTL      time.Duration
}

// Person is somebody who wants to join.
type Person struct {
	User     *user.User // nil: nobody is logged in
	Guest    string     // identity of a person who is not logged in
	Role     access.Role
	Username string // how he wants to be called; empty: as his account says
}

// Identity is what the person is called in LiveKit.
func (p Person) Identity() string {
	if p.User == nil {
		return p.Guest
	}
	return p.User.Identity()
}

// Rules are what the installation decides about participants.
type Rules struct {
	EditableNames bool          // AUTHENTICATED_PARTICIPANTS_CAN_EDIT_DISPLAY_NAME
	Sources       []room.Source // LIVEKIT_DEFAULT_SOURCES
}

// Grant is what p gets in the LiveKit room called name, whose configuration is
// conf. Guests may always choose their name; what people without privileges
// publish is the room's decision.
func (r Rules) Grant(p Person, name string, conf room.Configuration) Grant {
	g := Grant{
		Room: name, Identity: p.Identity(), Name: "Anonymous", Role: p.Role, LoggedIn: p.User != nil,
		Sources: r.Sources, TTL: TokenTTL,
	}
	if p.User != nil {
		g.Name = p.User.DisplayName()
	}
	if p.Username != "" && (p.User == nil || r.EditableNames) {
		g.Name = p.Username
	}
	if sources, ok := conf.PublishSources(); ok && !p.Role.Privileged() {
		g.Sources = sources
	}
	return g
}
