package ports

import "context"

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
}

// IdentityProvider is the OpenID provider (oidc.md).
type IdentityProvider interface {
	// LoginURL is where the browser is sent.
	LoginURL(r LoginRequest) (string, error)
	// Exchange redeems a code and fetches the claims. fault.Invalid when a
	// token does not check out, fault.Upstream when the provider fails.
	Exchange(ctx context.Context, code string, r LoginRequest) (Identity, error)
	// LogoutURL is where the browser is sent to end the session there; ok is
	// false when the provider offers no such page.
	LogoutURL(idToken, state, redirectURI string) (url string, ok bool)
}
