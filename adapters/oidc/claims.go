package oidc

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// maxToken bounds an ID token and a logout token, in bytes. Logout tokens come
// from strangers.
const maxToken = 64 << 10

// tokenClaims are those of a token that are checked, and no others: what a provider
// says besides, in whatever form, must neither cost anything nor keep anybody
// out. The library's own type reads them all.
type tokenClaims struct {
	Issuer          string    `json:"iss"`
	Subject         string    `json:"sub"`
	Audience        audience  `json:"aud"`
	AuthorizedParty string    `json:"azp"`
	Expiration      oidc.Time `json:"exp"`
	IssuedAt        oidc.Time `json:"iat"`
	NotBefore       oidc.Time `json:"nbf"`
	Nonce           string    `json:"nonce"`
	SessionID       string    `json:"sid"`
}

var _ oidc.Claims = (*tokenClaims)(nil)

// parse takes a token apart, without checking it.
func parse(token string, into any) (payload []byte, err error) {
	if len(token) > maxToken {
		return nil, errors.New("it is longer than 64 KiB")
	}
	return oidc.ParseToken(token, into) //nolint:wrapcheck // the callers say which token
}

// audience is one text or a list of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON refuses everything else.
func (a *audience) UnmarshalJSON(text []byte) error {
	var one *string
	if json.Unmarshal(text, &one) == nil {
		if *a = nil; one != nil {
			*a = audience{*one}
		}
		return nil
	}
	if json.Unmarshal(text, (*[]string)(a)) != nil {
		return errors.New("aud is neither a text nor a list of texts")
	}
	return nil
}

// GetIssuer implements oidc.Claims.
func (c *tokenClaims) GetIssuer() string { return c.Issuer }

// GetSubject implements oidc.Claims.
func (c *tokenClaims) GetSubject() string { return c.Subject }

// GetAudience implements oidc.Claims.
func (c *tokenClaims) GetAudience() []string { return c.Audience }

// GetExpiration implements oidc.Claims.
func (c *tokenClaims) GetExpiration() time.Time { return c.Expiration.AsTime() }

// GetIssuedAt implements oidc.Claims.
func (c *tokenClaims) GetIssuedAt() time.Time { return c.IssuedAt.AsTime() }

// GetNonce implements oidc.Claims.
func (c *tokenClaims) GetNonce() string { return c.Nonce }

// GetAuthenticationContextClassReference implements oidc.Claims; it is not checked.
func (*tokenClaims) GetAuthenticationContextClassReference() string { return "" }

// GetAuthTime implements oidc.Claims; it is not checked.
func (*tokenClaims) GetAuthTime() time.Time { return time.Time{} }

// GetAuthorizedParty implements oidc.Claims.
func (c *tokenClaims) GetAuthorizedParty() string { return c.AuthorizedParty }

// SetSignatureAlgorithm implements oidc.Claims; nobody asks for it again.
func (*tokenClaims) SetSignatureAlgorithm(jose.SignatureAlgorithm) {}
