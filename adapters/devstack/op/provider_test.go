package op

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

const (
	callback = "http://127.0.0.1:9/callback" // nobody needs to listen there
	goodbye  = "http://127.0.0.1:9/bye"
)

var ada = User{
	Sub: "ada:1", Username: "ada", Password: "pw", Email: "ada@example.org", EmailVerified: true,
	GivenName: "Ada", UsualName: "Lovelace",
}

func start(t *testing.T, client Client, users ...User) *Provider {
	t.Helper()
	client.ID = "meet"
	p, err := New(Options{
		Clients: []Client{client, {ID: "other", Secret: "s2"}}, Users: users,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	p.AllowRedirect(callback, goodbye)
	return p
}

// browser follows redirects inside the provider and stops at the application.
type browser struct {
	t *testing.T
	c *http.Client
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return browser{t, &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), "http://127.0.0.1:9/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}}
}

// page is where a request ended: at the application (to) or on a page (html).
type page struct {
	status int
	to     *url.URL
	html   string
}

func (b browser) do(method, target string, form url.Values, header ...string) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if len(header) == 2 {
		req.Header.Set(header[0], header[1])
	}
	resp, err := b.c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	out := page{status: resp.StatusCode, html: string(body)}
	if to, err := resp.Location(); err == nil {
		out.to = to
	}
	return out
}

var requestID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// submit fills in the login form that p shows.
func (b browser) submit(base string, p page, fields url.Values) page {
	b.t.Helper()
	m := requestID.FindStringSubmatch(p.html)
	if m == nil {
		b.t.Fatalf("no login form: %d %v %s", p.status, p.to, p.html)
	}
	fields.Set("id", m[1])
	return b.do(http.MethodPost, base+loginPath, fields)
}

func password(pw string) url.Values { return url.Values{"username": {"ada"}, "password": {pw}} }

func party(t *testing.T, p *Provider, secret string) rp.RelyingParty {
	t.Helper()
	party, err := rp.NewRelyingPartyOIDC(t.Context(), p.Issuer(), "meet", secret, callback,
		[]string{"openid", "email", "given_name"}, rp.WithVerifierOpts(rp.WithNonce(func(context.Context) string { return "n1" })))
	if err != nil {
		t.Fatal(err)
	}
	return party
}

const verifier = "0123456789-0123456789-0123456789-0123456789"

func authURL(party rp.RelyingParty, extra ...rp.AuthURLOpt) string {
	extra = append(extra, rp.WithCodeChallenge(oidc.NewSHACodeChallenge(verifier)), rp.AuthURLOpt(rp.WithURLParam("nonce", "n1")))
	return rp.AuthURL("st1", party, extra...)
}

// code asserts that the browser was sent back with a code.
func code(t *testing.T, p page) string {
	t.Helper()
	if p.to == nil || p.to.Query().Get("code") == "" || p.to.Query().Get("state") != "st1" {
		t.Fatalf("no code: %d %v %s", p.status, p.to, p.html)
	}
	return p.to.Query().Get("code")
}

func TestCodeFlow(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{"confidential client": "s1", "public client": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Client{Secret: secret}, ada)
			b, app := newBrowser(t), party(t, p, secret)
			c := code(t, b.submit(p.Issuer(), b.do(http.MethodGet, authURL(app), nil), password("pw")))

			if _, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), c, app, rp.WithCodeVerifier("wrong"+verifier)); err == nil {
				t.Error("a wrong code verifier is accepted")
			}
			tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), c, app, rp.WithCodeVerifier(verifier))
			if err != nil {
				t.Fatal(err)
			}
			if got := tokens.IDTokenClaims; got.Subject != "ada:1" || got.Nonce != "n1" || got.Issuer != p.Issuer() || got.SignatureAlg != jose.RS256 {
				t.Errorf("ID token: %+v", got)
			}
			if _, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), c, app, rp.WithCodeVerifier(verifier)); err == nil {
				t.Error("a code works twice")
			}
			want := map[string]any{
				"sub": "ada:1", "email": "ada@example.org", "email_verified": true, "given_name": "Ada", "usual_name": "Lovelace",
			}
			if diff := cmp.Diff(want, userInfo(t, p, tokens.AccessToken)); diff != "" {
				t.Errorf("userinfo (-want +got):\n%s", diff)
			}
		})
	}
}

func userInfo(t *testing.T, p *Provider, token string) map[string]any {
	t.Helper()
	got := newBrowser(t).do(http.MethodGet, p.Endpoints().UserInfo, nil, "Authorization", "Bearer "+token)
	if got.status != http.StatusOK {
		t.Fatalf("userinfo: %d %s", got.status, got.html)
	}
	var claims map[string]any
	if err := json.Unmarshal([]byte(got.html), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// login returns the tokens of a whole flow.
func login(t *testing.T, p *Provider, b browser) *oidc.Tokens[*oidc.IDTokenClaims] {
	t.Helper()
	app := party(t, p, "s1")
	c := code(t, b.submit(p.Issuer(), b.do(http.MethodGet, authURL(app), nil), password("pw")))
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), c, app, rp.WithCodeVerifier(verifier))
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestWrongSecretAndForeignRedirectAreRefused(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	b := newBrowser(t)
	c := code(t, b.submit(p.Issuer(), b.do(http.MethodGet, authURL(party(t, p, "s1")), nil), password("pw")))
	for _, secret := range []string{"wrong", ""} {
		if _, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), c, party(t, p, secret), rp.WithCodeVerifier(verifier)); err == nil {
			t.Errorf("client secret %q is accepted", secret)
		}
	}
	foreign := strings.Replace(authURL(party(t, p, "s1")), url.QueryEscape(callback), url.QueryEscape("http://127.0.0.1:9/evil"), 1)
	if got := b.do(http.MethodGet, foreign, nil); got.status != http.StatusBadRequest || got.to != nil {
		t.Errorf("foreign redirect URI: %d to %v", got.status, got.to)
	}
}

func TestLoginForm(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	b := newBrowser(t)
	first := b.do(http.MethodGet, authURL(party(t, p, "s1"), rp.AuthURLOpt(rp.WithURLParam("login_hint", `a"<b>`))), nil)
	if first.status != http.StatusOK || strings.Contains(first.html, "role=\"alert\"") || !strings.Contains(first.html, `value="a&#34;&lt;b&gt;"`) {
		t.Errorf("the form: %d %s", first.status, first.html)
	}
	again := b.submit(p.Issuer(), first, password("guess"))
	if again.status != http.StatusUnauthorized || !strings.Contains(again.html, `role="alert"`) || !strings.Contains(again.html, `value="ada"`) {
		t.Errorf("after a wrong password: %d %s", again.status, again.html)
	}
	code(t, b.submit(p.Issuer(), again, password("pw")))

	other := newBrowser(t)
	cancelled := other.submit(p.Issuer(), other.do(http.MethodGet, authURL(party(t, p, "s1")), nil), url.Values{"cancel": {"1"}})
	if cancelled.to == nil || cancelled.to.Query().Get("error") != "access_denied" {
		t.Errorf("cancel leads to %v", cancelled.to)
	}
	if got := b.do(http.MethodGet, p.Issuer()+loginPath+"?id=unknown", nil); got.status != http.StatusBadRequest {
		t.Errorf("unknown request: %d", got.status)
	}
}

func TestSessionAndPrompt(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	b, app := newBrowser(t), party(t, p, "s1")
	silent := authURL(app, rp.WithPrompt(oidc.PromptNone))

	before := b.do(http.MethodGet, silent, nil)
	if before.to == nil || before.to.Query().Get("error") != "login_required" || before.to.Query().Get("state") != "st1" {
		t.Errorf("prompt=none without a session leads to %v", before.to)
	}
	login(t, p, b)
	code(t, b.do(http.MethodGet, silent, nil))
	code(t, b.do(http.MethodGet, authURL(app), nil)) // no form either
	for _, ask := range []rp.AuthURLOpt{rp.WithPrompt(oidc.PromptLogin), rp.AuthURLOpt(rp.WithURLParam("max_age", "0"))} {
		if got := b.do(http.MethodGet, authURL(app, ask), nil); got.status != http.StatusOK || got.to != nil {
			t.Errorf("prompt=login or max_age=0 with a session: %d to %v", got.status, got.to)
		}
	}
	if got := newBrowser(t).do(http.MethodGet, silent, nil); got.to == nil || got.to.Query().Get("error") != "login_required" {
		t.Errorf("another browser: %v", got.to)
	}
}

func TestEndSession(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	silent := authURL(party(t, p, "s1"), rp.WithPrompt(oidc.PromptNone))
	end := func(b browser, q url.Values) page {
		return b.do(http.MethodGet, p.Endpoints().EndSession+"?"+q.Encode(), nil)
	}
	loggedIn := func(b browser) bool { return b.do(http.MethodGet, silent, nil).to.Query().Get("code") != "" }

	b, elsewhere := newBrowser(t), newBrowser(t)
	hint := login(t, p, b).IDToken
	login(t, p, elsewhere)
	foreign := end(b, url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"http://127.0.0.1:9/evil"}})
	if foreign.status != http.StatusBadRequest || !loggedIn(b) {
		t.Errorf("foreign post-logout URI: %d", foreign.status)
	}
	got := end(b, url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {goodbye}, "state": {"s 1"}})
	if got.to == nil || got.to.String() != goodbye+"?state=s+1" {
		t.Errorf("end of session leads to %v", got.to)
	}
	if loggedIn(b) || loggedIn(elsewhere) {
		t.Error("with a hint, a session of the user is left")
	}

	login(t, p, b)
	login(t, p, elsewhere)
	if got := end(b, nil); got.status != http.StatusOK || !strings.Contains(got.html, "logged out") {
		t.Errorf("without parameters: %d %s", got.status, got.html)
	}
	if loggedIn(b) || !loggedIn(elsewhere) {
		t.Error("without a hint, not exactly this browser's session has ended")
	}
}

func TestClaimShapes(t *testing.T) {
	t.Parallel()
	odd := ada
	odd.UsualName, odd.EmailVerified = "", false
	odd.Claims = map[string]any{"sub": nil, "email": []string{"a", "b"}, "siret": "123"}
	p := start(t, Client{Secret: "s1"}, odd)
	want := map[string]any{"email": []any{"a", "b"}, "email_verified": false, "given_name": "Ada", "siret": "123"}
	if diff := cmp.Diff(want, userInfo(t, p, login(t, p, newBrowser(t)).AccessToken)); diff != "" {
		t.Errorf("userinfo (-want +got):\n%s", diff)
	}
}

func TestSignedUserInfo(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1", SignedUserInfo: true}, ada)
	b := newBrowser(t)
	answer := b.do(http.MethodGet, p.Endpoints().UserInfo, nil, "Authorization", "Bearer "+login(t, p, b).AccessToken)
	jws, err := jose.ParseSignedCompact(answer.html, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(b.do(http.MethodGet, p.Endpoints().JWKS, nil).html), &keys); err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(keys)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims["sub"] != "ada:1" || claims["aud"] != "meet" || claims["iss"] != p.Issuer() || claims["usual_name"] != "Lovelace" {
		t.Errorf("claims: %v", claims)
	}
}

func TestUserInfoNeedsALivingToken(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	b := newBrowser(t)
	token := login(t, p, b).AccessToken
	userInfo(t, p, token)
	for id, held := range p.storage.tokens {
		held.expires = time.Now().Add(-time.Second)
		p.storage.tokens[id] = held
	}
	for name, bearer := range map[string]string{"expired": token, "forged": token + "x", "empty": ""} {
		got := b.do(http.MethodGet, p.Endpoints().UserInfo, nil, "Authorization", "Bearer "+bearer)
		if got.status != http.StatusUnauthorized {
			t.Errorf("%s token: %d", name, got.status)
		}
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	b := newBrowser(t)
	token := login(t, p, b).AccessToken
	ask := func(secret string) (out struct {
		Active   bool
		Sub      string
		ClientID string `json:"client_id"`
	}, status int,
	) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Endpoints().Introspection,
			strings.NewReader(url.Values{"token": {token}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("other", secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode == http.StatusOK {
			if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
				t.Fatal(err)
			}
		}
		return out, resp.StatusCode
	}
	if got, status := ask("s2"); status != http.StatusOK || !got.Active || got.Sub != "ada:1" || got.ClientID != "meet" {
		t.Errorf("introspection: %d %+v", status, got)
	}
	if got, status := ask("wrong"); status != http.StatusUnauthorized || got.Active {
		t.Errorf("introspection with a wrong secret: %d %+v", status, got)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	var got map[string]any
	if err := json.Unmarshal([]byte(newBrowser(t).do(http.MethodGet, p.Issuer()+oidc.DiscoveryEndpoint, nil).html), &got); err != nil {
		t.Fatal(err)
	}
	e := p.Endpoints()
	for name, want := range map[string]any{
		"issuer": p.Issuer(), "authorization_endpoint": e.Authorization, "token_endpoint": e.Token, "userinfo_endpoint": e.UserInfo,
		"jwks_uri": e.JWKS, "end_session_endpoint": e.EndSession, "introspection_endpoint": e.Introspection,
		"code_challenge_methods_supported":      []any{"S256"},
		"id_token_signing_alg_values_supported": []any{"RS256"},
		"backchannel_logout_supported":          true, "backchannel_logout_session_supported": true,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
