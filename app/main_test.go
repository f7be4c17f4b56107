package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/devstack/store"
	"meetd/adapters/devstack/storetest"
	"meetd/app"
)

func TestMain(m *testing.M) {
	store.Child()
	if os.Getenv(asNode) != "" {
		os.Exit(serve())
	}
	pgtest.Main(m)
}

// nowhere is an address that refuses connections.
const nowhere = "http://127.0.0.1:1"

const (
	screen     = "screen_recording"
	transcript = "transcript"
)

// service is the program, running on a database of its own.
type service struct {
	URL string
	DB  *pgxpool.Pool // of the test, not of the program

	conf   *app.Config
	client *http.Client
	cookie string // name of the session cookie
	logs   lockedBuffer
	offset atomic.Int64 // of the program's clock

	secretsMu sync.Mutex
	secrets   []string // of sessions
}

// startService runs the program until the test ends. env is added to a
// configuration in which LiveKit, the provider and the store are unreachable.
func startService(t *testing.T, env map[string]string) *service {
	t.Helper()
	vars := settings(t, env)
	conf, err := app.Load(func(name string) (string, bool) { v, ok := vars[name]; return v, ok }, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{conf: conf, cookie: conf.Profile.SessionCookieName, client: &http.Client{
		Transport:     checking{t, &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}},
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	log := slog.New(slog.NewJSONHandler(io.MultiWriter(t.Output(), &s.logs), nil))
	a, err := app.New(t.Context(), conf, log, s.now)
	if err != nil {
		t.Fatal(err)
	}
	l, err := app.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		a.Close()
		t.Fatal(err)
	}
	s.URL = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx, l) }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("stop the service: %v", err)
		}
		a.Close()
		s.checkLog(t)
	})
	if s.DB, err = pgxpool.New(t.Context(), conf.Database.DSN()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.DB.Close)
	return s
}

// private are what no log may hold: addresses, tokens, signatures, and the secrets
// of the configuration.
var private = regexp.MustCompile(`[\w.+-]+@[\w-]+\.\w+|eyJ[\w-]{10,}\.[\w-]+\.|X-Amz-Signature=\w+|Bearer \w{5,}|` +
	`client-secret|livekit-secret-|storage-hook-token|summary-token|process-token|gateway-token|brevo-key|phc_sentinel|` + token)

// checkLog looks for what concerns nobody, after whatever a test did.
func (s *service) checkLog(t *testing.T) {
	t.Helper()
	text := s.logs.String()
	if found := private.FindString(text); found != "" {
		t.Errorf("the log holds %q", found)
	}
	s.secretsMu.Lock()
	defer s.secretsMu.Unlock()
	for _, secret := range s.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds the session %s", secret)
		}
	}
}

// settings is the configuration of a test.
func settings(t *testing.T, env map[string]string) map[string]string {
	t.Helper()
	vars := map[string]string{
		"DJANGO_CONFIGURATION":     "Development",
		"MEETD_DATABASE_POOL_SIZE": "8",

		"AWS_S3_ENDPOINT_URL":      nowhere,
		"AWS_S3_ACCESS_KEY_ID":     "key",
		"AWS_S3_SECRET_ACCESS_KEY": "secret",
		"AWS_STORAGE_BUCKET_NAME":  "meet-media",

		"OIDC_RP_CLIENT_ID":              "meet",
		"OIDC_RP_CLIENT_SECRET":          "client-secret",
		"OIDC_OP_URL":                    nowhere,
		"OIDC_OP_AUTHORIZATION_ENDPOINT": nowhere + "/authorize",
		"OIDC_OP_TOKEN_ENDPOINT":         nowhere + "/token",
		"OIDC_OP_USER_ENDPOINT":          nowhere + "/userinfo",
		"OIDC_OP_JWKS_ENDPOINT":          nowhere + "/jwks",
		"OIDC_OP_LOGOUT_ENDPOINT":        nowhere + "/logout",

		"LIVEKIT_API_URL":    nowhere,
		"LIVEKIT_API_KEY":    "livekit-key",
		"LIVEKIT_API_SECRET": "livekit-secret-of-at-least-32-characters",

		"RECORDING_ENABLE":               "true",
		"RECORDING_STORAGE_EVENT_ENABLE": "true",
		"RECORDING_STORAGE_EVENT_TOKEN":  "storage-hook-token",
	}
	if env["DATABASE_URL"] == "" {
		vars["DATABASE_URL"] = pgtest.DSN(t)
	}
	maps.Copy(vars, env)
	return vars
}

// lockedBuffer is written by the program and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// storeEnv is the configuration for a store.
func storeEnv(s storetest.Store) map[string]string {
	return map[string]string{
		"AWS_S3_ENDPOINT_URL": s.Endpoint, "AWS_S3_REGION_NAME": s.Region, "AWS_STORAGE_BUCKET_NAME": s.Bucket,
		"AWS_S3_ACCESS_KEY_ID": s.AccessKey, "AWS_S3_SECRET_ACCESS_KEY": s.SecretKey,
	}
}

// now is the program's clock.
func (s *service) now() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }

// shiftClock moves the program's clock, forward or backward.
func (s *service) shiftClock(by time.Duration) { s.offset.Add(int64(by)) }

// exec changes the database behind the program's back.
func (s *service) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := s.DB.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// dump is a fingerprint of all that is stored about accounts and their rights,
// rooms, recordings and their accesses and events, to see that a request changed nothing. It may be called
// in a Cleanup.
func (s *service) dump(t *testing.T) string {
	t.Helper()
	var sum string
	err := s.DB.QueryRow(context.WithoutCancel(t.Context()), `SELECT md5(concat(
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM meet_user x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM meet_user_groups x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM meet_user_user_permissions x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM auth_group x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM auth_group_permissions x),
		(SELECT string_agg(x::text, '|' ORDER BY resource_id) FROM meet_room x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM meet_resource_access x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM meet_recording x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM meet_recording_access x),
		(SELECT string_agg(x::text, '|' ORDER BY recording_id) FROM meetd.recording_state x),
		(SELECT string_agg(x::text, '|' ORDER BY id) FROM meetd.kept_event x),
		(SELECT string_agg(x::text, '|' ORDER BY id_hash) FROM meetd.session x)))`).Scan(&sum)
	if err != nil {
		t.Fatalf("look at the database: %v", err)
	}
	return sum
}

// account is somebody with a live session; the zero account is an anonymous
// visitor.
type account struct {
	ID     uuid.UUID
	Secret string // value of the session cookie
}

// login makes an account that is logged in. name becomes its sub and e-mail.
func (s *service) login(t *testing.T, name string) account {
	t.Helper()
	a := account{ID: uuid.New(), Secret: rand.Text()}
	s.secretsMu.Lock()
	s.secrets = append(s.secrets, a.Secret)
	s.secretsMu.Unlock()
	s.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
			is_device, is_staff, is_active, full_name, short_name, default_room_configuration)
		VALUES ($1, '!', false, now(), now(), 'sub-' || $2::text, $2::text || '@example.org', 'en-us', 'UTC',
			false, false, true, $2::text, $2::text, '{}')`, a.ID, name)
	hash := sha256.Sum256([]byte(a.Secret))
	s.exec(t, `INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at)
		VALUES ($1, $2, '{}', now(), now() + interval '12 hours')`, hash[:], a.ID)
	return a
}

// room makes a restricted room of an owner.
func (s *service) room(t *testing.T, owner account) uuid.UUID {
	t.Helper()
	id := uuid.New()
	s.exec(t, `INSERT INTO meet_resource (id, created_at, updated_at) VALUES ($1, now(), now())`, id)
	s.exec(t, `INSERT INTO meet_room (resource_id, name, slug, configuration, access_level)
		VALUES ($1, $2, $2, '{}', 'restricted')`, id, "room-"+id.String()[:8])
	s.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
		VALUES ($1, now(), now(), 'owner', $2, $3)`, uuid.New(), id, owner.ID)
	return id
}

// roles are who may do what with a recording.
type roles map[account]string

// recording makes a recording in a room of its own, whose owner is nobody of
// those with access.
func (s *service) recording(t *testing.T, mode, status string, access roles) uuid.UUID {
	t.Helper()
	id := uuid.New()
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options, worker_id)
		VALUES ($1, now(), now(), $2, $3, $4, '{}', $5)`, id, status, s.room(t, s.login(t, "owner-"+id.String())), mode, "EG_"+id.String())
	for a, role := range access {
		s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
			VALUES ($1, now(), now(), '', $2, $3, $4)`, uuid.New(), role, id, a.ID)
	}
	return id
}

// answer is what the program said.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// request asks the program. header may be nil; body may be empty.
func (s *service) request(t *testing.T, as account, method, path, body string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if as.Secret != "" {
		req.AddCookie(&http.Cookie{Name: s.cookie, Value: as.Secret})
	}
	maps.Copy(req.Header, header)
	return s.send(t, req)
}

func (s *service) send(t *testing.T, req *http.Request) answer {
	t.Helper()
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

func TestServiceStarts(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	if got := s.request(t, ada, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != http.StatusOK ||
		!strings.Contains(string(got.Body), ada.ID.String()) {
		t.Errorf("who am I: %d %s", got.Status, got.Body)
	}
	if got := s.request(t, account{}, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != http.StatusUnauthorized {
		t.Errorf("anonymous: %d, want 401", got.Status)
	}
	id := s.recording(t, screen, "active", roles{ada: "owner"})
	path := fmt.Sprintf("/api/v1.0/recordings/%s/", id)
	if got := s.request(t, ada, http.MethodGet, path, "", nil); got.Status != http.StatusOK {
		t.Errorf("recording: %d %s", got.Status, got.Body)
	}
}
