package op

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	zop "github.com/zitadel/oidc/v3/pkg/op"
)

const tokenLifetime = time.Hour

var (
	errUnknownClient  = errors.New("unknown client")
	errUnknownRequest = errors.New("unknown or finished authorization request")
	errUnknownToken   = errors.New("unknown, revoked or expired token")
	errUnknownKey     = errors.New("not signed by this provider")
	errWrongSecret    = errors.New("wrong client secret")
)

// storage is the memory behind the library: its zop.Storage.
type storage struct {
	algorithm jose.SignatureAlgorithm // of what clients verify
	clients   map[string]Client
	users     map[string]*User // by user name
	client    *http.Client     // for the notices to clients
	log       *slog.Logger

	mu        sync.Mutex
	keys      []signingKey // the last one signs
	redirects []string     // allowed for all clients
	requests  map[string]*authRequest
	codes     map[string]string   // code → request
	sessions  map[string]*session // by the secret in the cookie
	tokens    map[string]token
}

// session is a browser that has logged in here.
type session struct {
	sid     string // what clients know it by
	user    *User
	since   time.Time
	clients map[string]bool // that got tokens; guarded by the storage
}

type token struct {
	user    *User
	client  Client
	scopes  []string
	expires time.Time
}

func newStorage(o Options, key signingKey) *storage {
	s := &storage{
		algorithm: o.Algorithm, clients: map[string]Client{}, users: map[string]*User{}, log: o.Log,
		client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		keys:   []signingKey{key}, requests: map[string]*authRequest{}, codes: map[string]string{},
		sessions: map[string]*session{}, tokens: map[string]token{},
	}
	for _, c := range o.Clients {
		s.clients[c.ID] = c
	}
	for _, u := range o.Users {
		s.users[u.Username] = &u
	}
	return s
}

func (s *storage) login(username, password string) (*User, bool) {
	u, ok := s.users[username]
	return u, ok && u.Password == password
}

func (s *storage) session(id string) (*session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.sessions[id]
	return found, ok
}

// addSession starts a session of somebody who has logged in just now.
func (s *storage) addSession(u *User) (*session, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	secret := rand.Text()
	s.sessions[secret] = &session{sid: rand.Text(), user: u, since: time.Now(), clients: map[string]bool{}}
	return s.sessions[secret], secret
}

// request returns a copy of the authorization request.
func (s *storage) request(id string) (*authRequest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return nil, false
	}
	snapshot := *r
	return &snapshot, true
}

func (s *storage) authorize(id string, by *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.requests[id]; ok {
		r.by = by
	}
}

func (s *storage) token(id string) (token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[id]
	return t, ok && time.Now().Before(t.expires)
}

// CreateAuthRequest remembers an authorization request; hint is the subject of
// its id_token_hint.
func (s *storage) CreateAuthRequest(_ context.Context, r *oidc.AuthRequest, hint string) (zop.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	req := &authRequest{AuthRequest: *r, id: rand.Text(), hint: hint}
	s.requests[req.id] = req
	return req, nil
}

func (s *storage) AuthRequestByID(_ context.Context, id string) (zop.AuthRequest, error) {
	if r, ok := s.request(id); ok {
		return r, nil
	}
	return nil, errUnknownRequest
}

func (s *storage) AuthRequestByCode(ctx context.Context, code string) (zop.AuthRequest, error) {
	s.mu.Lock()
	id := s.codes[code]
	s.mu.Unlock()
	return s.AuthRequestByID(ctx, id)
}

func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

// DeleteAuthRequest is called when the code was used, and makes it useless.
func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

func (s *storage) CreateAccessToken(_ context.Context, r zop.TokenRequest) (string, time.Time, error) {
	req, ok := r.(*authRequest)
	if !ok || req.by == nil {
		return "", time.Time{}, oidc.ErrUnsupportedGrantType()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	req.by.clients[req.ClientID] = true
	id, expires := rand.Text(), time.Now().Add(tokenLifetime)
	s.tokens[id] = token{user: req.by.user, client: s.clients[req.ClientID], scopes: req.Scopes, expires: expires}
	return id, expires, nil
}

func (s *storage) CreateAccessAndRefreshTokens(context.Context, zop.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, oidc.ErrUnsupportedGrantType()
}

func (s *storage) TokenRequestByRefreshToken(context.Context, string) (zop.RefreshTokenRequest, error) {
	return nil, oidc.ErrUnsupportedGrantType()
}

func (s *storage) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", zop.ErrInvalidRefreshToken
}

// TerminateSession ends the session of the browser that asks and, if it showed
// an id_token_hint, all sessions of that user. The clients hear of it before the
// browser goes on; what one of them answers does not hold it up.
func (s *storage) TerminateSession(ctx context.Context, sub, _ string) error {
	browser, _ := ctx.Value(sessionKey{}).(string)
	ended := s.endSessions(func(id string, one *session) bool {
		return id == browser || sub != "" && one.user.Sub == sub
	})
	if err := s.notify(ctx, zop.IssuerFromContext(ctx), ended); err != nil {
		s.log.WarnContext(ctx, "back-channel logout", "error", err)
	}
	return nil
}

func (s *storage) RevokeToken(_ context.Context, id, _, clientID string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.tokens[id]; ok && t.client.ID != clientID {
		return oidc.ErrInvalidClient().WithDescription("the token belongs to another client")
	}
	delete(s.tokens, id)
	return nil
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (zop.Client, error) {
	c, ok := s.clients[id]
	if !ok {
		return nil, errUnknownClient
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return client{c, slices.Clone(s.redirects)}, nil
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	c, ok := s.clients[id]
	if !ok {
		return errUnknownClient
	}
	if c.Secret == "" || subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) != 1 {
		return errWrongSecret
	}
	return nil
}

func (s *storage) SetIntrospectionFromToken(_ context.Context, out *oidc.IntrospectionResponse, id, sub, _ string) error {
	t, ok := s.token(id)
	if !ok {
		return errUnknownToken
	}
	out.Subject, out.ClientID, out.Audience, out.Scope = sub, t.client.ID, []string{t.client.ID}, t.scopes
	out.TokenType, out.Expiration, out.Username = oidc.BearerToken, oidc.FromTime(t.expires), t.user.Username
	out.Email, out.EmailVerified = t.user.Email, oidc.Bool(t.user.EmailVerified)
	return nil
}

// SetUserinfoFromScopes fills an ID token, in which nothing but the subject is
// wanted: the library overwrites even that one with what is set here.
func (s *storage) SetUserinfoFromScopes(_ context.Context, out *oidc.UserInfo, sub, _ string, _ []string) error {
	out.Subject = sub
	return nil
}

// SetUserinfoFromRequest adds to an ID token which session it comes from.
func (s *storage) SetUserinfoFromRequest(_ context.Context, out *oidc.UserInfo, r zop.IDTokenRequest, _ []string) error {
	if req, ok := r.(*authRequest); ok && req.by != nil {
		out.AppendClaims("sid", req.by.sid)
	}
	return nil
}

// SetUserinfoFromToken is not reached: Provider.userInfo answers.
func (s *storage) SetUserinfoFromToken(context.Context, *oidc.UserInfo, string, string, string) error {
	return nil
}

func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return map[string]any{}, nil
}

func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errUnknownClient
}

func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, oidc.ErrUnsupportedGrantType()
}

func (s *storage) Health(context.Context) error { return nil }
