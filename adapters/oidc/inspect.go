package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"meetd/ports"
)

// Inspect asks the provider for its discovery document and its keys, and tries to
// redeem a code that nobody has, to see whether our secret is refused.
func (p *Provider) Inspect(ctx context.Context) (ports.Inspection, error) {
	var out ports.Inspection
	if p.c.Issuer != "" {
		var err error
		if out.Differences, err = p.compare(ctx); err != nil {
			return out, err
		}
		out.Discovered = true
	}
	out.Keys = -1
	if remote, ok := p.keys.(*remoteKeys); ok {
		set, err := remote.get(ctx)
		if err != nil {
			return out, fmt.Errorf("the keys of the provider: %w; look at OIDC_OP_JWKS_ENDPOINT", err)
		}
		out.Keys = 0
		for _, key := range set.Keys {
			if key.Use != "enc" && key.KeyID != "" && fits(key, p.c.Algorithm) {
				out.Keys++
			}
		}
	}
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {"meetd-doctor"}, "redirect_uri": {"https://doctor.invalid/"},
		"client_id": {p.c.ClientID}, "client_secret": {p.c.ClientSecret},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.c.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return out, fmt.Errorf("OIDC_OP_TOKEN_ENDPOINT: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(req)
	if err != nil {
		return out, fmt.Errorf("the token endpoint: %w; look at OIDC_OP_TOKEN_ENDPOINT", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read as far as it is wanted
	var answer struct{ Error string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil || answer.Error == "" {
		return out, fmt.Errorf("what answers there is no token endpoint (%s); look at OIDC_OP_TOKEN_ENDPOINT", resp.Status)
	}
	out.SecretRefused = answer.Error == "invalid_client" || answer.Error == "unauthorized_client"
	out.At, _ = http.ParseTime(resp.Header.Get("Date"))
	return out, nil
}

// fits tells whether a key can verify what is signed with an algorithm.
func fits(key jose.JSONWebKey, algorithm string) bool {
	if key.Algorithm != "" {
		return key.Algorithm == algorithm
	}
	switch key.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return strings.HasPrefix(algorithm, "ES")
	case ed25519.PublicKey:
		return strings.HasPrefix(algorithm, "Ed")
	}
	return false
}

// compare finds what the discovery document says otherwise than the settings.
func (p *Provider) compare(ctx context.Context) ([]string, error) {
	resp, err := p.discovery(ctx, p.c.Issuer)
	if inside, other := p.inside(); err != nil && other {
		if resp, err = p.discovery(ctx, inside); err != nil {
			err = fmt.Errorf("%w; nor is there anything at %s", err, inside)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the provider: %w; look at OIDC_OP_URL", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read as far as it is wanted
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the provider has nothing at OIDC_OP_URL%s: %s", discoveryPath, resp.Status)
	}
	var doc struct {
		Issuer        string
		Authorization string   `json:"authorization_endpoint"`
		Token         string   `json:"token_endpoint"`
		UserInfo      string   `json:"userinfo_endpoint"`
		JWKS          string   `json:"jwks_uri"`
		Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&doc); err != nil {
		return nil, errors.New("what stands at OIDC_OP_URL" + discoveryPath + " is no discovery document")
	}
	var out []string
	for _, d := range []struct{ name, ours, theirs string }{
		{"OIDC_OP_URL", p.c.Issuer, doc.Issuer},
		{"OIDC_OP_AUTHORIZATION_ENDPOINT", p.c.AuthURL, doc.Authorization},
		{"OIDC_OP_TOKEN_ENDPOINT", p.c.TokenURL, doc.Token},
		{"OIDC_OP_USER_ENDPOINT", p.c.UserInfoURL, doc.UserInfo},
		{"OIDC_OP_JWKS_ENDPOINT", p.c.JWKSURL, doc.JWKS},
	} {
		if d.theirs != "" && !samePath(d.ours, d.theirs) {
			out = append(out, fmt.Sprintf("%s is %s here, but the provider says %s", d.name, d.ours, d.theirs))
		}
	}
	if len(doc.Algorithms) > 0 && !slices.Contains(doc.Algorithms, p.c.Algorithm) {
		out = append(out, fmt.Sprintf("OIDC_RP_SIGN_ALGO is %s, but the provider signs with %s", p.c.Algorithm, strings.Join(doc.Algorithms, ", ")))
	}
	return out, nil
}

const discoveryPath = "/.well-known/openid-configuration"

func (p *Provider) discovery(ctx context.Context, issuer string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(issuer, "/")+discoveryPath, nil)
	if err != nil {
		return nil, err
	}
	return p.client.Do(req)
}

// inside is where we find the provider ourselves when its name is one for browsers:
// at the server of the token endpoint.
func (p *Provider) inside() (address string, other bool) {
	issuer, errIssuer := url.Parse(p.c.Issuer)
	token, errToken := url.Parse(p.c.TokenURL)
	if errIssuer != nil || errToken != nil {
		return "", false
	}
	other = issuer.Scheme != token.Scheme || issuer.Host != token.Host
	issuer.Scheme, issuer.Host = token.Scheme, token.Host
	return issuer.String(), other
}

// samePath tells whether two addresses lead to the same path: inside of a network
// the provider may have another name.
func samePath(ours, theirs string) bool {
	a, errA := url.Parse(ours)
	b, errB := url.Parse(theirs)
	return errA == nil && errB == nil && strings.TrimSuffix(a.Path, "/") == strings.TrimSuffix(b.Path, "/")
}
