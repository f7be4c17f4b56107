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
	Sub       string    // subject at the provider that began it; empty: not begun by a provider
	SID       string    // session at the provider; empty: not told
	Teams     []string  // that the provider named at the login
	Data      SessionData
	CreatedAt time.Time
	ExpiresAt time.Time // absolute: it never slides
}

// SessionData is the part of a session that login and logout need.
type SessionData struct {
	Logins   map[string]PendingLogin // by state
	Logouts  map[string]time.Time    // by state: when it began
	ReturnTo string                  // where to go after the login; empty: the default page
	IDToken  string                  // to name the session at the provider when it ends
	Notes    []Note                  // what the administration tells on its next page
}

// Note is something that the administration tells once.
type Note struct {
	Level NoteLevel
	Text  string
}

// NoteLevel is how good it is.
type NoteLevel string

// The levels.
const (
	Success NoteLevel = "success"
	Warning NoteLevel = "warning"
	Failure NoteLevel = "error"
)

// MaxNotes is how many notes are kept: the latest.
const MaxNotes = 200

// AddNotes remembers what is to be told.
func (d *SessionData) AddNotes(notes ...Note) {
	d.Notes = append(d.Notes, notes...)
	d.Notes = d.Notes[max(0, len(d.Notes)-MaxNotes):]
}

// PendingLogin is a login that has gone to the provider.
type PendingLogin struct {
	Nonce    string // empty: none was sent
	Verifier string // PKCE code verifier; empty: none
	Silent   bool   // asked for without a page: that nobody is there is no failure
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

// TakeRefused handles the provider's refusal of a login (oidc.md §3) and reports
// whether it was a silent one. That a silent login found nobody leaves its state
// valid, but the next refusal counts. A state that is not known stands for all
// logins of the session.
func (d *SessionData) TakeRefused(state string, nobodyThere bool) (known, silent bool) {
	p, known := d.Logins[state]
	switch {
	case known && p.Silent && nobodyThere:
		p.Silent = false
		d.Logins[state] = p
		return true, true
	case known:
		delete(d.Logins, state)
		return true, p.Silent
	}
	for s, p := range d.Logins {
		silent = silent || p.Silent
		if !nobodyThere {
			p.Silent = false
			d.Logins[s] = p
		}
	}
	return false, silent
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
