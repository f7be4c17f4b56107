package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about logins (settings.md, OIDC).
type Config struct {
	SessionAge    time.Duration // SESSION_COOKIE_AGE
	UseNonce      bool
	UsePKCE       bool
	VerifierSize  int
	StoreIDToken  bool
	CreateUsers   bool
	EmailFallback bool // OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION
	SubImmutable  bool
	Essential     []string // claims that must be there
	Names         user.ClaimNames
	Language      string // of new accounts
	LoginURL      string // where to go after a login that named no place
	FailureURL    string
	LogoutURL     string
	ReturnHosts   []string // OIDC_REDIRECT_ALLOWED_HOSTS
	ReturnHTTPS   bool     // OIDC_REDIRECT_REQUIRE_HTTPS
}

// Service is the account capability.
type Service struct {
	Store    ports.Store
	Provider ports.IdentityProvider
	Config   Config
	Now      func() time.Time
	NewID    func() uuid.UUID
	Log      *slog.Logger
}

// Key is what is stored of a session's secret.
func Key(secret string) ports.SessionKey { return sha256.Sum256([]byte(secret)) }

// newSecret draws what the browser keeps: 160 bits, in 32 letters and digits.
func newSecret() string { return strings.ToLower(rand.Text() + rand.Text())[:32] }

// token draws a state or nonce: 32 letters and digits.
func token() string { return newSecret() }

// User tells whose session it is; nil for an anonymous visitor.
func (s *Service) User(ctx context.Context, secret string) (*user.User, error) {
	if secret == "" {
		return nil, nil
	}
	u, err := s.Store.Repos().Sessions.User(ctx, Key(secret), s.Now())
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	return u, err
}

// PurgeSessions forgets the sessions that are over.
func (s *Service) PurgeSessions(ctx context.Context) error {
	n, err := s.Store.Repos().Sessions.DeleteExpired(ctx, s.Now())
	if n > 0 {
		s.Log.InfoContext(ctx, "expired sessions forgotten", "count", n)
	}
	return err
}
