package user

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Session is what the service remembers of a browser.
type Session struct {
	User      uuid.UUID // whose it is; uuid.Nil for an anonymous visitor
	Data      SessionData
	CreatedAt time.Time
	ExpiresAt time.Time // absolute: it never slides
}

// SessionData is the part of a session that login and logout need.
type SessionData struct {
	Logins   map[string]PendingLogin // by state
	Logouts  map[string]time.Time    // by state: when it began
	ReturnTo string                  // where to go after the login; empty: the default page
	Silent   bool                    // the last login was asked for without a page
	IDToken  string                  // to name the session at the provider when it ends
}

// PendingLogin is a login that has gone to the provider.
type PendingLogin struct {
	Nonce    string // empty: none was sent
	Verifier string // PKCE code verifier; empty: none
	Added    time.Time
}

// MaxPending is how many logins and logouts of one browser may be under way;
// the oldest gives way (oidc.md §2).
const MaxPending = 50

// AddLogin remembers a login.
func (d *SessionData) AddLogin(state string, p PendingLogin) {
	if d.Logins == nil {
		d.Logins = map[string]PendingLogin{}
	}
	drop(d.Logins, func(p PendingLogin) time.Time { return p.Added })
	d.Logins[state] = p
}

// TakeLogin forgets and returns a login: a state works once.
func (d *SessionData) TakeLogin(state string) (PendingLogin, bool) {
	p, ok := d.Logins[state]
	delete(d.Logins, state)
	return p, ok
}

// AddLogout remembers a logout.
func (d *SessionData) AddLogout(state string, now time.Time) {
	if d.Logouts == nil {
		d.Logouts = map[string]time.Time{}
	}
	drop(d.Logouts, func(t time.Time) time.Time { return t })
	d.Logouts[state] = now
}

func drop[V any](pending map[string]V, added func(V) time.Time) {
	for len(pending) >= MaxPending {
		oldest := slices.MinFunc(slices.Collect(maps.Keys(pending)), func(a, b string) int {
			return added(pending[a]).Compare(added(pending[b]))
		})
		delete(pending, oldest)
	}
}
