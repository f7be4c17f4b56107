package op

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// parts are the header and the claims of a token nobody has verified.
func parts(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	p := strings.Split(token, ".")
	if len(p) != 3 {
		t.Fatalf("no token: %s", token)
	}
	for i, to := range []*map[string]any{&header, &claims} {
		raw, err := base64.RawURLEncoding.DecodeString(p[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, to); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// exchange logs ada in and returns what the relying party makes of the answer.
func exchange(t *testing.T, p *Provider, extra ...rp.AuthURLOpt) (*oidc.Tokens[*oidc.IDTokenClaims], error) {
	t.Helper()
	b, app := newBrowser(t), party(t, p, "s1")
	c := code(t, b.submit(p.Issuer(), b.do(http.MethodGet, authURL(app, extra...), nil), password("pw")))
	return rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), c, app, rp.WithCodeVerifier(verifier))
}

func TestIDTokensCanBeForged(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, id := p.PublicKey()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name string, value any) func(*Token) {
		return func(token *Token) { token.Claims[name] = value }
	}
	remove := func(name string) func(*Token) { return func(token *Token) { delete(token.Claims, name) } }
	for name, c := range map[string]struct {
		edit     func(*Token)
		accepted bool
	}{
		"as it is":         {func(*Token) {}, true},
		"foreign issuer":   {set("iss", "https://evil.example"), false},
		"foreign audience": {set("aud", []string{"somebody"}), false},
		"foreign azp":      {func(token *Token) { token.Claims["aud"], token.Claims["azp"] = []string{"meet", "x"}, "x" }, false},
		"expired":          {set("exp", 1), false},
		"no exp":           {remove("exp"), false},
		"from the future":  {set("iat", time.Now().Add(time.Hour).Unix()), false},
		"foreign nonce":    {set("nonce", "n2"), false},
		"no nonce":         {remove("nonce"), false},
		"no sub":           {remove("sub"), false},
		"nbf is allowed":   {set("nbf", 1), true},
		"unknown key":      {func(token *Token) { token.Key = foreign }, false},
		"unknown kid":      {func(token *Token) { token.Header["kid"] = "zzz" }, false},
		"no kid, one key":  {func(token *Token) { delete(token.Header, "kid") }, true},
		"alg none":         {func(token *Token) { token.Header["alg"] = "none" }, false},
		"public key as secret": {func(token *Token) {
			token.Header["alg"] = "HS256"
			token.Key = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		}, false},
	} {
		p.Tamper(func(a *Answer) {
			if a.Endpoint != TokenEndpoint {
				return
			}
			if a.Client != "meet" || a.Sub != "ada:1" || a.Token.Header["kid"] != id {
				t.Errorf("%s: asked about %s of %s with %v", name, a.Sub, a.Client, a.Token)
			}
			c.edit(a.Token)
		})
		_, err := exchange(t, p)
		if (err == nil) != c.accepted {
			t.Errorf("%s: %v, accepted should be %t", name, err, c.accepted)
		}
	}
	p.Tamper(func(a *Answer) {
		if a.Endpoint == TokenEndpoint {
			a.Token, a.Body["id_token"], a.Body["sid"] = nil, "garbage", "s"
		}
	})
	if _, err := exchange(t, p); err == nil {
		t.Error("garbage is accepted")
	}
	p.Tamper(nil)
	if _, err := exchange(t, p); err != nil {
		t.Errorf("without tampering: %v", err)
	}
}

func TestEndpointsCanFail(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	b := newBrowser(t)
	token := login(t, p, b).AccessToken
	ask := map[Endpoint]func() (*http.Response, error){
		TokenEndpoint: func() (*http.Response, error) {
			return http.PostForm(p.Endpoints().Token, url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "client_id": {"meet"}, "client_secret": {"s1"}})
		},
		UserInfoEndpoint: func() (*http.Response, error) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.Endpoints().UserInfo, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			return http.DefaultClient.Do(req)
		},
		JWKSEndpoint: func() (*http.Response, error) { return http.Get(p.Endpoints().JWKS) },
	}
	read := func(e Endpoint) (int, string, string) {
		t.Helper()
		resp, err := ask[e]()
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(body)
	}
	for e := range ask {
		p.Tamper(func(a *Answer) {
			if a.Endpoint == e {
				a.Status, a.Raw = http.StatusBadGateway, []byte("<html>")
				a.Header.Set("Content-Type", "text/html")
			}
		})
		if status, kind, body := read(e); status != http.StatusBadGateway || kind != "text/html" || body != "<html>" {
			t.Errorf("%s: %d %s %s", e, status, kind, body)
		}
		p.Tamper(func(a *Answer) { a.Drop = a.Endpoint == e })
		if _, err := ask[e](); !errors.Is(err, io.EOF) {
			t.Errorf("%s, connection closed: %v", e, err)
		}
		entered, release := make(chan struct{}), make(chan struct{})
		p.Tamper(func(a *Answer) {
			close(entered)
			<-release
			a.Body["late"] = true
		})
		late := make(chan string)
		go func() {
			resp, err := ask[e]()
			if err != nil {
				late <- err.Error()
				return
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			late <- string(body)
		}()
		<-entered
		select {
		case got := <-late:
			t.Errorf("%s did not hang: %s", e, got)
		default:
		}
		close(release)
		if got := <-late; !strings.Contains(got, `"late":true`) {
			t.Errorf("%s after hanging: %s", e, got)
		}
	}
	p.Tamper(func(a *Answer) { a.Header.Set("Content-Type", "text/plain"); delete(a.Body, "sub") })
	if status, kind, body := read(UserInfoEndpoint); status != 200 || kind != "text/plain" || strings.Contains(body, "ada:1") || !strings.Contains(body, "Lovelace") {
		t.Errorf("bent userinfo: %d %s %s", status, kind, body)
	}
	// Who hangs hears that nobody waits any more.
	entered, gone := make(chan struct{}), make(chan struct{})
	p.Tamper(func(a *Answer) { close(entered); <-a.Gone; close(gone) })
	impatient := http.Client{Timeout: 50 * time.Millisecond}
	if _, err := impatient.Get(p.Endpoints().JWKS); err == nil {
		t.Error("a hanging endpoint answered")
	}
	<-entered
	<-gone
}

func TestUserInfoForms(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signed  bool
		encrypt Encryption
		private any
	}{
		"RSA-OAEP, signed":     {true, Encryption{Algorithm: jose.RSA_OAEP, Key: &rsaKey.PublicKey, KeyID: "k1"}, rsaKey},
		"RSA-OAEP-256, JSON":   {false, Encryption{Algorithm: jose.RSA_OAEP_256, Key: &rsaKey.PublicKey}, rsaKey},
		"ECDH-ES, signed":      {true, Encryption{Algorithm: jose.ECDH_ES, Key: &ecKey.PublicKey}, ecKey},
		"ECDH-ES+A256KW, JSON": {false, Encryption{Algorithm: jose.ECDH_ES_A256KW, Key: &ecKey.PublicKey}, ecKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, Client{Secret: "s1", SignedUserInfo: c.signed, EncryptUserInfo: &c.encrypt}, ada)
			p.Tamper(func(a *Answer) {
				if a.Endpoint == UserInfoEndpoint {
					a.Body["nonce"], a.Body["exp"] = "n9", 12
				}
			})
			b := newBrowser(t)
			got := b.do(http.MethodGet, p.Endpoints().UserInfo, nil, "Authorization", "Bearer "+login(t, p, b).AccessToken)
			jwe, err := jose.ParseEncryptedCompact(got.html, []jose.KeyAlgorithm{c.encrypt.Algorithm}, []jose.ContentEncryption{jose.A256GCM})
			if err != nil {
				t.Fatal(err)
			}
			if jwe.Header.KeyID != c.encrypt.KeyID || (jwe.Header.ExtraHeaders["cty"] == "JWT") != c.signed {
				t.Errorf("header: %+v", jwe.Header)
			}
			content, err := jwe.Decrypt(c.private)
			if err != nil {
				t.Fatal(err)
			}
			claims := map[string]any{}
			if c.signed {
				content = verify(t, p, string(content))
			}
			if err := json.Unmarshal(content, &claims); err != nil {
				t.Fatal(err)
			}
			if claims["sub"] != "ada:1" || claims["nonce"] != "n9" || claims["exp"] != 12.0 || (claims["aud"] == "meet") != c.signed {
				t.Errorf("claims: %v", claims)
			}
		})
	}
}

// verify returns the payload of a token that is signed with a published key.
func verify(t *testing.T, p *Provider, token string) []byte {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(keySet(t, p))
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func keySet(t *testing.T, p *Provider) jose.JSONWebKeySet {
	t.Helper()
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(newBrowser(t).do(http.MethodGet, p.Endpoints().JWKS, nil).html), &keys); err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	ids := func() (ids []string) {
		for _, k := range keySet(t, p).Keys {
			ids = append(ids, k.KeyID)
		}
		return ids
	}
	first := login(t, p, newBrowser(t))
	_, one := p.PublicKey()
	rotate := func(keep bool) string {
		if err := p.RotateKey(keep); err != nil {
			t.Fatal(err)
		}
		_, id := p.PublicKey()
		return id
	}
	two := rotate(true)
	if diff := cmp.Diff([]string{one, two}, ids()); diff != "" || one == two {
		t.Errorf("published after a rotation that keeps (-want +got):\n%s", diff)
	}
	three := rotate(false)
	if diff := cmp.Diff([]string{three}, ids()); diff != "" {
		t.Errorf("published after a rotation (-want +got):\n%s", diff)
	}
	if header, _ := parts(t, login(t, p, newBrowser(t)).IDToken); header["kid"] != three {
		t.Errorf("signed by %v, want the new key %s", header["kid"], three)
	}
	// The provider itself still honors what it has given out.
	userInfo(t, p, first.AccessToken)
	end := newBrowser(t).do(http.MethodGet, p.Endpoints().EndSession+"?"+url.Values{"id_token_hint": {first.IDToken}, "post_logout_redirect_uri": {goodbye}}.Encode(), nil)
	if end.to == nil || end.to.String() != goodbye || len(p.Sessions("ada:1")) != 0 {
		t.Errorf("hint of an old key: %d to %v, sessions %v", end.status, end.to, p.Sessions("ada:1"))
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	const secret = "short secret"
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.HS256} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			p, err := New(Options{
				Algorithm: alg, Users: []User{ada},
				Clients: []Client{{ID: "meet", Secret: secret, RedirectURIs: []string{callback}, SignedUserInfo: true}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Start(t.Context(), "127.0.0.1:0"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			b := newBrowser(t)
			app := party(t, p, secret)
			grant := code(t, b.submit(p.Issuer(), b.do(http.MethodGet, authURL(app), nil), password("pw")))
			got := b.do(http.MethodPost, p.Endpoints().Token, url.Values{
				"grant_type": {"authorization_code"}, "code": {grant}, "client_id": {"meet"}, "client_secret": {secret},
				"redirect_uri": {callback}, "code_verifier": {verifier},
			})
			var tokens struct {
				Access string `json:"access_token"`
				ID     string `json:"id_token"`
			}
			if err := json.Unmarshal([]byte(got.html), &tokens); err != nil {
				t.Fatalf("%v: %s", err, got.html)
			}
			info := b.do(http.MethodGet, p.Endpoints().UserInfo, nil, "Authorization", "Bearer "+tokens.Access).html
			logout, err := p.SignLogoutToken("meet", "ada:1", "s", nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, token := range map[string]string{"ID token": tokens.ID, "userinfo": info, "logout token": logout} {
				header, claims := parts(t, token)
				if header["alg"] != string(alg) || claims["sub"] != "ada:1" {
					t.Errorf("%s: %v %v", name, header, claims)
				}
				if alg != jose.HS256 {
					verify(t, p, token)
					continue
				}
				i := strings.LastIndexByte(token, '.')
				mac, err := (&Token{Header: map[string]any{"alg": "HS256"}, Key: []byte(secret)}).signature(token[:i])
				if err != nil || token[i+1:] != base64.RawURLEncoding.EncodeToString(mac) {
					t.Errorf("%s is not signed with the secret: %v", name, err)
				}
			}
			end := func(hint string) page {
				return b.do(http.MethodGet, p.Endpoints().EndSession+"?id_token_hint="+hint, nil)
			}
			flipped := tokens.ID[:len(tokens.ID)-5] + string(tokens.ID[len(tokens.ID)-5]^1) + tokens.ID[len(tokens.ID)-4:]
			if got := end(flipped); got.status != http.StatusBadRequest || len(p.Sessions("ada:1")) != 1 {
				t.Errorf("a forged hint ends the session: %d", got.status)
			}
			if got := end(tokens.ID); got.status != http.StatusOK || len(p.Sessions("ada:1")) != 0 {
				t.Errorf("the hint does not end the session: %d %s", got.status, got.html)
			}
		})
	}
	if _, err := New(Options{Algorithm: jose.PS512}); err == nil {
		t.Error("a provider with PS512")
	}
	if _, err := (&Token{Header: map[string]any{"alg": "HS256"}, Key: 5}).Sign(); err == nil {
		t.Error("signed with a number")
	}
}

func TestSidAndACR(t *testing.T) {
	t.Parallel()
	p := start(t, Client{Secret: "s1"}, ada)
	tokens, err := exchange(t, p, rp.AuthURLOpt(rp.WithURLParam("acr_values", "eidas1 eidas2")))
	if err != nil {
		t.Fatal(err)
	}
	_, claims := parts(t, tokens.IDToken)
	if sids := p.Sessions("ada:1"); len(sids) != 1 || claims["sid"] != sids[0] || claims["acr"] != "eidas1" {
		t.Errorf("sessions %v, claims %v", sids, claims)
	}
	_, claims = parts(t, login(t, p, newBrowser(t)).IDToken)
	if _, there := claims["acr"]; there || len(p.Sessions("ada:1")) != 2 {
		t.Errorf("another browser: sessions %v, claims %v", p.Sessions("ada:1"), claims)
	}
}

// logoutListener keeps the logout tokens that clients got.
type logoutListener struct {
	*httptest.Server
	mu     sync.Mutex
	tokens map[string][]string // by path
}

func (l *logoutListener) take(path string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.tokens[path]
	delete(l.tokens, path)
	return taken
}

func TestBackChannelLogout(t *testing.T) {
	t.Parallel()
	l := &logoutListener{tokens: map[string][]string{}}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("%s %s", r.Method, r.Header.Get("Content-Type"))
		}
		l.tokens[r.URL.Path] = append(l.tokens[r.URL.Path], r.PostFormValue("logout_token"))
		if r.URL.Path == "/refuses" {
			http.Error(w, "not now", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(l.Close)
	grace := User{Sub: "grace", Username: "grace", Password: "pw"}
	p, err := New(Options{Users: []User{ada, grace}, Clients: []Client{
		{ID: "meet", Secret: "s1", BackChannelLogoutURI: l.URL + "/meet"},
		{ID: "other", Secret: "s2", BackChannelLogoutURI: l.URL + "/other"},
		{ID: "quiet", Secret: "s3"},
		{ID: "refuses", Secret: "s4", BackChannelLogoutURI: l.URL + "/refuses"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.AllowRedirect(callback)
	// visit gets tokens for a client with the session of the browser, if any.
	visit := func(b browser, name, client, secret string) {
		t.Helper()
		app, err := rp.NewRelyingPartyOIDC(t.Context(), p.Issuer(), client, secret, callback, []string{"openid"},
			rp.WithVerifierOpts(rp.WithNonce(nil)))
		if err != nil {
			t.Fatal(err)
		}
		at := b.do(http.MethodGet, authURL(app), nil)
		if at.to == nil {
			at = b.submit(p.Issuer(), at, url.Values{"username": {name}, "password": {"pw"}})
		}
		if _, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), code(t, at), app, rp.WithCodeVerifier(verifier)); err != nil {
			t.Fatal(err)
		}
	}
	b, elsewhere, foreign := newBrowser(t), newBrowser(t), newBrowser(t)
	visit(b, "ada", "meet", "s1")
	visit(b, "ada", "meet", "s1")
	visit(b, "ada", "quiet", "s3")
	sid := p.Sessions("ada:1")[0]
	visit(elsewhere, "ada", "meet", "s1")
	visit(elsewhere, "ada", "other", "s2")
	visit(foreign, "grace", "meet", "s1")

	if got := b.do(http.MethodGet, p.Endpoints().EndSession, nil); got.status != http.StatusOK {
		t.Errorf("end of session: %d", got.status)
	}
	told := l.take("/meet")
	if len(told) != 1 || len(l.take("/other")) != 0 {
		t.Fatalf("told %d times", len(told))
	}
	header, claims := parts(t, told[0])
	verify(t, p, told[0])
	_, kid := p.PublicKey()
	if diff := cmp.Diff(map[string]any{"alg": "RS256", "typ": "logout+jwt", "kid": kid}, header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	issued, _ := claims["iat"].(float64)
	jti, _ := claims["jti"].(string)
	want := map[string]any{
		"iss": p.Issuer(), "aud": "meet", "sub": "ada:1", "sid": sid, "jti": jti, "iat": issued, "exp": issued + 120,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if diff := cmp.Diff(want, claims); diff != "" || jti == "" || time.Since(time.Unix(int64(issued), 0)) > time.Minute {
		t.Errorf("claims (-want +got):\n%s", diff)
	}

	if err := p.EndSessions(t.Context(), "ada:1"); err != nil {
		t.Error(err)
	}
	if meet, other := l.take("/meet"), l.take("/other"); len(meet) != 1 || len(other) != 1 || len(p.Sessions("ada:1")) != 0 {
		t.Errorf("told %d and %d times, left %v", len(meet), len(other), p.Sessions("ada:1"))
	}
	if len(p.Sessions("grace")) != 1 {
		t.Errorf("sessions of grace: %v", p.Sessions("grace"))
	}
	visit(foreign, "grace", "refuses", "s4")
	if err := p.EndSessions(t.Context(), "grace"); err == nil || !strings.Contains(err.Error(), "client refuses") || !strings.Contains(err.Error(), "400 not now") {
		t.Errorf("a client that refuses: %v", err)
	}

	forged, err := p.SignLogoutToken("meet", "x", "y", func(token *Token) {
		token.Header["typ"], token.Claims["nonce"], token.Claims["events"] = "JWT", "n", []int{1}
		delete(token.Claims, "sub")
	})
	if err != nil {
		t.Fatal(err)
	}
	header, claims = parts(t, forged)
	if _, sub := claims["sub"]; header["typ"] != "JWT" || claims["nonce"] != "n" || sub || claims["sid"] != "y" {
		t.Errorf("forged: %v %v", header, claims)
	}
}
