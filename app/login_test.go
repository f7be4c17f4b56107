package app_test

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"meetd/adapters/devstack/op"
)

// provider starts an OpenID provider that knows ada, and the service's
// configuration for it.
func provider(t *testing.T, o op.Options) (*op.Provider, map[string]string) {
	t.Helper()
	if o.Clients == nil {
		o.Clients = []op.Client{{}}
	}
	o.Clients[0].ID, o.Clients[0].Secret = "meet", "client-secret"
	o.Users = append(o.Users, op.User{
		Sub: "sub-ada", Username: "ada", Password: "ada", Email: "ada@example.org", EmailVerified: true,
		GivenName: "Ada", UsualName: "Lovelace",
	})
	p, err := op.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	e := p.Endpoints()
	return p, map[string]string{
		"OIDC_OP_URL": p.Issuer(), "OIDC_OP_AUTHORIZATION_ENDPOINT": e.Authorization, "OIDC_OP_TOKEN_ENDPOINT": e.Token,
		"OIDC_OP_USER_ENDPOINT": e.UserInfo, "OIDC_OP_JWKS_ENDPOINT": e.JWKS, "OIDC_OP_LOGOUT_ENDPOINT": e.EndSession,
		"OIDC_USE_PKCE": "true", "LOGIN_REDIRECT_URL": "/home", "LOGIN_REDIRECT_URL_FAILURE": "/failed", "LOGOUT_REDIRECT_URL": "/bye",
	}
}

// signIn is the service with a provider that sends people back to it.
func signIn(t *testing.T, env map[string]string, users ...op.User) *service {
	t.Helper()
	s, _ := signInAt(t, env, op.Options{Users: users})
	return s
}

// signInAt is signIn with a provider of a kind.
func signInAt(t *testing.T, env map[string]string, o op.Options) (*service, *op.Provider) {
	t.Helper()
	p, vars := provider(t, o)
	maps.Copy(vars, env)
	s := startService(t, vars)
	p.AllowRedirect(s.URL+"/api/v1.0/callback/", s.URL+"/api/v1.0/logout-callback/")
	return s, p
}

// visitor is a browser that follows every redirect by hand.
type visitor struct {
	t      *testing.T
	s      *service
	client *http.Client

	lastProvider string // page of the provider that was seen last
}

func (s *service) visitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, s: s, client: &http.Client{
		Transport: ownAnswers{s.URL, checking{t, http.DefaultTransport}},
		Jar:       jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) get(address string) (*http.Response, string) {
	v.t.Helper()
	return v.do(http.MethodGet, address, nil)
}

func (v *visitor) do(method, address string, form url.Values) (*http.Response, string) {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.s.URL + address
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(body)
}

var (
	hidden = regexp.MustCompile(`<input[^>]*type="hidden"[^>]*name="([^"]*)"[^>]*value="([^"]*)"`)
	action = regexp.MustCompile(`<form[^>]*action="([^"]*)"`)
)

// atProvider follows redirects and fills in the form until the provider sends
// the browser back; it returns that address without going there.
func (v *visitor) atProvider(address, name string) string {
	v.t.Helper()
	for range 10 {
		if strings.HasPrefix(address, v.s.URL) {
			return address
		}
		v.lastProvider = address
		resp, page := v.get(address)
		if resp.StatusCode == http.StatusOK { // the form
			form := url.Values{"username": {name}, "password": {name}}
			for _, m := range hidden.FindAllStringSubmatch(page, -1) {
				form.Set(m[1], html.UnescapeString(m[2]))
			}
			target := resp.Request.URL
			if m := action.FindStringSubmatch(page); m != nil && m[1] != "" {
				target, _ = target.Parse(html.UnescapeString(m[1]))
			}
			resp, _ = v.do(http.MethodPost, target.String(), form)
		}
		next, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
		if err != nil || resp.Header.Get("Location") == "" {
			v.t.Fatalf("%s: status %d, no way on", address, resp.StatusCode)
		}
		address = next.String()
	}
	v.t.Fatal("the provider never sends the browser back")
	return ""
}

// login goes all the way and returns the answer of the callback.
func (v *visitor) login(query, name string) *http.Response {
	v.t.Helper()
	resp, body := v.get("/api/v1.0/authenticate/" + query)
	if resp.StatusCode != http.StatusFound {
		v.t.Fatalf("start: %d %s", resp.StatusCode, body)
	}
	resp, _ = v.get(v.atProvider(resp.Header.Get("Location"), name))
	return resp
}

func (v *visitor) cookie(name string) string {
	v.t.Helper()
	u, err := url.Parse(v.s.URL)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// providerCookie is the name of the cookie by which the provider knows somebody.
func (v *visitor) providerCookie(at *url.URL) string {
	v.t.Helper()
	for _, c := range v.client.Jar.Cookies(at) {
		if c.Name != v.s.cookie && c.Name != "csrftoken" {
			return c.Name
		}
	}
	v.t.Fatal("the provider knows nobody")
	return ""
}

func (v *visitor) me() (int, string) {
	v.t.Helper()
	resp, body := v.get("/api/v1.0/users/me/")
	return resp.StatusCode, body
}

func TestLogin(t *testing.T) {
	t.Parallel()
	s := signIn(t, map[string]string{"DJANGO_CONFIGURATION": "Base", "DJANGO_ALLOWED_HOSTS": "127.0.0.1"})
	v := s.visitor(t)
	resp, _ := v.get("/api/v1.0/authenticate/?returnTo=" + url.QueryEscape(s.URL+"/room?a=b"))
	to, _ := url.Parse(resp.Header.Get("Location"))
	want := regexp.MustCompile(`^response_type=code&scope=openid\+email&client_id=meet&redirect_uri=` + regexp.QuoteMeta(url.QueryEscape(s.URL+"/api/v1.0/callback/")) +
		`&state=[a-z0-9]{32}&nonce=[a-z0-9]{32}&code_challenge=[\w-]{43}&code_challenge_method=S256$`)
	if resp.StatusCode != 302 || !want.MatchString(to.RawQuery) {
		t.Fatalf("start: %d %s", resp.StatusCode, to)
	}
	before := v.cookie("sessionid")
	if len(before) != 32 {
		t.Fatalf("session cookie %q", before)
	}
	resp, _ = v.get(v.atProvider(to.String(), "ada"))
	if resp.StatusCode != 302 || resp.Header.Get("Location") != s.URL+"/room?a=b" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("callback: %d %v", resp.StatusCode, resp.Header)
	}
	if after := v.cookie("sessionid"); len(after) != 32 || after == before {
		t.Errorf("the session was not renewed at login: %q, then %q", before, after)
	}
	for _, c := range resp.Cookies() {
		wantOnly := map[string]string{
			"sessionid": "Path=/; Max-Age=43200; HttpOnly; SameSite=Lax",
			"csrftoken": "Path=/; Max-Age=31449600; SameSite=Lax",
		}[c.Name]
		if _, rest, _ := strings.Cut(c.Raw, "; "); rest != wantOnly {
			t.Errorf("cookie %s, want %s", c.Raw, wantOnly)
		}
	}
	if !regexp.MustCompile(`^[A-Za-z0-9]{32}$`).MatchString(v.cookie("csrftoken")) {
		t.Errorf("CSRF token %q", v.cookie("csrftoken"))
	}
	if code, me := v.me(); code != 200 || !strings.Contains(me, `"email":"ada@example.org","full_name":"Ada Lovelace","short_name":"Ada"`) {
		t.Errorf("who am I: %d %s", code, me)
	}
	var stored int
	err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meetd.session WHERE position($1::bytea in id_hash) > 0 OR data::text LIKE '%' || $2 || '%'`,
		[]byte(v.cookie("sessionid")), v.cookie("sessionid")).Scan(&stored)
	if err != nil || stored != 0 {
		t.Errorf("the secret of the session is stored: %d, %v", stored, err)
	}
	// The session works on the next visit, not for another browser, and not when the account is disabled.
	if code, _ := s.visitor(t).me(); code != 401 {
		t.Errorf("another browser: %d", code)
	}
	s.exec(t, `UPDATE meet_user SET is_active = false`)
	if code, _ := v.me(); code != 401 {
		t.Errorf("disabled: %d", code)
	}
	s.exec(t, `UPDATE meet_user SET is_active = true`)
	s.shiftClock(12*3600*1e9 + 1e9)
	if code, _ := v.me(); code != 401 {
		t.Errorf("after twelve hours: %d", code)
	}
}

func TestSecureCookies(t *testing.T) {
	t.Parallel()
	s := signIn(t, map[string]string{
		"DJANGO_CONFIGURATION": "Production", "DJANGO_SECRET_KEY": "k", "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
	})
	got := s.request(t, account{}, http.MethodGet, "/api/v1.0/authenticate/", "", http.Header{"X-Forwarded-Proto": {"https"}})
	cookie := got.Header.Get("Set-Cookie")
	if !strings.HasPrefix(cookie, "sessionid=") || !strings.Contains(cookie, "; Secure") || !strings.Contains(cookie, "; HttpOnly") {
		t.Errorf("cookie %q", cookie)
	}
	if to := got.Header.Get("Location"); !strings.Contains(to, "redirect_uri=https%3A%2F%2F") {
		t.Errorf("the way back is not https: %s", to)
	}
}

// A way back that could lead people astray is not taken (oidc.md §2).
func TestReturnTargets(t *testing.T) {
	t.Parallel()
	s := signIn(t, map[string]string{"OIDC_REDIRECT_ALLOWED_HOSTS": "localhost:3000,front"})
	for target, taken := range map[string]bool{
		"/room/abc": true, "http://localhost:3000/x?y=1": true, s.URL + "/z": true, "https://front/q": true, "/é": true,
		"": false, "https://evil.com/x": false, "//evil.com": false, `/\evil.com`: false, `\\evil.com`: false, "///evil.com": false,
		"javascript:alert(1)": false, "http://front:80/x": false, "https:evil.com": false, "https:///evil.com": false,
		"https://front@evil.com/": false, "https://user@front/": false, "ftp://front/": false, " /room": false,
		"/\tevil": false, "http://localhost:3000.evil.com/": false, "data:text/html,x": false, "\x01//evil.com": false,
	} {
		resp := s.visitor(t).login("?returnTo="+url.QueryEscape(target), "ada")
		want := "/home"
		if taken {
			want = strings.ReplaceAll(target, "é", "%C3%A9")
		}
		if got := resp.Header.Get("Location"); resp.StatusCode != 302 || got != want {
			t.Errorf("%q: %d to %q, want %q", target, resp.StatusCode, got, want)
		}
	}
}

func TestCallbackRefusals(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil)
	v := s.visitor(t)
	expect := func(what, path string, status int, location string) {
		t.Helper()
		resp, body := v.get(path)
		if resp.StatusCode != status || resp.Header.Get("Location") != location {
			t.Errorf("%s: %d to %q %s, want %d to %q", what, resp.StatusCode, resp.Header.Get("Location"), body, status, location)
		}
		if code, _ := v.me(); code != 401 {
			t.Errorf("%s: somebody is logged in", what)
		}
	}
	const callback = "/api/v1.0/callback/"
	expect("no session", callback+"?code=a&state=b", 302, "/failed")
	start := func(query string) (state string, address string) {
		resp, _ := v.get("/api/v1.0/authenticate/" + query)
		to, _ := url.Parse(resp.Header.Get("Location"))
		return to.Query().Get("state"), to.String()
	}
	_, address := start("")
	back := v.atProvider(address, "ada")
	expect("nothing", callback, 302, "/failed")
	expect("no state", callback+"?code=a", 302, "/failed")
	expect("no code", callback+"?state=a", 302, "/failed")
	expect("unknown state", callback+"?code=a&state=zzz", 400, "")
	expect("another state with a good code", callback+"?code="+mustQuery(t, back, "code")+"&state=zzz", 400, "")

	// The code of one browser in another: its state is unknown there.
	other := s.visitor(t)
	other.get("/api/v1.0/authenticate/")
	if resp, _ := other.get(back); resp.StatusCode != 400 {
		t.Errorf("the answer to another browser: %d", resp.StatusCode)
	}
	// A code for another login of the same browser: wrong nonce and verifier.
	state, _ := start("")
	expect("the code of another login", callback+"?code="+mustQuery(t, back, "code")+"&state="+state, 302, "/failed")
	expect("the state once more", callback+"?code="+mustQuery(t, back, "code")+"&state="+state, 400, "")

	state, _ = start("?silent=true&returnTo=/here")
	expect("silent, unknown state", callback+"?error=login_required&state=zzz", 400, "")
	expect("silent, nobody there", callback+"?error=login_required&state="+state, 302, "/here")
	state, _ = start("")
	expect("refused by the provider", callback+"?error=access_denied&state="+state, 302, "/failed")

	if resp, _ := v.get(back); resp.StatusCode != 302 || resp.Header.Get("Location") != "/home" {
		t.Errorf("the real answer at last: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if code, _ := v.me(); code != 200 {
		t.Errorf("after the real answer: %d", code)
	}
	if resp, _ := v.get(back); resp.StatusCode != 400 {
		t.Errorf("the real answer once more: %d", resp.StatusCode)
	}
}

func mustQuery(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

// Silent login with the real provider: without a session there, and with one.
func TestSilentLogin(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil)
	v := s.visitor(t)
	if resp := v.login("?silent=true&returnTo="+url.QueryEscape(s.URL+"/room?x=1"), "ada"); resp.StatusCode != 302 || resp.Header.Get("Location") != s.URL+"/room?x=1" {
		t.Errorf("nobody there: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if code, _ := v.me(); code != 401 {
		t.Errorf("somebody is logged in: %d", code)
	}
	v.login("", "ada")
	fresh := s.visitor(t)
	fresh.client.Jar = v.client.Jar // the provider knows the browser
	s.exec(t, `DELETE FROM meetd.session`)
	if resp := fresh.login("?silent=true&returnTo=/again", "nobody"); resp.Header.Get("Location") != "/again" {
		t.Errorf("known there: to %q", resp.Header.Get("Location"))
	}
	if code, _ := fresh.me(); code != 200 {
		t.Errorf("known there: %d", code)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil)
	v := s.visitor(t)
	if resp, _ := v.get("/api/v1.0/logout"); resp.StatusCode != 302 || resp.Header.Get("Location") != "/bye" {
		t.Errorf("anonymous: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	v.login("", "ada")
	resp, _ := v.get("/api/v1.0/logout")
	to, _ := url.Parse(resp.Header.Get("Location"))
	if resp.StatusCode != 302 || to.Query().Get("id_token_hint") == "" || len(to.Query().Get("state")) != 32 ||
		to.Query().Get("post_logout_redirect_uri") != s.URL+"/api/v1.0/logout-callback/" {
		t.Fatalf("logout: %d to %s", resp.StatusCode, to)
	}
	if code, _ := v.me(); code != 200 {
		t.Errorf("before the provider has answered: %d", code)
	}
	if resp, _ := v.get("/api/v1.0/logout-callback/?state=zzz"); resp.StatusCode != 400 {
		t.Errorf("foreign state: %d", resp.StatusCode)
	}
	if resp, _ := v.get("/api/v1.0/logout-callback/"); resp.StatusCode != 302 {
		t.Errorf("no state: %d", resp.StatusCode)
	}
	if code, _ := v.me(); code != 200 {
		t.Errorf("a foreign state logged out: %d", code)
	}
	resp, _ = v.get(v.atProvider(to.String(), ""))
	if resp.StatusCode != 302 || resp.Header.Get("Location") != "/bye" {
		t.Errorf("back: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if code, _ := v.me(); code != 401 {
		t.Errorf("after logout: %d", code)
	}
	if v.cookie("meet_sessionid") != "" {
		t.Error("the session cookie is still there")
	}
	// A POST is a write: it needs the CSRF token.
	v.login("", "ada")
	if resp, _ := v.do(http.MethodPost, "/api/v1.0/logout/", nil); resp.StatusCode != 403 {
		t.Errorf("POST without token: %d", resp.StatusCode)
	}
}

// Who it is: the common rows of oidc.md §4.
func TestAccounts(t *testing.T) {
	t.Parallel()
	person := func(name string, claims map[string]any) op.User {
		return op.User{Sub: "sub-" + name, Username: name, Password: name, Email: name + "@example.org", GivenName: "New", UsualName: "Name", Claims: claims}
	}
	s := signIn(t, map[string]string{"OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION": "true"},
		person("known", nil), person("renamed", map[string]any{"email": nil, "usual_name": ""}),
		person("pending", map[string]any{"email": "PENDING@example.org"}), person("moved", nil), person("twin", nil),
		person("disabled", nil), person("nosub", map[string]any{"sub": nil}), person("emptysub", map[string]any{"sub": ""}),
		person("badmail", map[string]any{"email": "not an address"}), person("fresh", nil), person("otherperson", map[string]any{"sub": "sub-known"}))
	add := func(sub any, email string) {
		s.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
			is_device, is_staff, is_active, full_name, default_room_configuration)
			VALUES (gen_random_uuid(), '!', false, now(), now(), $1, $2, 'en-us', 'UTC', false, false, true, 'Old Name', '{}')`, sub, email)
	}
	add("sub-known", "old@example.org")
	add("sub-renamed", "renamed@example.org")
	add(nil, "pending@example.org")
	add("sub-before", "moved@example.org")
	add("sub-twin-1", "twin@example.org")
	add("sub-twin-2", "Twin@example.org")
	add("sub-disabled", "disabled@example.org")
	s.exec(t, `UPDATE meet_user SET is_active = false WHERE sub = 'sub-disabled'`)
	for name, want := range map[string]string{
		"known":   "sub-known known@example.org New Name",
		"renamed": "sub-renamed renamed@example.org New",
		"pending": "sub-pending PENDING@example.org New Name",
		"moved":   "sub-before moved@example.org New Name",
		"fresh":   "sub-fresh fresh@example.org New Name",
		"twin":    "", "disabled": "", "nosub": "", "emptysub": "", "badmail": "", "otherperson": "",
	} {
		v := s.visitor(t)
		resp := v.login("", name)
		code, me := v.me()
		if want == "" {
			if loc := resp.Header.Get("Location"); code != 401 || (resp.StatusCode != 400 && loc != "/failed") {
				t.Errorf("%s got in: %d to %q, then %d %s", name, resp.StatusCode, loc, code, me)
			}
			continue
		}
		var sub, email, full string
		err := s.DB.QueryRow(t.Context(), `SELECT u.sub, u.email, u.full_name FROM meet_user u WHERE position(u.id::text in $1) > 0 AND last_login IS NOT NULL`, me).Scan(&sub, &email, &full)
		if got := sub + " " + email + " " + full; code != 200 || err != nil || got != want {
			t.Errorf("%s: %d %q, %v, want %q", name, code, got, err, want)
		}
	}
	var accounts int
	if err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meet_user`).Scan(&accounts); err != nil || accounts != 8 {
		t.Errorf("%d accounts, %v, want the seven and the fresh one", accounts, err)
	}
}
