package user

import (
	"strings"
	"time"

	"github.com/google/uuid"
)

// User is an account.
type User struct {
	ID                       uuid.UUID
	Sub                      *string // subject at the provider and LiveKit identity; nil until the first login
	Email                    *string
	AdminEmail               *string
	FullName                 *string
	ShortName                *string
	Language                 string
	Timezone                 string // IANA name
	Active                   bool
	DefaultRoomAccessLevel   *string // nil or empty: the installation's default
	DefaultRoomConfiguration map[string]any
	CreatedAt                time.Time

	// Teams are those the provider named at the login; only the account of a
	// session has any.
	Teams []string
}

// Key is the id of u; uuid.Nil when u is nil, an anonymous visitor.
func (u *User) Key() uuid.UUID {
	if u == nil {
		return uuid.Nil
	}
	return u.ID
}

// Identity is what the person is called in LiveKit: the subject, or the account
// id while the provider has not told one.
func (u *User) Identity() string {
	if u.Sub != nil && *u.Sub != "" {
		return *u.Sub
	}
	return u.ID.String()
}

// DisplayName is the full name, else the e-mail, else the admin e-mail, else
// the id.
func (u *User) DisplayName() string {
	if u.FullName != nil && *u.FullName != "" {
		return *u.FullName
	}
	return u.MailName()
}

// MailName is what the account is called in mails to others: the e-mail, else
// the admin e-mail, else the id (database.md §2).
func (u *User) MailName() string {
	for _, name := range []*string{u.Email, u.AdminEmail} {
		if name != nil && *name != "" {
			return *name
		}
	}
	return u.ID.String()
}

// Zone is the person's time zone; UTC when there is no such zone.
func (u *User) Zone() *time.Location {
	zone, err := time.LoadLocation(u.Timezone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// Claims is what a provider said about a person. Empty means not said.
type Claims struct {
	Sub       string
	Email     string
	Verified  bool // the provider says that the e-mail is the person's
	FullName  string
	ShortName string
}

// ClaimNames says in which claims the names are found
// (OIDC_USERINFO_FULLNAME_FIELDS, OIDC_USERINFO_SHORTNAME_FIELD).
type ClaimNames struct {
	FullName  []string
	ShortName string
}

// Claims reads the claims of a userinfo answer.
func (n ClaimNames) Claims(info map[string]any) Claims {
	text := func(name string) string { s, _ := info[name].(string); return s }
	var parts []string
	for _, name := range n.FullName {
		if s := text(name); s != "" {
			parts = append(parts, s)
		}
	}
	return Claims{
		Sub: text("sub"), Email: text("email"),
		Verified: info["email_verified"] == true || info["email_verified"] == "true",
		FullName: strings.Join(parts, " "), ShortName: text(n.ShortName),
	}
}

// New makes the account of a person who logs in for the first time.
func New(id uuid.UUID, c Claims, language string, now time.Time) *User {
	u := &User{
		ID: id, Sub: &c.Sub, Language: language, Timezone: "UTC", Active: true,
		DefaultRoomConfiguration: map[string]any{}, CreatedAt: now,
	}
	u.Update(c)
	return u
}

// Update takes over what the provider says now: claims that are empty never
// erase. It reports whether anything changed. The subject stays.
func (u *User) Update(c Claims) bool {
	changed := false
	for _, f := range []struct {
		field **string
		claim string
	}{{&u.Email, c.Email}, {&u.FullName, c.FullName}, {&u.ShortName, c.ShortName}} {
		if f.claim != "" && (*f.field == nil || **f.field != f.claim) {
			*f.field = &f.claim
			changed = true
		}
	}
	return changed
}
