package ports

import (
	"context"
	"time"
)

// LoginRequest is what goes into an authorization request besides the
// configured parts.
type LoginRequest struct {
	State       string
	Nonce       string // empty: none
	Verifier    string // PKCE; empty: none
	RedirectURI string
	Silent      bool // prompt=none
	LoginHint   string
}

// Identity is what the provider said after a login.
type Identity struct {
	Claims  map[string]any // of userinfo
	IDToken string
	Sub     string // subject of the ID token
	SID     string // session at the provider; empty: not told
}

// Logout is what the provider says when it ends a session by itself.
type Logout struct {
	Sub       string // whose sessions; empty: any
	SID       string // session at the provider; empty: all of the subject
	ID        string // of the token, which works once
	ExpiresAt time.Time
}

// IdentityProvider is the OpenID provider (oidc.md).
type IdentityProvider interface {
	// LoginURL is where the browser is sent.
	LoginURL(r LoginRequest) (string, error)
	// Exchange redeems a code and fetches the claims. fault.Invalid when the
	// ID token is forged or of another login, fault.Forbidden when the answer
	// does not check out otherwise, fault.Upstream when the provider fails.
	Exchange(ctx context.Context, code string, r LoginRequest) (Identity, error)
	// LogoutURL is where the browser is sent to end the session there; ok is
	// false when the provider offers no such page.
	LogoutURL(idToken, state, redirectURI string) (url string, ok bool)
	// Logout checks a logout token of the provider. fault.Invalid when it does
	// not check out, fault.Upstream when the provider's keys cannot be had.
	Logout(ctx context.Context, token string) (Logout, error)
}

// Inspection is what a provider says of itself.
type Inspection struct {
	Discovered  bool     // it has a discovery document, and we know where
	Differences []string // between that and our settings, a sentence each
	Keys        int      // that fit the algorithm of its ID tokens; -1: none are needed
	// SecretRefused: it does not take our client secret. Some providers look at
	// the code first, and then never say so.
	SecretRefused bool
	At            time.Time // its clock; zero: not told
}
