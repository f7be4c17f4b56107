package op

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/crypto"
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
}

// New makes a provider that does not listen yet.
func New(o Options) (*Provider, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make the signing key of the OpenID provider: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Provider{storage: newStorage(o, key), issuer: o.Issuer}
	config := &zop.Config{
		CodeMethodS256: true, AuthMethodPost: true, DefaultLogoutRedirectURI: loggedOutPath,
		SupportedScopes: []string{"openid", "email", "profile", "given_name", "usual_name"},
		SupportedClaims: []string{"sub", "iss", "aud", "exp", "iat", "nonce", "email", "email_verified", "given_name", "usual_name"},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	p.provider, err = zop.NewProvider(config, p.storage,
		func(bool) (zop.IssuerFromRequest, error) { return p.issuerOf, nil },
		zop.WithAllowInsecure(), zop.WithLogger(o.Log))
	if err != nil {
		return nil, fmt.Errorf("make the OpenID provider: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.provider)
	mux.HandleFunc("GET "+loginPath, p.showLogin)
	mux.HandleFunc("POST "+loginPath, p.postLogin)
	mux.HandleFunc("GET "+loggedOutPath, loggedOut)
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
	info := token.user.claims()
	if !token.client.SignedUserInfo {
		writeJSON(w, info)
		return
	}
	info["iss"], info["aud"] = zop.IssuerFromContext(ctx), token.client.ID
	signer, err := zop.SignerFromKey(p.storage.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	signed, err := crypto.Sign(info, signer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = w.Write([]byte(signed)) // the reader may be gone
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
