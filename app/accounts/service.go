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
	VerifiedEmail bool // an e-mail the provider does not call verified counts as not said
	// EmailOfPending restricts the fallback to accounts without a subject: who
	// got somebody's old address does not get his account.
	EmailOfPending bool
	Essential      []string // claims that must be there
	Names          user.ClaimNames
	TeamsClaim     string // names the teams of a person; empty: they count for nothing
	Language       string // of new accounts
	LoginURL       string // where to go after a login that named no place
	FailureURL     string
	LogoutURL      string
	ReturnHosts    []string   // OIDC_REDIRECT_ALLOWED_HOSTS
	ReturnHTTPS    bool       // OIDC_REDIRECT_REQUIRE_HTTPS
	Languages      []string   // codes an account may choose
	Listing        bool       // ALLOW_UNSECURE_USER_LISTING
	Marketing      bool       // sign new people up for news
	StartRate      ports.Rate // logins of browsers that were not seen before, for each address
	CallbackRate   ports.Rate // answers of the provider, for each address
	FailureRate    ports.Rate // failed logins and bad logout tokens, for each address
}

// Service is the account capability.
type Service struct {
	Store    ports.Store
	Provider ports.IdentityProvider
	// Passwords is for staff, who may log in to the administration with one.
	Passwords ports.Passwords
	Config    Config
	Now       func() time.Time
	NewID     func() uuid.UUID
	Log       *slog.Logger

	checking turnstile
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

// mayTry refuses who has failed or asked too often. Either rate may be none.
func (s *Service) mayTry(ctx context.Context, what, client string, asking ports.Rate) error {
	throttle := s.Store.Repos().Throttle
	if err := throttle.Check(ctx, failures(what, client), s.Config.FailureRate, s.Now()); err != nil {
		return err
	}
	return throttle.Hit(ctx, what+" "+client, asking, s.Now())
}

// noteFailure counts a failure. That there were too many is said to the next try.
func (s *Service) noteFailure(ctx context.Context, what, client string) error {
	err := s.Store.Repos().Throttle.Hit(ctx, failures(what, client), s.Config.FailureRate, s.Now())
	if errors.Is(err, fault.TooMany) {
		return nil
	}
	return err
}

func failures(what, client string) string { return what + "_failure " + client }

// PurgeSessions forgets the sessions that are over, the used tokens that would
// not be taken any more, and the failures that count no more.
func (s *Service) PurgeSessions(ctx context.Context) error {
	repos, now := s.Store.Repos(), s.Now()
	n, err := repos.Sessions.DeleteExpired(ctx, now)
	if n > 0 {
		s.Log.InfoContext(ctx, "expired sessions forgotten", "count", n)
	}
	return errors.Join(err, repos.UsedTokens.DeleteExpired(ctx, now), repos.Throttle.DeleteExpired(ctx, now))
}
