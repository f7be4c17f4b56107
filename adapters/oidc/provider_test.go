package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"meetd/adapters/devstack/jwttest"
	"meetd/domain/fault"
	"meetd/ports"
)

// fake is a provider that answers as a test tells it.
type fake struct {
	*httptest.Server
	keys     jose.JSONWebKeySet
	token    func(form map[string][]string) (int, any)
	userInfo func() (status int, kind, body string)
	fetched  int // times the keys were fetched
}

func startFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		status, body := f.token(r.PostForm)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, r *http.Request) {
		status, kind, body := f.userInfo()
		if r.Header.Get("Authorization") != "Bearer access" {
			status = http.StatusUnauthorized
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		f.fetched++
		_ = json.NewEncoder(w).Encode(f.keys)
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) config() Config {
	return Config{
		Issuer: "https://issuer", ClientID: "meet", ClientSecret: "secret", Algorithm: "RS256", Scopes: "openid email",
		AuthURL: "https://issuer/authorize?a=b", TokenURL: f.URL + "/token", UserInfoURL: f.URL + "/userinfo",
		UserInfoFormat: "AUTO", JWKSURL: f.URL + "/jwks", LogoutURL: "https://issuer/end", VerifyTLS: true, Timeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	f := startFake(t)
	f.keys.Keys = []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}
	now := time.Now().Unix()
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": "https://issuer", "sub": "ada", "aud": "meet", "exp": now + 300, "iat": now, "nonce": "n"}
		for name, v := range change {
			if v == nil {
				delete(c, name)
			} else {
				c[name] = v
			}
		}
		return c
	}
	rs := func(change map[string]any) string { return jwttest.Sign(t, jose.RS256, key, "k1", claims(change)) }
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://issuer","sub":"ada","aud":"meet","nonce":"n","exp":9999999999}`)) + "."
	const info = `{"sub":"ada","email":"ada@example.org"}`
	for name, c := range map[string]struct {
		idToken string
		info    string
		kind    string
		status  int
		want    error // nil: the login is good
	}{
		"good":                     {rs(nil), info, "application/json", 200, nil},
		"several audiences":        {rs(map[string]any{"aud": []string{"meet", "other"}, "azp": "meet"}), info, "application/json", 200, nil},
		"userinfo without subject": {rs(nil), `{"email":"x"}`, "application/json", 200, nil},
		"signed userinfo":          {rs(nil), rs(map[string]any{"nonce": nil}), "Application/JWT; charset=utf-8", 200, nil},

		"claims nobody checks": {rs(map[string]any{
			"amr": "pwd", "acr": 1, "auth_time": "yesterday", "locale": []int{1}, "updated_at": "2020", "phone_number_verified": "true", "act": []int{}, "jti": 7,
		}), info, "application/json", 200, nil},

		"no ID token":                         {"", info, "application/json", 200, fault.Forbidden},
		"not a token":                         {"a.b", info, "application/json", 200, fault.Forbidden},
		"alg none":                            {none, info, "application/json", 200, fault.Invalid},
		"HS256 with public key":               {jwttest.Sign(t, jose.HS256, public, "k1", claims(nil)), info, "application/json", 200, fault.Invalid},
		"HS256 with secret":                   {jwttest.Sign(t, jose.HS256, []byte("secretsecretsecretsecretsecretse"), "k1", claims(nil)), info, "application/json", 200, fault.Invalid},
		"other algorithm":                     {jwttest.Sign(t, jose.RS512, key, "k1", claims(nil)), info, "application/json", 200, fault.Invalid},
		"foreign key":                         {jwttest.Sign(t, jose.RS256, foreign, "k1", claims(nil)), info, "application/json", 200, fault.Invalid},
		"unknown key":                         {jwttest.Sign(t, jose.RS256, foreign, "k2", claims(nil)), info, "application/json", 200, fault.Invalid},
		"other issuer":                        {rs(map[string]any{"iss": "https://evil"}), info, "application/json", 200, fault.Forbidden},
		"other audience":                      {rs(map[string]any{"aud": "other"}), info, "application/json", 200, fault.Forbidden},
		"number as audience":                  {rs(map[string]any{"aud": []any{"meet", 1}}), info, "application/json", 200, fault.Forbidden},
		"too long":                            {rs(map[string]any{"x": strings.Repeat("x", maxToken)}), info, "application/json", 200, fault.Forbidden},
		"signed userinfo, number as audience": {rs(nil), rs(map[string]any{"nonce": nil, "aud": []int{1}}), "application/jwt", 200, fault.Forbidden},
		"for another party":                   {rs(map[string]any{"aud": []string{"meet", "other"}, "azp": "other"}), info, "application/json", 200, fault.Forbidden},
		"expired":                             {rs(map[string]any{"exp": now - 5}), info, "application/json", 200, fault.Forbidden},
		"from the future":                     {rs(map[string]any{"iat": now + 120}), info, "application/json", 200, fault.Forbidden},
		"other nonce":                         {rs(map[string]any{"nonce": "other"}), info, "application/json", 200, fault.Invalid},
		"no nonce":                            {rs(map[string]any{"nonce": nil}), info, "application/json", 200, fault.Invalid},
		"no subject":                          {rs(map[string]any{"sub": nil}), info, "application/json", 200, fault.Forbidden},
		"userinfo of another":                 {rs(nil), `{"sub":"eve"}`, "application/json", 200, fault.Forbidden},
		"foreign signed userinfo":             {rs(nil), jwttest.Sign(t, jose.RS256, foreign, "k1", claims(nil)), "application/jwt", 200, fault.Forbidden},
		"userinfo no JSON":                    {rs(nil), `<html>`, "text/html", 200, fault.Forbidden},
		"userinfo refused":                    {rs(nil), info, "application/json", 403, fault.Upstream},
		"token endpoint fails":                {rs(nil), info, "application/json", 0, fault.Upstream},
		"expired signed userinfo":             {rs(nil), rs(map[string]any{"exp": now - 5}), "application/jwt", 200, fault.Forbidden},
		"nonsense signed userinfo":            {rs(nil), "a.b.c", "application/jwt", 200, fault.Forbidden},
	} {
		var form map[string][]string
		f.token = func(got map[string][]string) (int, any) {
			form = got
			if c.status == 0 {
				return 500, map[string]string{"error": "server_error"}
			}
			return 200, map[string]string{"access_token": "access", "token_type": "Bearer", "id_token": c.idToken}
		}
		f.userInfo = func() (int, string, string) { return c.status, c.kind, c.info }
		got, err := New(f.config()).Exchange(t.Context(), "code", ports.LoginRequest{Nonce: "n", Verifier: "v", RedirectURI: "https://meet/callback"})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if c.want == nil && (got.IDToken != c.idToken || (got.Claims["sub"] != "ada" && got.Claims["email"] != "x")) {
			t.Errorf("%s: %+v", name, got)
		}
		want := map[string][]string{
			"client_id": {"meet"}, "client_secret": {"secret"}, "grant_type": {"authorization_code"}, "code": {"code"},
			"redirect_uri": {"https://meet/callback"}, "code_verifier": {"v"},
		}
		if !maps.EqualFunc(form, want, func(a, b []string) bool { return len(a) == 1 && a[0] == b[0] }) {
			t.Errorf("%s: the token was asked for with %v", name, form)
		}
	}
}

// What strangers send as a logout token costs little, and is refused.
func TestLogoutTokenOfStrangers(t *testing.T) { //nolint:paralleltest // it counts what the whole program allocates
	token := func(claims string) string {
		encode := base64.RawURLEncoding.EncodeToString
		return encode([]byte(`{"alg":"RS256","kid":"k1"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("x"))
	}
	p := New(startFake(t).config())
	for name, claims := range map[string]string{
		"nested actors":        strings.Repeat(`{"act":`, 5000) + "1" + strings.Repeat("}", 5000),
		"nested events":        `{"events":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5001),
		"number as audience":   `{"aud":[1]}`,
		"object as audience":   `{"aud":{"a":1}}`,
		"nonsense as audience": `{"aud":[["meet"]]}`,
		"too long":             `{"x":"` + strings.Repeat("x", maxToken) + `"}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := p.Logout(t.Context(), token(claims)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want that it is invalid", name, err)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// A key that the provider has just begun to use is fetched once.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := startFake(t)
	p := New(f.config())
	use := func(key *rsa.PrivateKey, kid string) error {
		f.keys.Keys = []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: kid, Algorithm: "RS256", Use: "sig"}}
		token := jwttest.Sign(t, jose.RS256, key, kid, map[string]any{
			"iss": "https://issuer", "sub": "ada", "aud": "meet", "exp": time.Now().Unix() + 60, "iat": time.Now().Unix(),
		})
		_, err := p.idToken(t.Context(), token, "")
		return err
	}
	for _, step := range []struct {
		key     *rsa.PrivateKey
		kid     string
		fetched int
	}{{old, "k1", 1}, {old, "k1", 1}, {fresh, "k2", 2}, {fresh, "k2", 2}} {
		if err := use(step.key, step.kid); err != nil || f.fetched != step.fetched {
			t.Errorf("%s: %v, keys fetched %d times, want %d", step.kid, err, f.fetched, step.fetched)
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	c := startFake(t).config()
	c.Extra = []Param{{"acr_values", "eidas1"}, {"scope", "openid x"}}
	r := ports.LoginRequest{State: "s", Nonce: "n", Verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", RedirectURI: "https://meet/cb", Silent: true, LoginHint: "a b"}
	const head = "https://issuer/authorize?a=b&response_type=code&scope=openid+x&client_id=meet&redirect_uri=https%3A%2F%2Fmeet%2Fcb&state=s&acr_values=eidas1"
	for name, want := range map[string]string{
		"S256":  head + "&prompt=none&login_hint=a+b&nonce=n&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
		"plain": head + "&prompt=none&login_hint=a+b&nonce=n&code_challenge=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&code_challenge_method=plain",
	} {
		c.ChallengePlain = name == "plain"
		if got, err := New(c).LoginURL(r); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
	if got, err := New(c).LoginURL(ports.LoginRequest{State: "s", RedirectURI: "https://meet/cb"}); err != nil || got != head {
		t.Errorf("the least: %s, %v, want %s", got, err, head)
	}
	if got, ok := New(c).LogoutURL("t", "s", "https://meet/lo"); !ok || got != "https://issuer/end?id_token_hint=t&state=s&post_logout_redirect_uri=https%3A%2F%2Fmeet%2Flo" {
		t.Errorf("logout: %s, %v", got, ok)
	}
	c.LogoutURL, c.AuthURL = "", ""
	if _, ok := New(c).LogoutURL("t", "s", "u"); ok {
		t.Error("a logout page is offered that there is not")
	}
	if _, err := New(c).LoginURL(r); err == nil {
		t.Error("a login page is offered that there is not")
	}
}
