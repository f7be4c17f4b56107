package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"meetd/adapters/devstack/op"
)

// trail lists what the audit trail says, oldest first, as "action by about".
func (s *service) trail(t *testing.T) []string {
	t.Helper()
	return s.lines(t, `SELECT e.action || ' by ' || coalesce(a.sub, 'nobody') || ' about ' || coalesce(b.sub, nullif(e.subject, ''), 'nobody') ||
			coalesce(' ' || (SELECT string_agg(v, ',' ORDER BY k) FROM jsonb_each_text(e.details) d (k, v) WHERE v <> ''), '')
		FROM meetd.audit_event e LEFT JOIN meet_user a ON a.id = e.actor_id LEFT JOIN meet_user b ON b.id::text = e.subject ORDER BY e.id`)
}

// What a login does to the session that was there (oidc.md §5).
func TestSessionAtLogin(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil, person("bob", nil))
	v := s.visitor(t)
	v.login("?returnTo=/a", "ada")
	first, firstToken := v.cookie(s.cookie), v.cookie("csrftoken")
	provider, err := url.Parse(v.lastProvider)
	if err != nil {
		t.Fatal(err)
	}
	v.login("?returnTo=/b", "ada")
	second, secondToken := v.cookie(s.cookie), v.cookie("csrftoken")
	if first == second || firstToken == secondToken {
		t.Error("a second login kept the session or the CSRF token")
	}
	pending := logoutState(t, v)
	note := func() int {
		return s.count(t, `SELECT count(*) FROM meetd.session WHERE data::text LIKE '%told to ada%'`)
	}
	s.exec(t, `UPDATE meetd.session SET data = data || '{"Notes": [{"Level": "success", "Text": "told to ada"}]}'`)
	if v.login("?returnTo=/b", "ada"); note() != 1 {
		t.Error("what the administration tells was lost when the same person logged in again")
	}
	// Another person in the same browser: the provider forgets ada first.
	v.client.Jar.SetCookies(provider, []*http.Cookie{{Name: v.providerCookie(provider), MaxAge: -1, Path: "/"}})
	resp := v.login("?returnTo=/c", "bob")
	if _, me := v.me(); resp.Header.Get("Location") != "/c" || !strings.Contains(me, "bob@example.org") {
		t.Errorf("another person: to %s, then %s", resp.Header.Get("Location"), me)
	}
	if note() != 0 {
		t.Error("what the administration tells is told to another person")
	}
	if resp, _ := v.get("/api/v1.0/logout-callback/?state=" + pending); resp.StatusCode != 400 {
		t.Errorf("the logout of another person: %d", resp.StatusCode)
	}
	if resp, _ := v.get("/api/v1.0/logout"); !strings.Contains(resp.Header.Get("Location"), "id_token_hint=") {
		t.Errorf("the ID token was lost: %s", resp.Header.Get("Location"))
	}
	if n := s.count(t, `SELECT count(*) FROM meetd.session`); n != 1 {
		t.Errorf("%d sessions are left of one browser", n)
	}
	for name, secret := range map[string]string{"first": first, "second": second} {
		if got := s.request(t, account{Secret: secret}, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != 401 {
			t.Errorf("the %s session still works: %d", name, got.Status)
		}
	}
}

// A session is known to every node, outlives a restart, and never gets older
// than its time, however much it is used.
func TestSessionsOfNodes(t *testing.T) {
	t.Parallel()
	one, p := signInAt(t, map[string]string{"SESSION_COOKIE_AGE": "3600"}, op.Options{})
	v := one.visitor(t)
	v.login("", "ada")
	e := p.Endpoints()
	two := startService(t, map[string]string{
		"DATABASE_URL": one.DB.Config().ConnString(), "OIDC_OP_LOGOUT_ENDPOINT": e.EndSession, "SESSION_COOKIE_AGE": "3600",
		"OIDC_OP_JWKS_ENDPOINT": e.JWKS, "OIDC_OP_URL": p.Issuer(),
	})
	who := account{Secret: v.cookie(one.cookie)}
	me := func(s *service) int {
		return s.request(t, who, http.MethodGet, "/api/v1.0/users/me/", "", nil).Status
	}
	if code := me(two); code != 200 {
		t.Errorf("another node: %d", code)
	}
	for range 4 {
		two.shiftClock(14 * time.Minute)
		if code := me(two); code != 200 {
			t.Errorf("within the hour: %d", code)
		}
	}
	two.shiftClock(5 * time.Minute)
	if code := me(two); code != 401 {
		t.Errorf("after the hour: %d", code)
	}
	// What one node ends is over on the other.
	one.exec(t, `UPDATE meet_user SET is_active = false`)
	if code := me(one); code != 401 {
		t.Errorf("disabled: %d", code)
	}
	one.exec(t, `UPDATE meet_user SET is_active = true`)
	if resp, _ := v.do(http.MethodGet, "/api/v1.0/logout-callback/?state="+logoutState(t, v), nil); resp.StatusCode != 302 {
		t.Errorf("logout: %d", resp.StatusCode)
	}
	two.shiftClock(-time.Hour)
	if code := me(two); code != 401 {
		t.Errorf("logged out elsewhere: %d", code)
	}
}

func logoutState(t *testing.T, v *visitor) string {
	t.Helper()
	resp, _ := v.get("/api/v1.0/logout")
	return mustQuery(t, resp.Header.Get("Location"), "state")
}

// Expired sessions, used tokens and old failures are forgotten by a job.
func TestPurge(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	s.login(t, "ada")
	s.exec(t, `INSERT INTO meetd.session (id_hash, data, created_at, expires_at) VALUES ('x', '{}', now(), now() - interval '1 second')`)
	s.exec(t, `INSERT INTO meetd.used_token (id_hash, expires_at) VALUES ('x', now() - interval '1 second'), ('y', now() + interval '1 hour')`)
	s.exec(t, `INSERT INTO meetd.throttle (bucket, hits, expires_at) VALUES ('x', '{}', now() - interval '1 second'), ('y', '{}', now() + interval '1 hour')`)
	s.exec(t, `INSERT INTO meetd.river_job (args, kind, max_attempts) VALUES ('{}', 'purge_sessions', 1)`)
	eventually(t, "the expired is forgotten", func() bool {
		return s.count(t, `SELECT (SELECT count(*) FROM meetd.session) + (SELECT count(*) FROM meetd.used_token) + (SELECT count(*) FROM meetd.throttle)`) == 3
	})
}

// So are those who waited for rooms and the callbacks nobody came for.
func TestPurgeRooms(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	s.exec(t, `INSERT INTO meetd.lobby_entry (room_id, participant_id, identity, status, username, color, since, expires_at)
		SELECT gen_random_uuid(), gen_random_uuid(), 'x', 'waiting', 'x', 'x', now(), now() + age FROM (VALUES (interval '-1 second'), ('1 hour')) a (age)`)
	s.exec(t, `INSERT INTO meetd.room_callback (id_hash, slug, expires_at) VALUES ('x', 'x', now() - interval '1 second'), ('y', 'y', now() + interval '1 hour')`)
	s.exec(t, `INSERT INTO meetd.river_job (args, kind, max_attempts) VALUES ('{}', 'purge_rooms', 1)`)
	eventually(t, "the expired is forgotten", func() bool {
		return s.count(t, `SELECT (SELECT count(*) FROM meetd.lobby_entry WHERE expires_at > now()) * 10 + (SELECT count(*) FROM meetd.lobby_entry) +
			(SELECT count(*) FROM meetd.room_callback WHERE expires_at > now()) * 10 + (SELECT count(*) FROM meetd.room_callback)`) == 22
	})
}

// The rows of oidc.md §6 that the usual logout does not show.
func TestLogoutLocally(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{
		"no page at the provider": {"OIDC_OP_LOGOUT_ENDPOINT": ""},
		"no ID token is kept":     {"OIDC_STORE_ID_TOKEN": "false"},
	} {
		s := signIn(t, env)
		v := s.visitor(t)
		v.login("", "ada")
		resp, _ := v.get("/api/v1.0/logout/")
		if resp.StatusCode != 302 || resp.Header.Get("Location") != "/bye" || v.cookie(s.cookie) != "" {
			t.Errorf("%s: %d to %s, cookie %q", name, resp.StatusCode, resp.Header.Get("Location"), v.cookie(s.cookie))
		}
		if n := s.count(t, `SELECT count(*) FROM meetd.session`); n != 0 {
			t.Errorf("%s: %d sessions are left", name, n)
		}
		want := []string{"logged_in by sub-ada about sub-ada", "logged_out by sub-ada about sub-ada"}
		if diff := cmp.Diff(want, s.trail(t)); diff != "" {
			t.Errorf("%s: audit %s", name, diff)
		}
	}
	s := signIn(t, nil)
	if resp, _ := s.visitor(t).get("/api/v1.0/logout-callback/?state=x"); resp.StatusCode != 302 || resp.Header.Get("Location") != "/bye" {
		t.Errorf("back without a session: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	unset := startService(t, nil)
	if resp, _ := unset.visitor(t).get("/api/v1.0/logout/"); resp.StatusCode != 302 || resp.Header.Get("Location") != "/" {
		t.Errorf("no page is configured: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// backchannel sends a logout token as the provider does.
func (s *service) backchannel(t *testing.T, logoutToken string) (int, string) {
	t.Helper()
	form := url.Values{}
	if logoutToken != "" {
		form.Set("logout_token", logoutToken)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1.0/backchannel-logout/", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := s.send(t, req)
	if cc := got.Header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control %q", cc)
	}
	return got.Status, string(got.Body)
}

// The provider ends sessions: one by its sid, all of a subject, and nothing for
// a token that is not quite one (oidc.md §6).
func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	s, p := signInAt(t, map[string]string{"MEETD_LOGIN_FAILURE_THROTTLE_RATES": ""}, op.Options{Users: []op.User{person("bob", nil)}})
	phone, laptop, bob := s.visitor(t), s.visitor(t), s.visitor(t)
	phone.login("", "ada")
	sid := p.Sessions("sub-ada")[0]
	laptop.login("", "ada")
	bob.login("", "bob")
	sign := func(sub, sid string, edit func(*op.Token)) string {
		t.Helper()
		signed, err := p.SignLogoutToken("meet", sub, sid, edit)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	expect := func(what string, wantPhone, wantLaptop, wantBob int) {
		t.Helper()
		for name, v := range map[string]struct {
			v    *visitor
			want int
		}{"phone": {phone, wantPhone}, "laptop": {laptop, wantLaptop}, "bob": {bob, wantBob}} {
			if code, _ := v.v.me(); code != v.want {
				t.Errorf("%s: %s is answered %d, want %d", what, name, code, v.want)
			}
		}
	}
	const event = "http://schemas.openid.net/event/backchannel-logout"
	now := time.Now().Unix()
	set := func(name string, value any) func(*op.Token) {
		return func(k *op.Token) {
			if value == nil {
				delete(k.Claims, name)
			} else {
				k.Claims[name] = value
			}
		}
	}
	for name, c := range map[string]struct {
		token, want string
	}{
		"no token":            {"", "Missing logout_token parameter"},
		"nonsense":            {"a.b.c", "Invalid logout token"},
		"no token at all":     {"nonsense", "Invalid logout token"},
		"other issuer":        {sign("sub-ada", sid, set("iss", "https://evil.com")), "Invalid logout token"},
		"other audience":      {sign("sub-ada", sid, set("aud", "other")), "Invalid logout token"},
		"no expiry":           {sign("sub-ada", sid, set("exp", nil)), "Invalid logout token"},
		"expired":             {sign("sub-ada", sid, set("exp", now-5)), "Invalid logout token"},
		"no issue time":       {sign("sub-ada", sid, set("iat", nil)), "Invalid logout token"},
		"issued tomorrow":     {sign("sub-ada", sid, set("iat", now+86400)), "Invalid logout token"},
		"no events":           {sign("sub-ada", sid, set("events", nil)), "Invalid logout token"},
		"other event":         {sign("sub-ada", sid, set("events", map[string]any{"x": map[string]any{}})), "Invalid logout token"},
		"event is no object":  {sign("sub-ada", sid, set("events", map[string]any{event: true})), "Invalid logout token"},
		"event is null":       {sign("sub-ada", sid, set("events", map[string]any{event: nil})), "Invalid logout token"},
		"nonce":               {sign("sub-ada", sid, set("nonce", "n")), "Invalid logout token"},
		"no jti":              {sign("sub-ada", sid, set("jti", nil)), "Invalid logout token"},
		"foreign key":         {sign("sub-ada", sid, func(k *op.Token) { k.Header["kid"] = "zzz" }), "Invalid logout token"},
		"no algorithm":        {sign("sub-ada", sid, func(k *op.Token) { k.Header["alg"] = "none" }), "Invalid logout token"},
		"public key":          {sign("sub-ada", sid, func(k *op.Token) { k.Header["alg"], k.Key = "HS256", publicPEM(t, p) }), "Invalid logout token"},
		"neither sub nor sid": {sign("", "", nil), "Token must contain either sub or sid claim"},
	} {
		code, body := s.backchannel(t, c.token)
		if want := `{"error":"invalid_request","error_description":"` + c.want + `"}`; code != 400 || body != want {
			t.Errorf("%s: %d %s, want %s", name, code, body, want)
		}
	}
	expect("after bad tokens", 200, 200, 200)

	accepted := func(what, logoutToken string) {
		t.Helper()
		if code, body := s.backchannel(t, logoutToken); code != 204 || body != "" {
			t.Errorf("%s: %d %s", what, code, body)
		}
	}
	accepted("unknown subject", sign("sub-nobody", "", nil))
	accepted("unknown session", sign("", "zzz", nil))
	accepted("session of somebody else", sign("sub-bob", sid, nil))
	expect("nobody meant", 200, 200, 200)
	accepted("an odd type and a long life", sign("sub-nobody", "", func(k *op.Token) { k.Header["typ"], k.Claims["exp"] = "JWT", now+3600 }))
	once := sign("sub-ada", sid, nil)
	accepted("one session", once)
	expect("one session", 401, 200, 200)
	phone.login("", "ada")
	if code, body := s.backchannel(t, once); code != 400 || !strings.Contains(body, "Token already processed") {
		t.Errorf("once more: %d %s", code, body)
	}
	expect("replayed", 200, 200, 200)
	accepted("a subject", sign("sub-ada", "", nil))
	expect("a subject", 401, 401, 200)
	want := []string{
		"logged_in by sub-ada about sub-ada", "logged_in by sub-ada about sub-ada", "logged_in by sub-bob about sub-bob",
		"sessions_ended by nobody about sub-ada provider", "logged_in by sub-ada about sub-ada", "sessions_ended by nobody about sub-ada provider",
	}
	if diff := cmp.Diff(want, s.trail(t)); diff != "" {
		t.Errorf("audit: %s", diff)
	}

	// Keys that cannot be had are not the token's fault.
	if err := p.RotateKey(false); err != nil {
		t.Fatal(err)
	}
	p.Tamper(func(a *op.Answer) { a.Drop = a.Endpoint == op.JWKSEndpoint })
	if code, body := s.backchannel(t, sign("sub-bob", "", nil)); code != 400 || !strings.Contains(body, "Internal server error during logout") {
		t.Errorf("no keys: %d %s", code, body)
	}
	p.Tamper(nil)
	expect("no keys", 401, 401, 200)
	s.exec(t, `ALTER TABLE meetd.used_token RENAME TO gone`)
	if code, body := s.backchannel(t, sign("sub-bob", "", nil)); code != 400 || !strings.Contains(body, "Logout failed") {
		t.Errorf("broken database: %d %s", code, body)
	}
	s.exec(t, `ALTER TABLE meetd.gone RENAME TO used_token`)
	accepted("at last", sign("sub-bob", "", nil))
	expect("at last", 401, 401, 401)
}

// Without an issuer no logout token can be believed.
func TestBackChannelWithoutIssuer(t *testing.T) {
	t.Parallel()
	s, p := signInAt(t, map[string]string{"OIDC_OP_URL": ""}, op.Options{})
	signed, err := p.SignLogoutToken("meet", "sub-ada", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := s.backchannel(t, signed); code != 400 || !strings.Contains(s.logs.String(), "OIDC_OP_URL is not set") {
		t.Errorf("%d: %s", code, s.logs.String())
	}
}

// The whole way: who logs out at the provider is logged out here, by the
// provider's own call.
func TestProviderLogsOut(t *testing.T) {
	t.Parallel()
	var target string
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, _ := http.NewRequestWithContext(r.Context(), r.Method, target, r.Body)
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close() //nolint:errcheck // only its status counts
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(relay.Close)
	s, p := signInAt(t, nil, op.Options{Clients: []op.Client{{BackChannelLogoutURI: relay.URL}}})
	target = s.URL + "/api/v1.0/backchannel-logout/"
	v := s.visitor(t)
	v.login("", "ada")
	if code, _ := v.me(); code != 200 {
		t.Fatalf("not logged in: %d", code)
	}
	if err := p.EndSessions(context.WithoutCancel(t.Context()), "sub-ada"); err != nil {
		t.Error(err)
	}
	if code, _ := v.me(); code != 401 {
		t.Errorf("after the logout at the provider: %d", code)
	}
}

// Who fails too often has to wait, whoever else comes from elsewhere has not.
func TestFailuresAreThrottled(t *testing.T) {
	t.Parallel()
	s := signIn(t, map[string]string{"MEETD_LOGIN_FAILURE_THROTTLE_RATES": "3/minute", "MEETD_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8"})
	v := s.visitor(t)
	v.start("")
	fail := func(from string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1.0/callback/?code=x&state=zzz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if from != "" {
			req.Header.Set("X-Forwarded-For", from)
		}
		resp, err := v.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	for i := range 3 {
		if resp := fail("203.0.113.1"); resp.StatusCode != 400 {
			t.Errorf("failure %d: %d", i, resp.StatusCode)
		}
	}
	for name, c := range map[string]struct {
		from string
		want int
	}{
		"the same":                  {"203.0.113.1", 429},
		"the same behind a proxy":   {"203.0.113.1, 10.1.2.3", 429},
		"the same with a port":      {"203.0.113.1:4711", 429},
		"a lie before the truth":    {"198.51.100.9, 203.0.113.1", 429},
		"another":                   {"203.0.113.2", 400},
		"nobody's proxy in between": {"203.0.113.1, 192.0.2.7", 400},
		"no header":                 {"", 400},
	} {
		resp := fail(c.from)
		if resp.StatusCode != c.want || (c.want == 429) != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("%s: %d, again after %q", name, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	s.shiftClock(61 * time.Second)
	if resp := fail("203.0.113.1"); resp.StatusCode != 400 {
		t.Errorf("a minute later: %d", resp.StatusCode)
	}
	// Good logins are no failures.
	for range 5 {
		if resp := s.visitor(t).login("", "ada"); resp.Header.Get("Location") != in {
			t.Errorf("a good login: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	for range 4 {
		s.backchannel(t, "a.b.c")
	}
	if code, body := s.backchannel(t, "a.b.c"); code != 429 {
		t.Errorf("bad logout tokens: %d %s", code, body)
	}
	busy := signIn(t, map[string]string{"MEETD_LOGIN_CALLBACK_THROTTLE_RATES": "2/hour"})
	for i, want := range []int{302, 302, 429} {
		if resp, _ := busy.visitor(t).get("/api/v1.0/callback/"); resp.StatusCode != want {
			t.Errorf("callback %d: %d, want %d", i, resp.StatusCode, want)
		}
	}
	// Guests whom the provider does not know are no load, however many.
	for range 4 {
		v := busy.visitor(t)
		state, _ := v.start("?silent=true&returnTo=/room")
		if resp, _ := v.get("/api/v1.0/callback/?error=login_required&state=" + state); resp.StatusCode != 302 || resp.Header.Get("Location") != "/room" {
			t.Errorf("a guest: %d to %s", resp.StatusCode, resp.Header.Get("Location"))
		}
	}
}

// What is written down about logins.
func TestLoginTrail(t *testing.T) {
	t.Parallel()
	s := signIn(t, map[string]string{"OIDC_CREATE_USER": "false"}, person("eve", nil), person("off", nil))
	s.addUser(t, "sub-ada", "ada@example.org")
	s.addUser(t, "sub-off", "off@example.org")
	s.exec(t, `UPDATE meet_user SET is_active = false WHERE sub = 'sub-off'`)
	v := s.visitor(t)
	v.login("", "ada")
	s.visitor(t).login("", "eve")
	s.visitor(t).login("", "off")
	state, _ := v.start("")
	stranger := s.visitor(t)
	stranger.start("")
	if resp, _ := stranger.get("/api/v1.0/callback/?code=x&state=made-up"); resp.StatusCode != 400 {
		t.Errorf("a made-up state: %d", resp.StatusCode)
	}
	v.get("/api/v1.0/callback/?error=access_denied&state=" + state)
	want := []string{
		"logged_in by sub-ada about sub-ada",
		"login_refused by nobody about nobody user_creation_off",
		"login_refused by nobody about nobody " + s.id(t, "sub-off") + ",user_disabled",
		"logged_out by sub-ada about sub-ada refused by the provider",
	}
	if diff := cmp.Diff(want, s.trail(t)); diff != "" {
		t.Error(diff)
	}
	if all := s.count(t, `SELECT count(*) FROM meetd.audit_event WHERE details::text LIKE '%@%' OR subject LIKE '%@%'`); all != 0 {
		t.Errorf("%d events hold an address", all)
	}
}

// id is the id of the account with a subject.
func (s *service) id(t *testing.T, sub string) string {
	t.Helper()
	var id string
	if err := s.DB.QueryRow(t.Context(), `SELECT id::text FROM meet_user WHERE sub = $1`, sub).Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}
