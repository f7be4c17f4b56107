package app_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"
)

// sentryServer stands in for Sentry.
type sentryServer struct {
	*httptest.Server
	mu     sync.Mutex
	events []map[string]any
	all    strings.Builder // as it came
}

func startSentry(t *testing.T) (*sentryServer, map[string]string) {
	t.Helper()
	s := &sentryServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Error(err)
				return
			}
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all.Write(text)
		for line := range strings.Lines(string(text)) {
			var e map[string]any
			if json.Unmarshal([]byte(line), &e) == nil && e["level"] != nil {
				s.events = append(s.events, e)
			}
		}
	}))
	t.Cleanup(s.Close)
	version := filepath.Join(t.TempDir(), "version.json")
	if err := os.WriteFile(version, []byte(`{"version": "1.27.0-test"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, map[string]string{
		"DJANGO_SENTRY_DSN": strings.Replace(s.URL, "://", "://sentinelkey@", 1) + "/7", "MEETD_VERSION_FILE": version,
	}
}

// told waits for an event with this transaction or message.
func (s *sentryServer) told(t *testing.T, about string) map[string]any {
	t.Helper()
	var found map[string]any
	eventually(t, "Sentry is told of "+about, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, e := range s.events {
			if e["transaction"] == about || e["message"] == about {
				found = e
			}
		}
		return found != nil
	})
	return found
}

func TestSentry(t *testing.T) {
	t.Parallel()
	sent, env := startSentry(t)
	env["CONNECTION_TEST_ENABLED"], env["CONNECTION_TEST_THROTTLE_RATES"] = "true", "1/hour"
	conference, address := startLiveKit(t) // so that no other job fails
	conference.onList = func() ([]*lk.EgressInfo, error) { return nil, nil }
	maps.Copy(env, address)
	s := startService(t, env)
	ada := s.login(t, "sentinel-ada")
	room := s.room(t, ada)

	// What the database says about a fault names the address of somebody.
	s.exec(t, `CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'no room for sentinel-ada@example.org'; END $$`)
	s.exec(t, `CREATE TRIGGER break BEFORE UPDATE ON meet_room FOR EACH ROW EXECUTE FUNCTION break()`)
	req := s.asked(t, ada, http.MethodPatch, "/api/v1.0/rooms/"+room.String()+"/?username=sentinel-query", `{"name":"sentinel-body"}`)
	req.Header.Set("User-Agent", "sentinel-agent")
	got := s.send(t, req)
	wantAnswer(t, "broken", got, 500, "")
	e := sent.told(t, "PATCH /api/v1.0/rooms/:id/")
	tags, _ := e["tags"].(map[string]any)
	if e["level"] != "error" || e["environment"] != "development" || e["release"] != "1.27.0-test" ||
		tags["application"] != "backend" || tags["request_id"] != got.Header.Get("X-Request-Id") || tags["status"] != "500" {
		t.Errorf("told of a failure: %v", e)
	}

	for _, status := range []int{200, 429} {
		wantAnswer(t, "connection test", s.write(t, ada, "/api/v1.0/diagnostics/connection/", ""), status, "")
	}
	if e := sent.told(t, "Rate limit exceeded for scope connection_test"); e["level"] != "warning" {
		t.Errorf("told of a limit: %v", e)
	}

	s.exec(t, `INSERT INTO meetd.river_job (args, kind, max_attempts) VALUES ('{"room": 7}', 'show_room', 1)`)
	if e := sent.told(t, "job show_room"); e["level"] != "error" {
		t.Errorf("told of a job: %v", e)
	}
	if n := len(s.logged(t, "a job was given up")); n != 1 {
		t.Errorf("a job that was given up is logged %d times", n)
	}

	wantAnswer(t, "unknown", s.request(t, ada, http.MethodGet, "/api/v1.0/recordings/"+uuid.NewString()+"/", "", nil), 404, "")
	sent.mu.Lock()
	defer sent.mu.Unlock()
	if len(sent.events) != 3 {
		t.Errorf("told %d times: %s", len(sent.events), sent.all.String())
	}
	for _, private := range []string{"sentinel-", ada.Secret, token, "request.summary"} {
		if strings.Contains(sent.all.String(), private) {
			t.Errorf("Sentry was told %s: %s", private, sent.all.String())
		}
	}
	if !strings.Contains(sent.all.String(), "no room for ***") {
		t.Errorf("Sentry was not told why: %s", sent.all.String())
	}
}
