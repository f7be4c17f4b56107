package op

import (
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	zop "github.com/zitadel/oidc/v3/pkg/op"
)

// authRequest is an authorization request on its way to a code.
type authRequest struct {
	oidc.AuthRequest
	id   string
	hint string   // subject the application expects, or empty
	by   *session // who has logged in for it
}

// accepts reports whether a session answers the request without a form.
func (r *authRequest) accepts(s *session) bool {
	if r.hint != "" && r.hint != s.user.Sub {
		return false
	}
	// The library turns prompt=login into a maximum age of 0.
	return r.MaxAge == nil || time.Since(s.since) < time.Duration(*r.MaxAge)*time.Second //nolint:gosec // seconds
}

func (r *authRequest) GetID() string          { return r.id }
func (r *authRequest) GetAudience() []string  { return []string{r.ClientID} }
func (r *authRequest) GetClientID() string    { return r.ClientID }
func (r *authRequest) GetNonce() string       { return r.Nonce }
func (r *authRequest) GetRedirectURI() string { return r.RedirectURI }
func (r *authRequest) GetScopes() []string    { return r.Scopes }
func (r *authRequest) GetState() string       { return r.State }
func (r *authRequest) Done() bool             { return r.by != nil }

func (r *authRequest) GetResponseType() oidc.ResponseType { return r.ResponseType }
func (r *authRequest) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }

// GetACR claims that the first wish of acr_values was fulfilled.
func (r *authRequest) GetACR() string {
	if len(r.ACRValues) == 0 {
		return ""
	}
	return r.ACRValues[0]
}

func (r *authRequest) GetAMR() []string {
	if r.by == nil {
		return nil
	}
	return []string{"pwd"}
}

func (r *authRequest) GetAuthTime() time.Time {
	if r.by == nil {
		return time.Time{}
	}
	return r.by.since
}

func (r *authRequest) GetSubject() string {
	if r.by == nil {
		return ""
	}
	return r.by.user.Sub
}

func (r *authRequest) GetCodeChallenge() *oidc.CodeChallenge {
	if r.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}

// client shows a Client to the library.
type client struct {
	Client
	redirects []string // allowed for all clients
}

func (c client) GetID() string { return c.ID }

func (c client) RedirectURIs() []string {
	return slices.Concat(c.Client.RedirectURIs, c.redirects)
}

func (c client) PostLogoutRedirectURIs() []string {
	return slices.Concat(c.PostLogoutURIs, c.redirects)
}

func (c client) ApplicationType() zop.ApplicationType { return zop.ApplicationTypeWeb }

func (c client) AuthMethod() oidc.AuthMethod {
	if c.Secret == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodPost
}

func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (c client) GrantTypes() []oidc.GrantType { return []oidc.GrantType{oidc.GrantTypeCode} }

func (c client) LoginURL(id string) string { return loginPath + "?id=" + url.QueryEscape(id) }

// AccessTokenType is JWT because the library's opaque tokens cannot carry a
// subject with a colon in it.
func (c client) AccessTokenType() zop.AccessTokenType { return zop.AccessTokenTypeJWT }

func (c client) IDTokenLifetime() time.Duration { return tokenLifetime }
func (c client) DevMode() bool                  { return true }
func (c client) IsScopeAllowed(string) bool     { return true }
func (c client) ClockSkew() time.Duration       { return 0 }

func (c client) IDTokenUserinfoClaimsAssertion() bool { return false }

func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string { //nolint:revive // name of the interface
	return func(scopes []string) []string { return scopes }
}

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
