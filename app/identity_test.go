package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/op"
)

// person is somebody at the provider, who may say other things of himself.
func person(name string, claims map[string]any) op.User {
	return op.User{
		Sub: "sub-" + name, Username: name, Password: name, Email: name + "@example.org",
		GivenName: "New", UsualName: "Name", Claims: claims,
	}
}

// start begins a login and returns its state and where the browser is sent.
func (v *visitor) start(query string) (state, address string) {
	v.t.Helper()
	resp, body := v.get("/api/v1.0/authenticate/" + query)
	if resp.StatusCode != http.StatusFound {
		v.t.Fatalf("start: %d %s", resp.StatusCode, body)
	}
	address = resp.Header.Get("Location")
	return mustQuery(v.t, address, "state"), address
}

// The authorization request (oidc.md §2), to the letter and in its order.
func TestAuthorizationRequest(t *testing.T) {
	t.Parallel()
	const (
		head = `^response_type=code&scope=openid\+email&client_id=meet&redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A\d+%2Fapi%2Fv1\.0%2Fcallback%2F&state=[a-zA-Z0-9]{32}`
		tail = `&nonce=[a-zA-Z0-9]{32}`
		pkce = `&code_challenge=[\w-]{43}&code_challenge_method=S256$`
	)
	for name, c := range map[string]struct {
		env   map[string]string
		query string
		want  string
	}{
		"plain":         {map[string]string{"OIDC_USE_PKCE": "false"}, "", head + tail + "$"},
		"no nonce":      {map[string]string{"OIDC_USE_NONCE": "false"}, "", head + pkce},
		"silent":        {nil, "?silent=TRUE", head + "&prompt=none" + tail + pkce},
		"not silent":    {nil, "?silent=false", head + tail + pkce},
		"hint":          {nil, "?login_hint=a+b%26c", head + `&login_hint=a\+b%26c` + tail + pkce},
		"both":          {nil, "?login_hint=x&silent=true", head + "&prompt=none&login_hint=x" + tail + pkce},
		"next":          {nil, "?next=/evil&state=x&nonce=y", head + tail + pkce},
		"level":         {map[string]string{"OIDC_AUTH_REQUEST_EXTRA_PARAMS": "{'acr_values': 'eidas1', 'x': 'y z'}"}, "", head + `&acr_values=eidas1&x=y\+z` + tail + pkce},
		"other scope":   {map[string]string{"OIDC_AUTH_REQUEST_EXTRA_PARAMS": "{'scope': 'openid'}"}, "", strings.Replace(head, `openid\+email`, "openid", 1) + tail + pkce},
		"plain PKCE":    {map[string]string{"OIDC_PKCE_CODE_CHALLENGE_METHOD": "plain", "OIDC_PKCE_CODE_VERIFIER_SIZE": "100"}, "", head + tail + `&code_challenge=[\w]{100}&code_challenge_method=plain$`},
		"many scopes":   {map[string]string{"OIDC_RP_SCOPES": "openid email given_name"}, "", strings.Replace(head, `openid\+email`, `openid\+email\+given_name`, 1) + tail + pkce},
		"behind a path": {map[string]string{"OIDC_OP_AUTHORIZATION_ENDPOINT": "https://op.example.org/auth?tenant=1"}, "", "^tenant=1&" + head[1:] + tail + pkce},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"OIDC_USE_PKCE": "true"}
			maps.Copy(env, c.env)
			v := startService(t, env).visitor(t)
			_, address := v.start(c.query)
			u, err := url.Parse(address)
			if err != nil || !regexp.MustCompile(c.want).MatchString(u.RawQuery) {
				t.Errorf("%s, want %s", address, c.want)
			}
		})
	}
}

// Pages take the methods of the contract, and refuse others without a word.
func TestLoginMethods(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	closed := startService(t, map[string]string{"ALLOW_LOGOUT_GET_METHOD": "false"})
	for _, c := range []struct {
		s            *service
		method, path string
		allow        string
	}{
		{s, http.MethodPost, "authenticate/", "GET, HEAD, OPTIONS"},
		{s, http.MethodPost, "callback/", "GET, HEAD, OPTIONS"},
		{s, http.MethodPost, "logout-callback/", "GET, HEAD, OPTIONS"},
		{s, http.MethodGet, "backchannel-logout/", "POST, OPTIONS"},
		{closed, http.MethodGet, "logout/", "POST, OPTIONS"},
	} {
		got := c.s.request(t, account{}, c.method, "/api/v1.0/"+c.path, "", http.Header{"Accept": {"text/html"}})
		if got.Status != 405 || len(got.Body) != 0 || got.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %q, allowed: %s", c.method, c.path, got.Status, got.Body, got.Header.Get("Allow"))
		}
	}
	if got := s.request(t, account{}, http.MethodGet, "/api/v1.0/authenticate/", "", http.Header{"Accept": {"text/html"}}); got.Status != 302 {
		t.Errorf("a browser that wants HTML: %d", got.Status)
	}
}

// Fifty logins may be under way; the oldest gives way, and a logout that is
// under way too disturbs nobody.
func TestPendingLogins(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil)
	v := s.visitor(t)
	v.login("", "ada")
	if resp, _ := v.get("/api/v1.0/logout"); resp.StatusCode != 302 {
		t.Fatalf("logout: %d", resp.StatusCode)
	}
	states := make([]string, 52)
	for i := range states {
		states[i], _ = v.start("")
	}
	answer := func(state string) (int, string) {
		resp, _ := v.get("/api/v1.0/callback/?code=x&state=" + state)
		return resp.StatusCode, resp.Header.Get("Location")
	}
	for i, want := range map[int]int{0: 400, 1: 400, 2: 302, 51: 302} {
		if code, to := answer(states[i]); code != want || (want == 302 && to != "/failed") {
			t.Errorf("login %d: %d to %s", i, code, to)
		}
	}
}

// What happens when a login was refused (oidc.md §3), for somebody who is
// logged in and for nobody.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil)
	for name, c := range map[string]struct {
		known  bool // logged in before
		start  string
		answer string // with STATE for the one of the login
		status int
		to     string
		stays  bool // is logged in afterwards
	}{
		"silent, nobody there":        {false, "?silent=true&returnTo=/x", "?error=login_required&state=STATE", 302, "/x", false},
		"silent, somebody here":       {true, "?silent=true&returnTo=/x", "?error=login_required&state=STATE", 302, "/x", true},
		"silent, no state":            {true, "?silent=true", "?error=login_required", 400, "", true},
		"silent, foreign state":       {true, "?silent=true", "?error=login_required&state=zzz", 400, "", true},
		"silent, other error":         {true, "?silent=true&returnTo=/x", "?error=interaction_required&state=STATE", 302, "/x", false},
		"silent, without return":      {false, "?silent=true", "?error=login_required&state=STATE", 302, "/home", false},
		"login_required, not silent":  {true, "", "?error=login_required&state=STATE", 302, "/failed", false},
		"denied":                      {true, "?returnTo=/x", "?error=access_denied&state=STATE", 302, "/failed", false},
		"denied, nobody":              {false, "", "?error=access_denied&state=STATE", 302, "/failed", false},
		"denied with a code":          {true, "", "?error=access_denied&code=x&state=STATE", 302, "/failed", false},
		"nothing":                     {true, "", "", 302, "/failed", true},
		"code without state":          {true, "", "?code=x", 302, "/failed", true},
		"state without code":          {true, "", "?state=STATE", 302, "/failed", true},
		"code with a foreign state":   {true, "", "?code=x&state=zzz", 400, "", true},
		"code that is not known":      {true, "", "?code=x&state=STATE", 302, "/failed", true},
		"a logout's state is no use":  {true, "", "?code=x&state=LOGOUT", 400, "", true},
		"an enormous code":            {true, "", "?state=STATE&code=" + strings.Repeat("x", 9000), 302, "/failed", true},
		"a code with control letters": {true, "", "?state=STATE&code=%00%0d%0a", 302, "/failed", true},
	} {
		v := s.visitor(t)
		logout := ""
		if c.known {
			v.login("", "ada")
			resp, _ := v.get("/api/v1.0/logout")
			logout = mustQuery(t, resp.Header.Get("Location"), "state")
		}
		state, _ := v.start(c.start)
		resp, body := v.get("/api/v1.0/callback/" + strings.NewReplacer("STATE", state, "LOGOUT", logout).Replace(c.answer))
		if to := resp.Header.Get("Location"); resp.StatusCode != c.status || to != c.to {
			t.Errorf("%s: %d to %q, want %d to %q", name, resp.StatusCode, to, c.status, c.to)
		}
		if resp.StatusCode == 400 && !strings.Contains(body, "<h1>Bad Request (400)</h1>") {
			t.Errorf("%s: %s", name, body)
		}
		if code, _ := v.me(); (code == 200) != c.stays {
			t.Errorf("%s: afterwards %d", name, code)
		}
		if c.known && (v.cookie(s.cookie) != "") != c.stays {
			t.Errorf("%s: the cookie is %q", name, v.cookie(s.cookie))
		}
	}
	// The flag of a silent login works once, and only for that login.
	v := s.visitor(t)
	state, _ := v.start("?silent=true&returnTo=/x")
	for i, want := range []string{"/x", "/failed"} {
		if resp, _ := v.get("/api/v1.0/callback/?error=login_required&state=" + state); resp.Header.Get("Location") != want {
			t.Errorf("answer %d: to %s, want %s", i, resp.Header.Get("Location"), want)
		}
	}
	v.login("?silent=true", "ada")
	v.login("", "ada")
	v.login("?silent=true", "nobody")
	state, _ = v.start("")
	if resp, _ := v.get("/api/v1.0/callback/?error=access_denied&state=" + state); resp.Header.Get("Location") != "/failed" {
		t.Errorf("after a silent login: to %s", resp.Header.Get("Location"))
	}
}

const (
	failed = "/failed" // the redirect
	bad    = "400"     // the page
	in     = "/home"
)

// A provider that lies, errs or is attacked (oidc.md §3): nobody gets in, and
// the log says why.
func TestProviderLies(t *testing.T) {
	t.Parallel()
	s, p := signInAt(t, map[string]string{"MEETD_LOGIN_FAILURE_THROTTLE_RATES": ""}, op.Options{})
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	idToken := func(f func(*op.Token)) func(*op.Answer) {
		return func(a *op.Answer) {
			if a.Endpoint == op.TokenEndpoint && a.Token != nil {
				f(a.Token)
			}
		}
	}
	claim := func(name string, value any) func(*op.Answer) {
		return idToken(func(token *op.Token) {
			if value == nil {
				delete(token.Claims, name)
				return
			}
			token.Claims[name] = value
		})
	}
	at := func(e op.Endpoint, f func(*op.Answer)) func(*op.Answer) {
		return func(a *op.Answer) {
			if a.Endpoint == e {
				f(a)
			}
		}
	}
	info := func(change map[string]any) func(*op.Answer) {
		return at(op.UserInfoEndpoint, func(a *op.Answer) { maps.Copy(a.Body, change) })
	}
	raw := func(text, kind string) func(*op.Answer) {
		return at(op.UserInfoEndpoint, func(a *op.Answer) {
			a.Raw = []byte(text)
			a.Header.Set("Content-Type", kind)
		})
	}
	now := time.Now().Unix()
	cases := map[string]struct {
		lie  func(*op.Answer)
		want string
		log  string // what the log must say
	}{
		"the truth":              {func(*op.Answer) {}, in, ""},
		"audience in a list":     {claim("aud", []string{"meet"}), in, ""},
		"two audiences":          {claim("aud", []string{"meet", "other"}), in, ""}, // azp is there
		"userinfo in other case": {at(op.UserInfoEndpoint, func(a *op.Answer) { a.Header.Set("Content-Type", "text/plain") }), in, ""},
		"no userinfo names":      {info(map[string]any{"given_name": nil, "usual_name": 5}), in, ""},

		"other nonce":              {claim("nonce", "other"), bad, "nonce"},
		"no nonce":                 {claim("nonce", nil), bad, "nonce"},
		"foreign key":              {idToken(func(k *op.Token) { k.Key = foreign }), bad, "signature"},
		"unknown key":              {idToken(func(k *op.Token) { k.Header["kid"], k.Key = "zzz", foreign }), bad, "no key of that name"},
		"no algorithm":             {idToken(func(k *op.Token) { k.Header["alg"] = "none" }), bad, "algorithm"},
		"secret as key":            {idToken(func(k *op.Token) { k.Header["alg"], k.Key = "HS256", []byte("client-secret") }), bad, "algorithm"},
		"public key as secret":     {idToken(func(k *op.Token) { k.Header["alg"], k.Key = "HS256", publicPEM(t, p) }), bad, "algorithm"},
		"key without name":         {idToken(func(k *op.Token) { delete(k.Header, "kid") }), failed, "does not name its key"},
		"other issuer":             {claim("iss", "https://evil.com"), failed, "issuer"},
		"no issuer":                {claim("iss", nil), failed, "issuer"},
		"other audience":           {claim("aud", "other"), failed, "audience"},
		"no audience":              {claim("aud", nil), failed, "audience"},
		"for another party":        {claim("azp", "other"), failed, "authorized party"},
		"expired":                  {claim("exp", now-5), failed, "expired"},
		"never expires":            {claim("exp", nil), failed, "expired"},
		"issued in the future":     {claim("iat", now+120), failed, "future"},
		"not valid yet":            {claim("nbf", now+120), failed, "not valid yet"},
		"no subject":               {claim("sub", nil), failed, "subject"},
		"another subject":          {claim("sub", "sub-eve"), failed, "another subject"},
		"userinfo of another":      {info(map[string]any{"sub": "sub-eve"}), failed, "another subject"},
		"no ID token":              {at(op.TokenEndpoint, func(a *op.Answer) { a.Token = nil }), failed, "ID token"},
		"ID token is no token":     {at(op.TokenEndpoint, func(a *op.Answer) { a.Token, a.Body["id_token"] = nil, "a.b" }), failed, "ID token"},
		"ID token is nonsense":     {at(op.TokenEndpoint, func(a *op.Answer) { a.Token, a.Body["id_token"] = nil, "a.b.c" }), failed, "ID token"},
		"ID token is a number":     {at(op.TokenEndpoint, func(a *op.Answer) { a.Token, a.Body["id_token"] = nil, 5 }), failed, "ID token"},
		"token endpoint refuses":   {at(op.TokenEndpoint, func(a *op.Answer) { a.Status, a.Raw = 400, []byte(`{"error":"invalid_grant"}`) }), failed, "token endpoint"},
		"token endpoint breaks":    {at(op.TokenEndpoint, func(a *op.Answer) { a.Status, a.Raw = 500, []byte(`<html>`) }), failed, "token endpoint"},
		"token endpoint hangs up":  {at(op.TokenEndpoint, func(a *op.Answer) { a.Drop = true }), failed, "token endpoint"},
		"token answer is HTML":     {at(op.TokenEndpoint, func(a *op.Answer) { a.Raw = []byte(`<html>`) }), failed, "token endpoint"},
		"no access token":          {at(op.TokenEndpoint, func(a *op.Answer) { delete(a.Body, "access_token") }), failed, "token endpoint"},
		"userinfo refuses":         {at(op.UserInfoEndpoint, func(a *op.Answer) { a.Status = 403 }), failed, "userinfo endpoint"},
		"userinfo hangs up":        {at(op.UserInfoEndpoint, func(a *op.Answer) { a.Drop = true }), failed, "userinfo endpoint"},
		"userinfo is HTML":         {raw("<html>", "text/html"), failed, "userinfo is no JSON"},
		"userinfo is a list":       {raw(`["sub-ada"]`, "application/json"), failed, "userinfo is no JSON"},
		"userinfo is null":         {raw(`null`, "application/json"), failed, "claim_missing"},
		"userinfo is no token":     {raw(`{"sub":"sub-ada"}`, "application/jwt"), failed, "userinfo"},
		"userinfo has no end":      {raw(`{"sub":"sub-ada","x":"`+strings.Repeat("x", 2<<20)+`"}`, "application/json"), failed, "userinfo is no JSON"},
		"userinfo without subject": {at(op.UserInfoEndpoint, func(a *op.Answer) { delete(a.Body, "sub") }), failed, "claim_missing (sub)"},
		"empty subject":            {info(map[string]any{"sub": ""}), failed, "claim_missing (sub)"},
		"null subject":             {info(map[string]any{"sub": nil}), failed, "claim_missing (sub)"},
		"a number as subject":      {info(map[string]any{"sub": 7}), failed, "claim_missing (sub)"},
		"userinfo is an ID token": {func() func(*op.Answer) {
			var last atomic.Value
			return func(a *op.Answer) {
				switch a.Endpoint {
				case op.TokenEndpoint:
					if signed, err := a.Token.Sign(); err == nil {
						last.Store(signed)
					}
				case op.UserInfoEndpoint:
					a.Raw = []byte(last.Load().(string)) //nolint:forcetypeassert // it was stored as text
					a.Header.Set("Content-Type", "application/jwt")
				case op.JWKSEndpoint:
				}
			}
		}(), failed, "nonce"},
	}
	before := s.dump(t)
	for name, c := range cases {
		p.Tamper(c.lie)
		v := s.visitor(t)
		logged := len(s.logs.String())
		resp := v.login("", "ada")
		got := resp.Header.Get("Location")
		if resp.StatusCode == 400 {
			got = bad
		}
		if code, _ := v.me(); got != c.want || (code == 200) != (c.want == in) {
			t.Errorf("%s: %d to %q, then %d; want %s", name, resp.StatusCode, got, code, c.want)
		}
		if log := s.logs.String()[logged:]; c.log != "" && !strings.Contains(log, c.log) {
			t.Errorf("%s: the log does not say %q: %s", name, c.log, log)
		}
	}
	p.Tamper(nil)
	if n := s.count(t, `SELECT count(*) FROM meet_user`); n != 1 || s.dump(t) == before {
		t.Errorf("%d accounts, want ada's alone", n)
	}
}

// count asks the database for a number.
func (s *service) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	if err := s.DB.QueryRow(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func publicPEM(t *testing.T, p *op.Provider) []byte {
	t.Helper()
	key, _ := p.PublicKey()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// A provider that does not answer makes one login fail after its time, and
// nothing else wait.
func TestProviderHangs(t *testing.T) {
	t.Parallel()
	for _, where := range []op.Endpoint{op.TokenEndpoint, op.UserInfoEndpoint, op.JWKSEndpoint} {
		t.Run(string(where), func(t *testing.T) {
			t.Parallel()
			s, p := signInAt(t, map[string]string{"OIDC_TIMEOUT": "1"}, op.Options{})
			asked := make(chan struct{}, 10)
			p.Tamper(func(a *op.Answer) {
				if a.Endpoint == where {
					asked <- struct{}{}
					<-a.Gone
				}
			})
			v := s.visitor(t)
			_, address := v.start("")
			back := v.atProvider(address, "ada")
			done := make(chan *http.Response, 1)
			go func() {
				resp, _ := v.get(back)
				done <- resp
			}()
			<-asked
			other := s.login(t, "grace")
			if got := s.request(t, other, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != 200 {
				t.Errorf("meanwhile: %d", got.Status)
			}
			select {
			case resp := <-done:
				t.Errorf("answered before its time: %d", resp.StatusCode)
			default:
			}
			if resp := <-done; resp.StatusCode != 302 || resp.Header.Get("Location") != failed {
				t.Errorf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
			}
			if log := s.logs.String(); !strings.Contains(log, "the provider did not answer as expected") || !strings.Contains(strings.ToLower(log), string(where)) {
				t.Errorf("the log does not say why: %s", log)
			}
			// Nothing is spoiled: the next login works.
			p.Tamper(nil)
			if resp := v.login("", "ada"); resp.Header.Get("Location") != in {
				t.Errorf("afterwards: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
			}
		})
	}
	s := startService(t, map[string]string{"LOGIN_REDIRECT_URL_FAILURE": failed}) // the provider is nowhere
	v := s.visitor(t)
	state, _ := v.start("")
	if resp, _ := v.get("/api/v1.0/callback/?code=x&state=" + state); resp.Header.Get("Location") != failed {
		t.Errorf("nowhere: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// The keys are asked for once, and once more when the provider has a new one.
func TestKeysChange(t *testing.T) {
	t.Parallel()
	s, p := signInAt(t, nil, op.Options{})
	var asked atomic.Int64
	p.Tamper(func(a *op.Answer) {
		if a.Endpoint == op.JWKSEndpoint {
			asked.Add(1)
		}
	})
	for i, step := range []struct {
		rotate bool
		asked  int64
	}{{false, 1}, {false, 1}, {true, 2}, {false, 2}, {true, 3}} {
		if step.rotate {
			if err := p.RotateKey(false); err != nil {
				t.Fatal(err)
			}
		}
		if resp := s.visitor(t).login("", "ada"); resp.Header.Get("Location") != in || asked.Load() != step.asked {
			t.Errorf("login %d: to %s, keys asked for %d times, want %d", i, resp.Header.Get("Location"), asked.Load(), step.asked)
		}
	}
}

// Every form that userinfo comes in, and every way to sign.
func TestUserInfoForms(t *testing.T) {
	t.Parallel()
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(own)}))
	encrypted := op.Encryption{Algorithm: jose.RSA_OAEP, Key: &own.PublicKey}
	other := op.Encryption{Algorithm: jose.RSA_OAEP_256, Key: &own.PublicKey}
	tell := func(change map[string]any) func(*op.Answer) {
		return func(a *op.Answer) {
			if a.Endpoint == op.UserInfoEndpoint {
				maps.Copy(a.Body, change)
			}
		}
	}
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		algorithm jose.SignatureAlgorithm
		client    op.Client
		env       map[string]string
		lie       func(*op.Answer)
		want      string
	}{
		"JSON":                   {want: in},
		"JSON by order":          {env: map[string]string{"OIDC_OP_USER_ENDPOINT_FORMAT": "JSON"}, want: in},
		"JSON, but wanted a JWT": {env: map[string]string{"OIDC_OP_USER_ENDPOINT_FORMAT": "JWT"}, want: failed},
		"signed":                 {client: op.Client{SignedUserInfo: true}, want: in},
		"signed by order":        {client: op.Client{SignedUserInfo: true}, env: map[string]string{"OIDC_OP_USER_ENDPOINT_FORMAT": "JWT"}, want: in},
		"signed, but wanted JSON": {
			client: op.Client{SignedUserInfo: true}, env: map[string]string{"OIDC_OP_USER_ENDPOINT_FORMAT": "JSON"}, want: failed,
		},
		"ES256":                       {algorithm: jose.ES256, client: op.Client{SignedUserInfo: true}, env: map[string]string{"OIDC_RP_SIGN_ALGO": "ES256"}, want: in},
		"HS256":                       {algorithm: jose.HS256, client: op.Client{SignedUserInfo: true}, env: map[string]string{"OIDC_RP_SIGN_ALGO": "HS256", "OIDC_OP_JWKS_ENDPOINT": ""}, want: in},
		"ES256, but wanted RS256":     {algorithm: jose.ES256, want: bad},
		"signed and expired":          {client: op.Client{SignedUserInfo: true}, lie: tell(map[string]any{"exp": now - 5}), want: failed},
		"signed with a nonce":         {client: op.Client{SignedUserInfo: true}, lie: tell(map[string]any{"nonce": "n"}), want: failed},
		"signed for somebody else":    {client: op.Client{SignedUserInfo: true}, lie: tell(map[string]any{"aud": "other"}), want: failed},
		"signed by somebody else":     {client: op.Client{SignedUserInfo: true}, lie: tell(map[string]any{"iss": "https://evil"}), want: failed},
		"encrypted":                   {client: op.Client{EncryptUserInfo: &encrypted, SignedUserInfo: true}, env: map[string]string{"OIDC_RS_PRIVATE_KEY_STR": private}, want: in},
		"encrypted JSON":              {client: op.Client{EncryptUserInfo: &encrypted}, env: map[string]string{"OIDC_RS_PRIVATE_KEY_STR": private}, want: in},
		"encrypted, no key":           {client: op.Client{EncryptUserInfo: &encrypted, SignedUserInfo: true}, want: failed},
		"encrypted in another way":    {client: op.Client{EncryptUserInfo: &other, SignedUserInfo: true}, env: map[string]string{"OIDC_RS_PRIVATE_KEY_STR": private}, want: failed},
		"encrypted, the way told":     {client: op.Client{EncryptUserInfo: &other, SignedUserInfo: true}, env: map[string]string{"OIDC_RS_PRIVATE_KEY_STR": private, "OIDC_RS_ENCRYPTION_ALGO": "RSA-OAEP-256"}, want: in},
		"encrypted JSON, wants a JWT": {client: op.Client{EncryptUserInfo: &encrypted}, env: map[string]string{"OIDC_RS_PRIVATE_KEY_STR": private, "OIDC_OP_USER_ENDPOINT_FORMAT": "JWT"}, want: failed},
		"no issuer to compare":        {env: map[string]string{"OIDC_OP_URL": ""}, want: in},
		"no PKCE, no nonce":           {env: map[string]string{"OIDC_USE_PKCE": "false", "OIDC_USE_NONCE": "false"}, want: in},
		"wrong secret":                {env: map[string]string{"OIDC_RP_CLIENT_SECRET": "wrong"}, want: failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, p := signInAt(t, c.env, op.Options{Algorithm: c.algorithm, Clients: []op.Client{c.client}})
			p.Tamper(c.lie)
			resp := s.visitor(t).login("", "ada")
			got := resp.Header.Get("Location")
			if resp.StatusCode == 400 {
				got = bad
			}
			if got != c.want {
				t.Errorf("%d to %q, want %s", resp.StatusCode, got, c.want)
			}
		})
	}
	s := startService(t, map[string]string{"OIDC_RS_PRIVATE_KEY_STR": private})
	got := s.request(t, account{}, http.MethodGet, "/jwks", "", nil)
	if want := regexp.MustCompile(`^\{"keys":\[\{"use":"enc","kty":"RSA","kid":"[\w-]{43}","alg":"RSA-OAEP","n":"[\w-]+","e":"AQAB"\}\]\}$`); got.Status != 200 || !want.Match(got.Body) {
		t.Errorf("the published key: %d %s", got.Status, got.Body)
	}
}

// addUser stores an account as the Django backend would have.
func (s *service) addUser(t *testing.T, sub, email any) {
	t.Helper()
	s.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
		is_device, is_staff, is_active, full_name, default_room_configuration)
		VALUES (gen_random_uuid(), '!', false, now(), '2020-01-01', $1, $2, 'en-us', 'UTC', false, false, true, 'Old Name', '{}')`, sub, email)
}

// accounts lists what is stored, as "sub e-mail full short", sorted.
func (s *service) accounts(t *testing.T) []string {
	t.Helper()
	return s.lines(t, `SELECT concat_ws(' ', coalesce(sub, '-'), coalesce(email, '-'), coalesce(full_name, '-'), coalesce(short_name, '-'))
		FROM meet_user ORDER BY 1`)
}

// lines asks the database for texts.
func (s *service) lines(t *testing.T, query string) []string {
	t.Helper()
	rows, err := s.DB.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Every row of oidc.md §4: who logs in as ann, given what is stored and what the
// provider says.
func TestWhoItIs(t *testing.T) {
	t.Parallel()
	const fallback, mutable = "OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION", "OIDC_USER_SUB_FIELD_IMMUTABLE"
	on := map[string]string{fallback: "true"}
	with := func(env map[string]string, name, value string) map[string]string {
		env = maps.Clone(env)
		env[name] = value
		return env
	}
	verified := with(on, "MEETD_OIDC_VERIFIED_EMAIL_ONLY", "true")
	pendingOnly := with(on, "MEETD_OIDC_EMAIL_MATCHES_PENDING_ONLY", "true")
	type stored struct{ sub, email any }
	long := strings.Repeat("é", 101)
	for name, c := range map[string]struct {
		env    map[string]string
		before []stored
		claims map[string]any
		want   []string // nil: refused, and nothing has changed
	}{
		"new":                 {want: []string{"sub-ann ann@example.org New Name New"}},
		"new without e-mail":  {claims: map[string]any{"email": nil}, want: []string{"sub-ann - New Name New"}},
		"new with e-mail ''":  {claims: map[string]any{"email": ""}, want: []string{"sub-ann - New Name New"}},
		"new without names":   {claims: map[string]any{"given_name": nil, "usual_name": nil}, want: []string{"sub-ann ann@example.org - -"}},
		"new with one name":   {claims: map[string]any{"given_name": ""}, want: []string{"sub-ann ann@example.org Name -"}},
		"case is kept":        {claims: map[string]any{"email": "Ann@EXAMPLE.org"}, want: []string{"sub-ann Ann@EXAMPLE.org New Name New"}},
		"odd but good sub":    {claims: nil, want: []string{"sub-ann ann@example.org New Name New"}},
		"creation is off":     {env: map[string]string{"OIDC_CREATE_USER": "false"}},
		"known, creation off": {env: map[string]string{"OIDC_CREATE_USER": "false"}, before: []stored{{"sub-ann", "ann@example.org"}}, want: []string{"sub-ann ann@example.org New Name New"}},

		"known by sub": {before: []stored{{"sub-ann", "old@example.org"}}, want: []string{"sub-ann ann@example.org New Name New"}},
		"nothing new erases": {
			before: []stored{{"sub-ann", "old@example.org"}}, claims: map[string]any{"email": "", "given_name": nil, "usual_name": ""},
			want: []string{"sub-ann old@example.org Old Name -"},
		},
		"sub wins over e-mail": {
			env: on, before: []stored{{"sub-ann", "old@example.org"}, {"sub-eve", "ann@example.org"}},
			want: []string{"sub-ann ann@example.org New Name New", "sub-eve ann@example.org Old Name -"},
		},

		// The outcome matrix.
		"fallback off, other sub":    {before: []stored{{"old", "ANN@example.org"}}, want: []string{"old ANN@example.org Old Name -", "sub-ann ann@example.org New Name New"}},
		"fallback off, pending":      {before: []stored{{nil, "ANN@example.org"}}, want: []string{"- ANN@example.org Old Name -", "sub-ann ann@example.org New Name New"}},
		"immutable, other sub":       {env: on, before: []stored{{"old", "ANN@example.org"}}, want: []string{"old ann@example.org New Name New"}},
		"immutable, pending":         {env: on, before: []stored{{nil, "ANN@example.org"}}, want: []string{"sub-ann ann@example.org New Name New"}},
		"mutable, other sub":         {env: with(on, mutable, "false"), before: []stored{{"old", "ANN@example.org"}}, want: []string{"sub-ann ann@example.org New Name New"}},
		"mutable, pending":           {env: with(on, mutable, "false"), before: []stored{{nil, "ANN@example.org"}}, want: []string{"sub-ann ann@example.org New Name New"}},
		"empty sub is none":          {env: on, before: []stored{{"", "ann@example.org"}}, want: []string{"sub-ann ann@example.org New Name New"}},
		"fallback without an e-mail": {env: on, before: []stored{{nil, nil}, {"x", ""}}, claims: map[string]any{"email": ""}, want: []string{"- - Old Name -", "sub-ann - New Name New", "x  Old Name -"}},

		"several share the e-mail": {env: on, before: []stored{{"a", "ann@example.org"}, {"b", "Ann@example.org"}}},
		"several, fallback off":    {before: []stored{{"a", "ann@example.org"}, {"b", "Ann@example.org"}}, want: []string{"a ann@example.org Old Name -", "b Ann@example.org Old Name -", "sub-ann ann@example.org New Name New"}},

		// Look-alikes and malformed addresses never match.
		"Kelvin sign": {
			env: on, before: []stored{{"victim", "ann@kelvin.org"}}, claims: map[string]any{"email": "ann@\u212aelvin.org"},
			want: []string{"sub-ann ann@\u212aelvin.org New Name New", "victim ann@kelvin.org Old Name -"},
		},
		"Cyrillic a": {
			env: on, before: []stored{{"victim", "ann@example.org"}}, claims: map[string]any{"email": "ann@ex\u0430mple.org"},
			want: []string{"sub-ann ann@ex\u0430mple.org New Name New", "victim ann@example.org Old Name -"},
		},
		"dotless i": {
			env: on, before: []stored{{"victim", "ann@mail.org"}}, claims: map[string]any{"email": "ann@ma\u0131l.org"},
			want: []string{"sub-ann ann@ma\u0131l.org New Name New", "victim ann@mail.org Old Name -"},
		},
		"space around": {env: on, before: []stored{{"victim", "ann@example.org"}}, claims: map[string]any{"email": " ann@example.org"}},
		"newline":      {env: on, before: []stored{{"victim", "ann@example.org"}}, claims: map[string]any{"email": "ann@example.org\n"}},
		"pattern":      {env: on, before: []stored{{"victim", "ann@example.org"}}, claims: map[string]any{"email": "a%@example.org"}, want: []string{"sub-ann a%@example.org New Name New", "victim ann@example.org Old Name -"}},
		"two signs":    {env: on, before: []stored{{"victim", "ann@example.org"}}, claims: map[string]any{"email": "ann@example.org@evil.com"}},
		"with a name":  {env: on, before: []stored{{"victim", "ann@example.org"}}, claims: map[string]any{"email": "Ann <ann@example.org>"}},
		"no domain":    {claims: map[string]any{"email": "ann"}},
		"short domain": {claims: map[string]any{"email": "ann@example"}},
		"NUL":          {claims: map[string]any{"email": "ann@example.org\x00"}},
		"long e-mail":  {claims: map[string]any{"email": strings.Repeat("a", 250) + "@example.org"}},
		"a list":       {claims: map[string]any{"email": []string{"ann@example.org"}}, want: []string{"sub-ann - New Name New"}},

		"long name":                 {claims: map[string]any{"usual_name": long}},
		"long name, known":          {before: []stored{{"sub-ann", "old@example.org"}}, claims: map[string]any{"usual_name": long}},
		"missing essential claim":   {env: map[string]string{"OIDC_USERINFO_ESSENTIAL_CLAIMS": "email,phone"}},
		"essential claim is empty":  {env: map[string]string{"OIDC_USERINFO_ESSENTIAL_CLAIMS": "phone"}, claims: map[string]any{"phone": ""}, want: []string{"sub-ann ann@example.org New Name New"}},
		"names from other claims":   {env: map[string]string{"OIDC_USERINFO_FULLNAME_FIELDS": "first,last", "OIDC_USERINFO_SHORTNAME_FIELD": "nick"}, claims: map[string]any{"first": "Ann", "last": "Lee", "nick": "A"}, want: []string{"sub-ann ann@example.org Ann Lee A"}},
		"no claims for names":       {env: map[string]string{"OIDC_USERINFO_FULLNAME_FIELDS": "", "OIDC_USERINFO_SHORTNAME_FIELD": ""}, want: []string{"sub-ann ann@example.org - -"}},
		"names that are no text":    {claims: map[string]any{"given_name": 3, "usual_name": []string{"x"}}, want: []string{"sub-ann ann@example.org - -"}},
		"nothing changes: no write": {before: []stored{{"sub-ann", "ann@example.org"}}, claims: map[string]any{"given_name": "", "usual_name": "Old Name"}, want: []string{"sub-ann ann@example.org Old Name -"}},

		// Stricter, where it is switched on.
		"verified":         {env: verified, before: []stored{{nil, "ann@example.org"}}, claims: map[string]any{"email_verified": true}, want: []string{"sub-ann ann@example.org New Name New"}},
		"verified as text": {env: verified, before: []stored{{nil, "ann@example.org"}}, claims: map[string]any{"email_verified": "true"}, want: []string{"sub-ann ann@example.org New Name New"}},
		"not verified": {
			env: verified, before: []stored{{nil, "ann@example.org"}}, claims: map[string]any{"email_verified": false},
			want: []string{"- ann@example.org Old Name -", "sub-ann - New Name New"},
		},
		"not said to be verified": {
			env: verified, before: []stored{{"victim", "ann@example.org"}}, claims: map[string]any{"email_verified": nil},
			want: []string{"sub-ann - New Name New", "victim ann@example.org Old Name -"},
		},
		"not verified keeps the old one":  {env: verified, before: []stored{{"sub-ann", "old@example.org"}}, want: []string{"sub-ann old@example.org New Name New"}},
		"not verified, by default":        {env: on, before: []stored{{nil, "ann@example.org"}}, claims: map[string]any{"email_verified": false}, want: []string{"sub-ann ann@example.org New Name New"}},
		"address went to somebody else":   {env: pendingOnly, before: []stored{{"old", "ann@example.org"}}, want: []string{"old ann@example.org Old Name -", "sub-ann ann@example.org New Name New"}},
		"the same, if mutable":            {env: with(pendingOnly, mutable, "false"), before: []stored{{"old", "ann@example.org"}}, want: []string{"old ann@example.org Old Name -", "sub-ann ann@example.org New Name New"}},
		"pending account still found":     {env: pendingOnly, before: []stored{{nil, "ann@example.org"}}, want: []string{"sub-ann ann@example.org New Name New"}},
		"pending found beside a used one": {env: pendingOnly, before: []stored{{nil, "ann@example.org"}, {"old", "ann@example.org"}}, want: []string{"old ann@example.org Old Name -", "sub-ann ann@example.org New Name New"}},
		"the same, creation off":          {env: with(pendingOnly, "OIDC_CREATE_USER", "false"), before: []stored{{"old", "ann@example.org"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := signInAt(t, c.env, op.Options{Users: []op.User{person("ann", c.claims)}})
			for _, u := range c.before {
				s.addUser(t, u.sub, u.email)
			}
			before := s.accounts(t)
			v := s.visitor(t)
			resp := v.login("", "ann")
			want, to := c.want, in
			if want == nil {
				want, to = before, failed
			}
			if diff := cmp.Diff(want, s.accounts(t)); diff != "" || resp.Header.Get("Location") != to {
				t.Errorf("%d to %s, want %s; accounts %s", resp.StatusCode, resp.Header.Get("Location"), to, diff)
			}
			if code, me := v.me(); (code == 200) != (c.want != nil) {
				t.Errorf("afterwards: %d %s", code, me)
			}
			// A login is a partial save (database.md §1).
			if n := s.count(t, `SELECT count(*) FROM meet_user WHERE full_name = 'New Name' AND created_at < '2020-01-02' AND updated_at <> '2020-01-01'`); n != 0 {
				t.Error("updated_at was touched")
			}
		})
	}
}

// A new account is as the Django backend would have made it.
func TestNewAccount(t *testing.T) {
	t.Parallel()
	s := signIn(t, map[string]string{"DJANGO_LANGUAGE_CODE": "fr-fr"})
	s.visitor(t).login("", "ada")
	var got string
	err := s.DB.QueryRow(t.Context(), `SELECT concat_ws(' ', language, timezone, is_superuser, is_staff, is_device, is_active,
		default_room_configuration, default_room_access_level IS NULL, admin_email IS NULL, last_login IS NOT NULL, created_at = updated_at,
		password ~ '^![a-zA-Z0-9]{40}$') FROM meet_user`).Scan(&got)
	if want := "fr-fr UTC f f f t {} t t t t t"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// Subjects at the border of what may be stored.
func TestSubjects(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		sub  string
		want string
	}{
		{"é.ü_@+-9", in},
		{strings.Repeat("s", 255), in},
		{"漢字", in},
		{strings.Repeat("s", 256), failed},
		{"a b", failed},
		{"a/b", failed},
		{"a\n", failed},
		{"a\x00b", failed},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			who := person("odd", nil)
			who.Sub = c.sub
			s := signIn(t, nil, who)
			if resp := s.visitor(t).login("", "odd"); resp.Header.Get("Location") != c.want {
				t.Errorf("%q: %d to %s, want %s", c.sub, resp.StatusCode, resp.Header.Get("Location"), c.want)
			}
		})
	}
}

// Two first logins of one person at the same time make one account, and both
// get in.
func TestFirstLoginsAtOnce(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil)
	const many = 8
	visitors, backs := make([]*visitor, many), make([]string, many)
	for i := range visitors {
		visitors[i] = s.visitor(t)
		_, address := visitors[i].start("")
		backs[i] = visitors[i].atProvider(address, "ada")
	}
	done := make(chan string, many)
	for i, v := range visitors {
		go func() {
			resp, _ := v.get(backs[i])
			done <- resp.Header.Get("Location")
		}()
	}
	for range many {
		if to := <-done; to != in {
			t.Errorf("one was sent to %s", to)
		}
	}
	if n := s.count(t, `SELECT count(*) FROM meet_user`); n != 1 {
		t.Errorf("%d accounts", n)
	}
}
