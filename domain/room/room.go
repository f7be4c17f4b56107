package room

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
)

// AccessLevel says who gets into a room without being let in.
type AccessLevel string

// The access levels, exactly as stored.
const (
	Public     AccessLevel = "public"     // everybody
	Trusted    AccessLevel = "trusted"    // everybody who is logged in
	Restricted AccessLevel = "restricted" // only who has a role
)

// Valid reports whether l is one of the three levels.
func (l AccessLevel) Valid() bool { return l == Public || l == Trusted || l == Restricted }

// Room is a meeting room.
type Room struct {
	ID            uuid.UUID
	Name          string
	Slug          string // unique; follows the name
	AccessLevel   AccessLevel
	Configuration Configuration
	PIN           *string // for telephone and room kits; nil when there is none
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// New makes a room. The fault names the field that breaks a rule: a name that
// would be mistaken for an id is reserved, a slug may have 100 characters.
func New(id uuid.UUID, name string, level AccessLevel, conf Configuration, now time.Time) (*Room, error) {
	r := &Room{ID: id, AccessLevel: level, Configuration: conf, CreatedAt: now, UpdatedAt: now}
	if err := r.Rename(name); err != nil {
		return nil, err
	}
	return r, nil
}

// Rename gives the room another name, and the slug that follows from it. Faults
// as in New.
func (r *Room) Rename(name string) error {
	slug := Slug(name)
	if ReservedName(slug) {
		return fault.Field("name", `Room name "`+name+`" is reserved.`)
	}
	if n := utf8.RuneCountInString(slug); n > MaxSlug {
		return fault.Field("slug", fmt.Sprintf("Ensure this value has at most %d characters (it has %d).", MaxSlug, n))
	}
	r.Name, r.Slug = name, slug
	return nil
}

// Admits reports whether a person gets a token without asking: everybody into
// a public room, everybody logged in into a trusted one, everybody with a role
// into any.
func (r *Room) Admits(loggedIn bool, role access.Role) bool {
	return role != access.None || r.AccessLevel == Public || (r.AccessLevel == Trusted && loggedIn)
}
