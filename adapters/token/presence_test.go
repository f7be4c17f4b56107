package token

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"meetd/adapters/devstack/jwttest"
	"meetd/domain/fault"
	"meetd/ports"
)

const secret = "devsecretdevsecretdevsecretdevse"

func TestPresence(t *testing.T) {
	t.Parallel()
	const now = 1_800_000_000
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": "devkey", "sub": "ada", "nbf": now, "exp": now + 60, "video": map[string]any{"room": "r", "roomJoin": true}}
		for name, value := range change {
			if value == nil {
				delete(c, name)
			} else {
				c[name] = value
			}
		}
		return c
	}
	hs := func(change map[string]any) string {
		return jwttest.Sign(t, jose.HS256, []byte(secret), "", claims(change))
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	p := Presence{Key: "devkey", Secret: secret, Now: func() time.Time { return time.Unix(now, 0) }}

	for name, token := range map[string]string{
		"good":                    hs(nil),
		"expired 30 seconds ago":  hs(map[string]any{"exp": now - 30}),
		"valid in half a minute":  hs(map[string]any{"nbf": now + 30}),
		"no nbf":                  hs(map[string]any{"nbf": nil}),
		"a fraction of a second":  hs(map[string]any{"exp": now + 1.5}),
		"of the service's making": joinToken(t, p.Now),
	} {
		if got, err := p.Verify(token); err != nil || got != (ports.Presence{Room: "r", Identity: "ada"}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := p.Verify(hs(map[string]any{"video": nil})); err != nil || got != (ports.Presence{Identity: "ada"}) {
		t.Errorf("no grant: %+v, %v", got, err)
	}
	for name, c := range map[string]struct{ token, want string }{
		"empty":               {"", "Not enough segments"},
		"garbage":             {"garbage", "Not enough segments"},
		"two segments":        {"a.b", "Not enough segments"},
		"four segments":       {hs(nil) + ".x", "Invalid token"},
		"no base64":           {"!.!.!", "Invalid token"},
		"expired":             {hs(map[string]any{"exp": now - 60}), "Signature has expired"},
		"not yet":             {hs(map[string]any{"nbf": now + 120}), "The token is not yet valid (nbf)"},
		"no expiry":           {hs(map[string]any{"exp": nil}), `Token is missing the "exp" claim`},
		"other issuer":        {hs(map[string]any{"iss": "other"}), "Invalid issuer"},
		"no issuer":           {hs(map[string]any{"iss": nil}), "Invalid issuer"},
		"no identity":         {hs(map[string]any{"sub": nil}), "Token missing user identity"},
		"empty identity":      {hs(map[string]any{"sub": ""}), "Token missing user identity"},
		"identity of numbers": {hs(map[string]any{"sub": 1}), "Invalid payload"},
		"other secret":        {jwttest.Sign(t, jose.HS256, []byte(secret+"x"), "", claims(nil)), "Signature verification failed"},
		"changed":             {hs(nil)[:20] + "A" + hs(nil)[21:], ""},
		"RS256":               {jwttest.Sign(t, jose.RS256, private, "", claims(nil)), "The specified alg value is not allowed"},
		"HS512":               {jwttest.Sign(t, jose.HS512, []byte(secret+secret), "", claims(nil)), "The specified alg value is not allowed"},
		"alg none":            {text(`{"alg":"none"}`) + "." + text(`{"iss":"devkey","sub":"ada","exp":9999999999}`) + ".", "The specified alg value is not allowed"},
	} {
		_, err := p.Verify(c.token)
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Forbidden || f.Code != "livekit_token" || (c.want != "" && f.Subject != c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	open := Presence{Key: "devkey", Now: p.Now} // without a secret of its own it takes nobody's
	if _, err := open.Verify(hs(nil)); !errors.Is(err, fault.Forbidden) {
		t.Errorf("no secret is configured: %v", err)
	}
}

func joinToken(t *testing.T, now func() time.Time) string {
	t.Helper()
	j, err := NewJoin("devkey", secret, now)
	if err != nil {
		t.Fatal(err)
	}
	text, err := j.Join(ports.JoinGrant{Room: "r", Identity: "ada", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzPresence(f *testing.F) {
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	p := Presence{Key: "devkey", Secret: secret, Now: func() time.Time { return time.Unix(0, 0) }}
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := p.Verify(token); !errors.Is(err, fault.Forbidden) || got != (ports.Presence{}) {
			t.Fatalf("%q was taken: %+v, %v", token, got, err)
		}
	})
}
