package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"

	"meetd/adapters/devstack/livekit"
	"meetd/adapters/devstack/op"
	"meetd/adapters/devstack/pg"
	"meetd/adapters/devstack/store"
)

// Bucket is the bucket of the stack's store.
const Bucket = "meet-media-storage"

// hookToken is the secret between the stack's store and the service.
const hookToken = "development-storage-hook-token"

// Options say where a stack lives.
type Options struct {
	// Dir keeps all data; a later stack on it finds it again.
	Dir string
	// Service is host:port of the service that uses the stack.
	Service string
	// Fixed gives the servers the ports below instead of free ones.
	Fixed bool
	// Durable makes every commit reach the disk.
	Durable bool
	// StorageEvents makes the store report objects to the service; else the end
	// of the egress has to do.
	StorageEvents bool
	// Log receives what the servers print; nil means nobody.
	Log io.Writer
	// Progress is told what takes long; nil means nobody.
	Progress io.Writer
}

// The fixed ports.
const (
	portPostgres = 8010
	portStore    = 8011
	portOP       = 8012
	portLiveKit  = 8013
)

// Stack is every server the service needs.
type Stack struct {
	Postgres *pg.Server
	Store    *store.Store
	OP       *op.Provider
	LiveKit  *livekit.Server

	options Options
}

// Users are the accounts at the stack's provider; the password of each is its
// user name.
func Users() []op.User {
	user := func(name, given, usual string) op.User {
		return op.User{
			Sub: "sub-" + name, Username: name, Password: name, Email: name + "@example.org", EmailVerified: true,
			GivenName: given, UsualName: usual,
		}
	}
	return []op.User{user("ada", "Ada", "Lovelace"), user("grace", "Grace", "Hopper"), user("alan", "Alan", "Turing")}
}

// Start starts every server. A program that calls it must call store.Child
// first thing in main. Close ends what was started, also after an error.
func Start(ctx context.Context, o Options) (*Stack, error) {
	s := &Stack{options: o}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return s, fmt.Errorf("folder %s: %w", o.Dir, err)
	}
	// Without fixed ports every server finds a free one.
	portOf := func(fixed int) int {
		if o.Fixed {
			return fixed
		}
		return 0
	}
	address := func(fixed int) string {
		if o.Fixed {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(fixed))
		}
		return ""
	}
	service := "http://" + o.Service + "/api/v1.0/"

	s.say("starting PostgreSQL …")
	if s.Postgres, err = pg.Start(ctx, pg.Options{
		Dir: filepath.Join(dir, "postgres"), Port: portOf(portPostgres), Durable: o.Durable, Progress: o.Progress,
	}); err != nil {
		return s, fmt.Errorf("PostgreSQL: %w", err)
	}
	s.say("starting the object store …")
	events := store.Options{
		Dir: filepath.Join(dir, "store"), Addr: address(portStore), AccessKey: "meetdev", SecretKey: "meetdevsecret",
		Buckets: []string{Bucket}, Log: o.Log,
	}
	if o.StorageEvents {
		events.HookURL, events.HookToken = service+"recordings/storage-hook/", hookToken
	}
	if s.Store, err = store.Start(ctx, events); err != nil {
		return s, fmt.Errorf("object store: %w", err)
	}
	s.say("starting the OpenID provider …")
	if s.OP, err = op.New(op.Options{Clients: []op.Client{{
		ID: "meet", Secret: "development-client-secret",
		RedirectURIs: []string{service + "callback/"}, PostLogoutURIs: []string{service + "logout-callback/"},
		BackChannelLogoutURI: service + "backchannel-logout/",
	}}, Users: Users()}); err != nil {
		return s, fmt.Errorf("OpenID provider: %w", err)
	}
	if err := s.OP.Start(ctx, net.JoinHostPort("127.0.0.1", strconv.Itoa(portOf(portOP)))); err != nil {
		return s, fmt.Errorf("OpenID provider: %w", err)
	}
	s.say("starting LiveKit …")
	if s.LiveKit, err = livekit.Start(ctx, livekit.Options{
		Dir: filepath.Join(dir, "livekit"), Addr: address(portLiveKit), WebhookURLs: []string{service + "rooms/webhooks-livekit/"},
		Progress: o.Progress, Log: o.Log,
	}); err != nil {
		return s, fmt.Errorf("LiveKit: %w", err)
	}
	return s, nil
}

func (s *Stack) say(what string) {
	if s.options.Progress != nil {
		_, _ = fmt.Fprintln(s.options.Progress, what)
	}
}

// Close stops every server.
func (s *Stack) Close() error {
	var errs []error
	if s.LiveKit != nil {
		errs = append(errs, s.LiveKit.Close())
	}
	if s.OP != nil {
		errs = append(errs, s.OP.Close())
	}
	if s.Store != nil {
		errs = append(errs, s.Store.Close())
	}
	if s.Postgres != nil {
		errs = append(errs, s.Postgres.Close())
	}
	return errors.Join(errs...)
}

// Env is the service's configuration for this stack.
func (s *Stack) Env() map[string]string {
	provider := s.OP.Endpoints()
	service := "http://" + s.options.Service
	return map[string]string{
		"DJANGO_CONFIGURATION": "Development",
		"DATABASE_URL":         s.Postgres.DSN("postgres"),

		"AWS_S3_ENDPOINT_URL":      s.Store.Endpoint,
		"AWS_S3_ACCESS_KEY_ID":     s.Store.AccessKey,
		"AWS_S3_SECRET_ACCESS_KEY": s.Store.SecretKey,
		"AWS_S3_REGION_NAME":       s.Store.Region,
		"AWS_STORAGE_BUCKET_NAME":  Bucket,

		"OIDC_RP_CLIENT_ID":              "meet",
		"OIDC_RP_CLIENT_SECRET":          "development-client-secret",
		"OIDC_RP_SCOPES":                 "openid email profile",
		"OIDC_OP_URL":                    s.OP.Issuer(),
		"OIDC_OP_AUTHORIZATION_ENDPOINT": provider.Authorization,
		"OIDC_OP_TOKEN_ENDPOINT":         provider.Token,
		"OIDC_OP_USER_ENDPOINT":          provider.UserInfo,
		"OIDC_OP_JWKS_ENDPOINT":          provider.JWKS,
		"OIDC_OP_LOGOUT_ENDPOINT":        provider.EndSession,
		"OIDC_USE_PKCE":                  "true",
		"LOGIN_REDIRECT_URL":             service + "/api/v1.0/users/me/",
		"LOGIN_REDIRECT_URL_FAILURE":     service + "/api/v1.0/users/me/",
		"LOGOUT_REDIRECT_URL":            service + "/api/v1.0/users/me/",

		"LIVEKIT_API_URL":    s.LiveKit.URL,
		"LIVEKIT_API_KEY":    s.LiveKit.APIKey,
		"LIVEKIT_API_SECRET": s.LiveKit.APISecret,

		"ALLOW_UNREGISTERED_ROOMS":       "false",
		"RECORDING_ENABLE":               "true",
		"RECORDING_STORAGE_EVENT_ENABLE": strconv.FormatBool(s.options.StorageEvents),
		"RECORDING_STORAGE_EVENT_TOKEN":  hookToken,
	}
}
