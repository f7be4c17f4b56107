package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"meetd/domain/fault"
	"meetd/ports"
)

// skew is how far the provider's clock may be ahead of ours.
const skew = 10 * time.Second

// idToken checks an ID token (oidc.md §3), and more than the Django backend
// does: issuer, audience, authorized party and subject.
func (p *Provider) idToken(ctx context.Context, token, nonce string) (*tokenClaims, error) {
	claims := new(tokenClaims)
	payload, err := parse(token, claims)
	if err != nil {
		return nil, refused(fmt.Errorf("ID token: %w", err))
	}
	if err := p.signature(ctx, token, payload, claims, p.algorithms); err != nil {
		return nil, err
	}
	if nonce != "" {
		if err := oidc.CheckNonce(claims, nonce); err != nil {
			return nil, invalid(err)
		}
	}
	return claims, p.firstFault("ID token",
		func() error { return oidc.CheckSubject(claims) },
		func() error { return p.checkIssuer(claims) },
		func() error { return oidc.CheckAudience(claims, p.c.ClientID) },
		func() error { return oidc.CheckAuthorizedParty(claims, p.c.ClientID) },
		func() error { return oidc.CheckExpiration(claims, 0) },
		func() error { return oidc.CheckIssuedAt(claims, 0, skew) },
		func() error { return checkNotBefore(claims.NotBefore.AsTime()) },
	)
}

// logoutEvent names a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// maxLogoutLifetime is how long the specification wants a logout token to live
// at most; a longer one is only logged (oidc.md §6).
const maxLogoutLifetime = 2 * time.Minute

type logoutClaims struct {
	tokenClaims
	ID     string                     `json:"jti"`
	Events map[string]json.RawMessage `json:"events"`
}

// Logout checks a logout token (oidc.md §6): fault.Invalid "logout_token" when
// it does not check out, "logout_subject" when it names neither a subject nor a
// session, fault.Upstream when the provider's keys cannot be had.
func (p *Provider) Logout(ctx context.Context, token string) (ports.Logout, error) {
	claims := new(logoutClaims)
	payload, err := parse(token, claims)
	if err == nil {
		algorithms := p.algorithms
		if _, remote := p.keys.(*remoteKeys); remote {
			algorithms = slices.Concat(algorithms, []string{string(jose.RS256), string(jose.ES256)})
		}
		err = p.signature(ctx, token, payload, claims, algorithms)
	}
	if err == nil {
		err = p.firstFault("logout token",
			func() error {
				if p.c.Issuer == "" {
					return errors.New("OIDC_OP_URL is not set, so nobody can be told to log out")
				}
				return p.checkIssuer(claims)
			},
			func() error { return oidc.CheckAudience(claims, p.c.ClientID) },
			func() error { return oidc.CheckExpiration(claims, 0) },
			func() error { return oidc.CheckIssuedAt(claims, 0, skew) },
			func() error { return checkNotBefore(claims.NotBefore.AsTime()) },
			claims.check,
		)
	}
	switch {
	case errors.Is(err, fault.Upstream):
		return ports.Logout{}, err
	case err != nil:
		return ports.Logout{}, fault.Wrap(fault.Invalid, "logout_token", err)
	case claims.Subject == "" && claims.SessionID == "":
		return ports.Logout{}, fault.New(fault.Invalid, "logout_subject")
	}
	if life := claims.GetExpiration().Sub(claims.GetIssuedAt()); life > maxLogoutLifetime {
		p.c.Log.WarnContext(ctx, "a logout token lives longer than it should", "lifetime", life)
	}
	return ports.Logout{
		Sub: claims.Subject, SID: claims.SessionID, ID: claims.ID, ExpiresAt: claims.GetExpiration(),
	}, nil
}

// check is what makes a logout token one and no other token.
func (c *logoutClaims) check() error {
	var event map[string]json.RawMessage
	switch {
	case json.Unmarshal(c.Events[logoutEvent], &event) != nil || event == nil:
		return errors.New("it does not speak of a logout")
	case c.Nonce != "":
		return errors.New("it has a nonce")
	case c.ID == "":
		return errors.New("it has no jti")
	}
	return nil
}

// attempt remembers why a signature was not accepted: the library keeps only
// the text.
type attempt struct {
	oidc.KeySet
	err error
}

func (a *attempt) VerifySignature(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	payload, err := a.KeySet.VerifySignature(ctx, jws)
	a.err = err
	return payload, err //nolint:wrapcheck // only passed on
}

// signature checks a token that parse has taken apart. It is fault.Invalid for a wrong algorithm, an unknown key and a bad
// signature, as the contract has it; every other token is fault.Forbidden.
func (p *Provider) signature(ctx context.Context, token string, payload []byte, claims oidc.ClaimsSignature, algorithms []string) error {
	var header struct{ Alg string }
	if text, err := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')]); err != nil || json.Unmarshal(text, &header) != nil {
		return refused(oidc.ErrParse)
	}
	if !slices.Contains(algorithms, header.Alg) {
		return invalid(fmt.Errorf("%w: %q", oidc.ErrSignatureUnsupportedAlg, header.Alg))
	}
	keys := &attempt{KeySet: p.keys}
	err := oidc.CheckSignature(ctx, token, payload, claims, algorithms, keys)
	switch {
	case err == nil:
		return nil
	case errors.Is(keys.err, fault.Upstream):
		return keys.err
	case errors.Is(keys.err, errNoKeyID):
		return refused(keys.err)
	case errors.Is(err, oidc.ErrSignatureInvalid):
		return invalid(err)
	}
	return refused(err)
}

func (p *Provider) checkIssuer(claims oidc.Claims) error {
	if p.c.Issuer == "" {
		return nil
	}
	return oidc.CheckIssuer(claims, p.c.Issuer) //nolint:wrapcheck // firstFault says what was checked
}

func checkNotBefore(t time.Time) error {
	if !t.IsZero() && time.Until(t) > skew {
		return errors.New("it is not valid yet")
	}
	return nil
}

func (p *Provider) firstFault(what string, checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return refused(fmt.Errorf("%s: %w", what, err))
		}
	}
	return nil
}

// invalid is for what looks like an attack: the answer is 400.
func invalid(err error) error { return fault.Wrap(fault.Invalid, "identity_token", err) }

// refused is for what the provider got wrong: the browser goes to the failure
// page.
func refused(err error) error { return fault.Wrap(fault.Forbidden, "identity", err) }

func upstream(where string, err error) error {
	return fault.Wrap(fault.Upstream, "identity", fmt.Errorf("%s: %w", where, err))
}
