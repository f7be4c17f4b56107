package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// userInfo asks who the access token belongs to. What comes back is JSON, a
// signed token, or either of them encrypted to our key (oidc.md §3).
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
	if p.c.UserInfoFormat == "JSON" || (p.c.UserInfoFormat != "JWT" && kind != "application/jwt") {
		return plainInfo(body)
	}
	text := strings.TrimSpace(string(body))
	if strings.Count(text, ".") == 4 {
		return p.encryptedInfo(ctx, text)
	}
	return p.signedInfo(ctx, text)
}

func plainInfo(body []byte) (map[string]any, error) {
	var info map[string]any
	if err := json.Unmarshal(body, &info); err != nil {
		return nil, refused(fmt.Errorf("userinfo is no JSON object: %w", err))
	}
	return info, nil
}

func (p *Provider) encryptedInfo(ctx context.Context, token string) (map[string]any, error) {
	if p.c.Key == nil {
		return nil, refused(errors.New("userinfo is encrypted, and OIDC_RS_PRIVATE_KEY_STR has no key to open it"))
	}
	text, err := p.c.Key.decrypt(token)
	if err != nil {
		return nil, refused(fmt.Errorf("userinfo: %w", err))
	}
	if strings.HasPrefix(strings.TrimSpace(string(text)), "{") && p.c.UserInfoFormat != "JWT" {
		return plainInfo(text)
	}
	return p.signedInfo(ctx, strings.TrimSpace(string(text)))
}

// signedInfo checks what must hold and what the token says of itself. A token
// with a nonce is an ID token, which is no userinfo.
func (p *Provider) signedInfo(ctx context.Context, token string) (map[string]any, error) {
	claims := new(tokenClaims)
	payload, err := oidc.ParseToken(token, claims) // as long as an answer may be
	if err != nil {
		return nil, refused(fmt.Errorf("userinfo: %w", err))
	}
	if err := p.signature(ctx, token, payload, claims, p.algorithms); err != nil {
		return nil, refused(fmt.Errorf("userinfo: %w", err))
	}
	err = p.firstFault("userinfo",
		func() error {
			if claims.Nonce != "" {
				return errors.New("it has a nonce, as only ID tokens have")
			}
			return nil
		},
		func() error {
			if claims.Issuer == "" {
				return nil
			}
			return p.checkIssuer(claims)
		},
		func() error {
			if len(claims.Audience) > 0 && !slices.Contains(claims.Audience, p.c.ClientID) {
				return errors.New("it is for another client")
			}
			return nil
		},
		func() error {
			if claims.GetExpiration().IsZero() {
				return nil
			}
			return oidc.CheckExpiration(claims, 0)
		},
		func() error { return checkNotBefore(claims.NotBefore.AsTime()) },
	)
	if err != nil {
		return nil, err
	}
	return plainInfo(payload)
}
