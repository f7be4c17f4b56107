package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

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
	ChallengePlain bool    // PKCE method plain instead of S256
	Key            *OwnKey // userinfo may be encrypted to it; nil: none
	VerifyTLS      bool
	Timeout        time.Duration // of one call
	// Wrap is put around what makes the calls. nil: nothing is.
	Wrap func(http.RoundTripper) http.RoundTripper
	Log  *slog.Logger
}

// maxAnswer bounds what a provider may send, in bytes.
const maxAnswer = 1 << 20

// Provider is one OpenID provider.
type Provider struct {
	c      Config
	client *http.Client
	keys   oidc.KeySet
	// algorithms has the one that is accepted, as the library wants it.
	algorithms []string
}

var _ ports.IdentityProvider = (*Provider)(nil)

// New prepares the provider; it does not connect.
func New(c Config) *Provider {
	transport := http.DefaultTransport.(*http.Transport).Clone()              //nolint:forcetypeassert // net/http promises it
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: !c.VerifyTLS} //nolint:gosec // OIDC_VERIFY_SSL, on by default
	p := &Provider{
		c: c, client: &http.Client{Timeout: c.Timeout, Transport: transport}, algorithms: []string{c.Algorithm},
	}
	if c.Wrap != nil {
		p.client.Transport = c.Wrap(transport)
	}
	if strings.HasPrefix(c.Algorithm, "HS") {
		p.keys = secretKey(c.ClientSecret)
	} else {
		p.keys = newRemoteKeys(c.JWKSURL, p.client)
	}
	return p
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
	claims, err := p.idToken(ctx, idToken, r.Nonce)
	if err != nil {
		return ports.Identity{}, err
	}
	info, err := p.userInfo(ctx, token.AccessToken)
	if err != nil {
		return ports.Identity{}, err
	}
	if sub, _ := info["sub"].(string); sub != "" && sub != claims.Subject {
		return ports.Identity{}, refused(errors.New("userinfo is about another subject than the ID token"))
	}
	sid := claims.SessionID
	if sid == "" {
		sid, _ = token.Extra("sid").(string)
	}
	return ports.Identity{Claims: info, IDToken: idToken, Sub: claims.Subject, SID: sid}, nil
}
