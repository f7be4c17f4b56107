package oidc

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"meetd/domain/fault"
	"meetd/ports"
)

// Param is one extra parameter of the authorization request, in order.
type Param struct{ Name, Value string }

// Config says where the provider is and how it is asked (settings.md, OIDC).
type Config struct {
	Issuer         string // empty: not checked
	ClientID       string
	ClientSecret   string
	Algorithm      string // of ID tokens and signed userinfo; nothing else is accepted
	Scopes         string
	AuthURL        string
	TokenURL       string
	UserInfoURL    string
	UserInfoFormat string // AUTO, JSON or JWT
	JWKSURL        string
	LogoutURL      string // empty: no logout at the provider
	Extra          []Param
	ChallengePlain bool // PKCE method plain instead of S256
	VerifyTLS      bool
	Timeout        time.Duration // of one call
}

// maxAnswer bounds what a provider may send, in bytes.
const maxAnswer = 1 << 20

// skew is how far the provider's clock may be off.
const skew = 10 * time.Second

// Provider is one OpenID provider.
type Provider struct {
	c      Config
	client *http.Client
	keys   oidc.KeySet
}

var _ ports.IdentityProvider = (*Provider)(nil)

// New prepares the provider; it does not connect.
func New(c Config) *Provider {
	transport := http.DefaultTransport.(*http.Transport).Clone()              //nolint:forcetypeassert // net/http promises it
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: !c.VerifyTLS} //nolint:gosec // OIDC_VERIFY_SSL, on by default
	p := &Provider{c: c, client: &http.Client{Timeout: c.Timeout, Transport: transport}}
	if strings.HasPrefix(c.Algorithm, "HS") {
		p.keys = secretKey(c.ClientSecret)
	} else {
		p.keys = rp.NewRemoteKeySet(p.client, c.JWKSURL)
	}
	return p
}

// secretKey verifies what the provider signed with the client's secret.
type secretKey string

// VerifySignature implements oidc.KeySet.
func (k secretKey) VerifySignature(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	payload, err := jws.Verify([]byte(k))
	if err != nil {
		return nil, fmt.Errorf("verify with the client secret: %w", err)
	}
	return payload, nil
}

// LoginURL is the authorization request, its parameters in the contract's order.
func (p *Provider) LoginURL(r ports.LoginRequest) (string, error) {
	if p.c.AuthURL == "" {
		return "", errors.New("OIDC_OP_AUTHORIZATION_ENDPOINT is not set")
	}
	params := []Param{
		{"response_type", "code"},
		{"scope", p.c.Scopes},
		{"client_id", p.c.ClientID},
		{"redirect_uri", r.RedirectURI},
		{"state", r.State},
	}
	extra := p.c.Extra
	if r.Silent {
		extra = append(slices.Clone(extra), Param{"prompt", "none"})
	}
	if r.LoginHint != "" {
		extra = append(slices.Clone(extra), Param{"login_hint", r.LoginHint})
	}
	// What is configured wins over the standard parameters, in their place.
	for _, e := range extra {
		if at := slices.IndexFunc(params, func(p Param) bool { return p.Name == e.Name }); at >= 0 {
			params[at] = e
		} else {
			params = append(params, e)
		}
	}
	if r.Nonce != "" {
		params = append(params, Param{"nonce", r.Nonce})
	}
	if r.Verifier != "" {
		challenge, method := r.Verifier, "plain"
		if !p.c.ChallengePlain {
			challenge, method = oidc.NewSHACodeChallenge(r.Verifier), "S256"
		}
		params = append(params, Param{"code_challenge", challenge}, Param{"code_challenge_method", method})
	}
	return withQuery(p.c.AuthURL, params), nil
}

func withQuery(address string, params []Param) string {
	parts := make([]string, len(params))
	for i, p := range params {
		parts[i] = url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value)
	}
	joint := "?"
	if strings.Contains(address, "?") {
		joint = "&"
	}
	return address + joint + strings.Join(parts, "&")
}

// LogoutURL is the end-session request.
func (p *Provider) LogoutURL(idToken, state, redirectURI string) (string, bool) {
	if p.c.LogoutURL == "" {
		return "", false
	}
	return withQuery(p.c.LogoutURL, []Param{
		{"id_token_hint", idToken}, {"state", state}, {"post_logout_redirect_uri", redirectURI},
	}), true
}

// Exchange redeems the code, verifies the ID token and fetches the claims,
// which must be about the same subject.
func (p *Provider) Exchange(ctx context.Context, code string, r ports.LoginRequest) (ports.Identity, error) {
	conf := oauth2.Config{
		ClientID: p.c.ClientID, ClientSecret: p.c.ClientSecret, RedirectURL: r.RedirectURI,
		Endpoint: oauth2.Endpoint{TokenURL: p.c.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
	var opts []oauth2.AuthCodeOption
	if r.Verifier != "" {
		opts = append(opts, oauth2.SetAuthURLParam("code_verifier", r.Verifier))
	}
	token, err := conf.Exchange(context.WithValue(ctx, oauth2.HTTPClient, p.client), code, opts...)
	if err != nil {
		return ports.Identity{}, upstream("token endpoint", err)
	}
	idToken, _ := token.Extra("id_token").(string)
	claims, err := p.verify(ctx, idToken, r.Nonce)
	if err != nil {
		return ports.Identity{}, err
	}
	info, err := p.userInfo(ctx, token.AccessToken)
	if err != nil {
		return ports.Identity{}, err
	}
	if sub, told := info["sub"]; told && sub != claims.Subject {
		return ports.Identity{}, invalid(errors.New("userinfo is about another subject than the ID token"))
	}
	return ports.Identity{Claims: info, IDToken: idToken}, nil
}

func (p *Provider) verify(ctx context.Context, token, nonce string) (*oidc.IDTokenClaims, error) {
	claims := new(oidc.IDTokenClaims)
	payload, err := oidc.ParseToken(token, claims)
	if err != nil {
		return nil, invalid(err)
	}
	checks := []func() error{
		func() error { return oidc.CheckSubject(claims) },
		func() error {
			if p.c.Issuer == "" {
				return nil
			}
			return oidc.CheckIssuer(claims, p.c.Issuer)
		},
		func() error { return oidc.CheckAudience(claims, p.c.ClientID) },
		func() error { return oidc.CheckAuthorizedParty(claims, p.c.ClientID) },
		func() error {
			return oidc.CheckSignature(ctx, token, payload, claims, []string{p.c.Algorithm}, p.keys)
		},
		func() error { return oidc.CheckExpiration(claims, 0) },
		func() error { return oidc.CheckIssuedAt(claims, 0, skew) },
		func() error {
			if nonce == "" {
				return nil
			}
			return oidc.CheckNonce(claims, nonce)
		},
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return nil, invalid(err)
		}
	}
	return claims, nil
}

func (p *Provider) userInfo(ctx context.Context, accessToken string) (map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.c.UserInfoURL, nil)
	if err != nil {
		return nil, fmt.Errorf("OIDC_OP_USER_ENDPOINT: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, upstream("userinfo endpoint", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end below
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, upstream("userinfo endpoint", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, upstream("userinfo endpoint", errors.New(resp.Status))
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if p.c.UserInfoFormat == "JWT" || (p.c.UserInfoFormat != "JSON" && strings.EqualFold(kind, "application/jwt")) {
		return p.signedUserInfo(ctx, strings.TrimSpace(string(body)))
	}
	var info map[string]any
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, upstream("userinfo endpoint", err)
	}
	return info, nil
}

func (p *Provider) signedUserInfo(ctx context.Context, token string) (map[string]any, error) {
	claims := new(oidc.IDTokenClaims)
	payload, err := oidc.ParseToken(token, claims)
	if err != nil {
		return nil, invalid(err)
	}
	if err := oidc.CheckSignature(ctx, token, payload, claims, []string{p.c.Algorithm}, p.keys); err != nil {
		return nil, invalid(err)
	}
	if exp := claims.GetExpiration(); !exp.IsZero() {
		if err := oidc.CheckExpiration(claims, 0); err != nil {
			return nil, invalid(err)
		}
	}
	var info map[string]any
	if err := json.Unmarshal(payload, &info); err != nil {
		return nil, invalid(err)
	}
	return info, nil
}

func invalid(err error) error { return fault.Wrap(fault.Invalid, "identity", err) }

func upstream(where string, err error) error {
	return fault.Wrap(fault.Upstream, "identity", fmt.Errorf("%s: %w", where, err))
}
