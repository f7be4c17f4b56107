package op

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	zop "github.com/zitadel/oidc/v3/pkg/op"
)

// The paths are those of the library.
const (
	authorizationPath = "/authorize"
	callbackPath      = "/authorize/callback"
	tokenPath         = "/oauth/token"
	introspectionPath = "/oauth/introspect"
	userInfoPath      = "/userinfo"
	jwksPath          = "/keys"
	endSessionPath    = "/end_session"
	loginPath         = "/login"
	loggedOutPath     = "/logged-out"
)

// Options say what provider to make.
type Options struct {
	// Issuer is the base URL; empty means the address given to Start, or for a
	// Handler served by somebody else the host of each request.
	Issuer  string
	Clients []Client
	Users   []User
	// Algorithm signs ID tokens, signed userinfo and logout tokens: RS256 (the
	// default), ES256, or HS256 with the secret of the client.
	Algorithm jose.SignatureAlgorithm
	// Log receives refused requests and errors; nil means nobody.
	Log *slog.Logger
}

// Client is an application that may ask for logins. Without a secret it is a
// public one and must use PKCE.
type Client struct {
	ID, Secret     string
	RedirectURIs   []string
	PostLogoutURIs []string
	// SignedUserInfo makes userinfo a JWT (application/jwt) instead of JSON.
	SignedUserInfo bool
	// EncryptUserInfo encrypts userinfo, the JWT if it is one, else the JSON.
	EncryptUserInfo *Encryption
	// BackChannelLogoutURI is told (OpenID Connect Back-Channel Logout 1.0) when
	// a session ends for which the client got tokens.
	BackChannelLogoutURI string
}

// User is somebody who can log in. Whatever the scopes, userinfo has sub,
// email, email_verified, and given_name and usual_name if they are not empty.
type User struct {
	Sub                string
	Username, Password string
	Email              string
	EmailVerified      bool
	GivenName          string
	UsualName          string
	// Claims are added to userinfo, replace the ones above, or with the value
	// nil remove them: {"sub": nil} is an answer without subject.
	Claims map[string]any
}

// Endpoints are the absolute URLs of a started provider.
type Endpoints struct {
	Authorization, Token, UserInfo, JWKS, EndSession, Introspection string
}

// Provider is an OpenID provider.
type Provider struct {
	storage  *storage
	provider *zop.Provider
	handler  http.Handler

	mu     sync.Mutex
	issuer string
	server *http.Server
	tamper func(*Answer)
}

// New makes a provider that does not listen yet.
func New(o Options) (*Provider, error) {
	if o.Algorithm == "" {
		o.Algorithm = jose.RS256
	}
	key, err := newKey(o.Algorithm)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Provider{storage: newStorage(o, key), issuer: o.Issuer}
	config := &zop.Config{
		CodeMethodS256: true, AuthMethodPost: true, DefaultLogoutRedirectURI: loggedOutPath,
		BackChannelLogoutSupported: true, BackChannelLogoutSessionSupported: true,
		SupportedScopes: []string{"openid", "email", "profile", "given_name", "usual_name"},
		SupportedClaims: []string{"sub", "iss", "aud", "exp", "iat", "nonce", "email", "email_verified", "given_name", "usual_name"},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	p.provider, err = zop.NewProvider(config, p.storage,
		func(bool) (zop.IssuerFromRequest, error) { return p.issuerOf, nil },
		zop.WithAllowInsecure(), zop.WithLogger(o.Log),
		zop.WithAccessTokenKeySet(ownKeys{p.storage}), zop.WithIDTokenHintKeySet(ownKeys{p.storage}),
		zop.WithIDTokenHintVerifierOpts(zop.WithSupportedIDTokenHintSigningAlgorithms(string(o.Algorithm))))
	if err != nil {
		return nil, fmt.Errorf("make the OpenID provider: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.provider)
	mux.HandleFunc("GET "+loginPath, p.showLogin)
	mux.HandleFunc("POST "+loginPath, p.postLogin)
	mux.HandleFunc("GET "+loggedOutPath, loggedOut)
	mux.HandleFunc(tokenPath, p.token)
	mux.HandleFunc(jwksPath, p.jwks)
	mux.HandleFunc(userInfoPath, p.userInfo)
	mux.HandleFunc(endSessionPath, p.endSession)
	p.handler = zop.NewIssuerInterceptor(p.issuerOf).Handler(mux)
	return p, nil
}

// Handler serves the provider.
func (p *Provider) Handler() http.Handler { return p.handler }

// Start listens on addr (host:port, port 0 for a free one) and serves until
// Close.
func (p *Provider) Start(ctx context.Context, addr string) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("start the OpenID provider: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		_ = l.Close() // was never used
		return errors.New("start the OpenID provider: it is started already")
	}
	if p.issuer == "" {
		p.issuer = "http://" + l.Addr().String()
	}
	p.server = &http.Server{Handler: p.handler, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) {
		_ = s.Serve(l) // ends with Close only
	}(p.server)
	return nil
}

// Close ends what Start began.
func (p *Provider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return nil
	}
	return p.server.Close()
}

// Issuer is the base URL; it is empty until it is known.
func (p *Provider) Issuer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issuer
}

// Endpoints returns the URLs an application needs.
func (p *Provider) Endpoints() Endpoints {
	base := p.Issuer()
	return Endpoints{
		Authorization: base + authorizationPath, Token: base + tokenPath, UserInfo: base + userInfoPath,
		JWKS: base + jwksPath, EndSession: base + endSessionPath, Introspection: base + introspectionPath,
	}
}

// AllowRedirect lets every client send people back to these URIs, after login
// and after logout.
func (p *Provider) AllowRedirect(uris ...string) {
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	p.storage.redirects = append(p.storage.redirects, uris...)
}

func (p *Provider) issuerOf(r *http.Request) string {
	if issuer := p.Issuer(); issuer != "" {
		return issuer
	}
	return "http://" + r.Host
}

// userInfo answers in place of the library, whose claims are a fixed struct.
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	bearer, err := zop.ParseUserinfoRequest(r, p.provider.Decoder())
	if err != nil {
		http.Error(w, "access token missing", http.StatusUnauthorized)
		return
	}
	claims, err := zop.VerifyAccessToken[*oidc.AccessTokenClaims](ctx, bearer, p.provider.AccessTokenVerifier(ctx))
	if err != nil {
		http.Error(w, "access token invalid", http.StatusUnauthorized)
		return
	}
	token, ok := p.storage.token(claims.JWTID)
	if !ok {
		http.Error(w, "access token revoked or expired", http.StatusUnauthorized)
		return
	}
	a := &Answer{
		Endpoint: UserInfoEndpoint, Client: token.client.ID, Sub: token.user.Sub, Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: token.user.claims(), Encrypt: token.client.EncryptUserInfo,
	}
	if token.client.SignedUserInfo {
		a.Body["iss"], a.Body["aud"] = zop.IssuerFromContext(ctx), a.Client
		a.Token = p.storage.newToken(a.Client, "JWT", a.Body)
	}
	if a.Token != nil || a.Encrypt != nil {
		a.Header.Set("Content-Type", "application/jwt")
	}
	p.send(w, r, a)
}

// claims builds the userinfo answer.
func (u *User) claims() map[string]any {
	out := map[string]any{"sub": u.Sub, "email": u.Email, "email_verified": u.EmailVerified}
	for name, value := range map[string]string{"given_name": u.GivenName, "usual_name": u.UsualName} {
		if value != "" {
			out[name] = value
		}
	}
	for name, value := range u.Claims {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}
	return out
}
