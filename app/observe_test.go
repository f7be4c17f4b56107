package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"meetd/adapters/devstack/mailbox"
)

// logged are the events in the log with this message.
func (s *service) logged(t *testing.T, message string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(s.logs.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("log: %v: %s", err, line)
		}
		if e["msg"] == message {
			out = append(out, e)
		}
	}
	return out
}

// metrics are what Prometheus gets to see, by name with labels.
func (s *service) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	var address string
	eventually(t, "metrics are shown", func() bool {
		e := s.logged(t, "metrics ready")
		if len(e) > 0 {
			address, _ = e[0]["address"].(string)
		}
		return address != ""
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	got := s.send(t, req)
	if got.Status != http.StatusOK {
		t.Fatalf("metrics: %d %s", got.Status, got.Body)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(got.Body)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out[line[:at]] = value
	}
	return out
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	_, mailEnv := mailServer(t, mailbox.Options{})
	_, env := startLiveKit(t)
	env["MEETD_METRICS_LISTEN"] = "127.0.0.1:0"
	s := notifying(t, env, mailEnv)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	wantAnswer(t, "start", s.start(t, ada, room, `{"mode":"screen_recording"}`), 201, "")
	id := s.recording(t, screen, "active", roles{ada: "owner"})
	s.saved(t, id, screen)
	eventually(t, "the owner is told", func() bool { return s.status(t, id) == "notification_succeeded" })
	const check = "/api/v1.0/recordings/media-auth/"
	for _, who := range []account{ada, {}} {
		s.request(t, who, http.MethodGet, check, "", http.Header{"X-Original-Url": {"/media/recordings/" + id.String() + ".mp4"}})
	}
	s.request(t, ada, http.MethodGet, "/api/v1.0/rooms/"+room.String()+"/", "", nil)
	s.request(t, ada, "BREW", "/nowhere/"+room.String(), "", nil)
	for range 2 {
		s.exec(t, `INSERT INTO meetd.river_job (args, kind, max_attempts, state, finalized_at) VALUES ('{}', 'unheard_of', 1, 'discarded', now())`)
	}
	s.exec(t, `INSERT INTO meetd.river_job (args, kind, max_attempts, queue, scheduled_at) VALUES ('{}', 'unheard_of', 1, 'nobodys', now() - interval '1 hour')`)
	got := s.metrics(t)
	if due := got["meetd_jobs_due_seconds"]; due < 3600 || due > 3700 {
		t.Errorf("a job has been due for %v seconds, want an hour", due)
	}
	for name, want := range map[string]float64{
		`meetd_http_requests_total{method="GET",route="` + check + `",status="2xx"}`:           1,
		`meetd_http_requests_total{method="GET",route="` + check + `",status="4xx"}`:           1,
		`meetd_http_requests_total{method="GET",route="/api/v1.0/rooms/:id/",status="2xx"}`:    1,
		`meetd_http_requests_total{method="other",route="none",status="4xx"}`:                  1,
		`meetd_http_request_duration_seconds_count{method="GET",route="/api/v1.0/rooms/:id/"}`: 1,
		`meetd_media_checks_total{result="allowed"}`:                                           1,
		`meetd_media_checks_total{result="refused"}`:                                           1,
		`meetd_media_checks_total{result="failed"}`:                                            0,
		`meetd_job_duration_seconds_count{kind="mail_owner",result="done"}`:                    1,
		`meetd_call_duration_seconds_count{result="ok",to="mail"}`:                             1,
		`meetd_recordings_total{state="initiated"}`:                                            1,
		`meetd_recordings_total{state="active"}`:                                               1,
		`meetd_recordings_total{state="saved"}`:                                                1,
		`meetd_recordings_total{state="notification_succeeded"}`:                               1,
		`meetd_recordings_open{state="active"}`:                                                1,
		`meetd_recordings_open{state="initiated"}`:                                             0,
		`meetd_recordings_open{state="stopped"}`:                                               0,
		`meetd_database_up`:                                                                    1,
		`meetd_pool_connections_max`:                                                           8,
		`meetd_jobs{kind="unheard_of",state="discarded"}`:                                      2,
		`meetd_jobs{kind="unheard_of",state="available"}`:                                      1,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v (%t), want %v", name, value, ok, want)
		}
	}
	if got[`meetd_call_duration_seconds_count{result="ok",to="livekit"}`] == 0 {
		t.Error("calls of LiveKit are not counted")
	}
	for name := range got {
		if strings.Contains(name, room.String()) || strings.Contains(name, "BREW") {
			t.Errorf("%s names what a client chose", name)
		}
	}
	names := map[string]bool{"up": true} // which Prometheus makes itself
	for name := range got {
		name, _, _ = strings.Cut(name, "{")
		names[name] = true
	}
	for _, file := range []string{"alerts.yml", "dashboard.json"} {
		text, err := os.ReadFile(filepath.Join("..", "deploy", "monitoring", file))
		if err != nil {
			t.Fatal(err)
		}
		used := regexp.MustCompile(`\b(meetd|go|process)_[a-z_]+`).FindAllString(string(text), -1)
		if len(used) < 10 {
			t.Errorf("%s uses only %q", file, used)
		}
		for _, name := range used {
			if !names[name] {
				t.Errorf("%s uses %s, which does not exist", file, name)
			}
		}
		if file == "dashboard.json" && !json.Valid(text) {
			t.Errorf("%s is no JSON", file)
		}
	}
	if got := s.request(t, ada, http.MethodGet, "/metrics", "", nil); got.Status != http.StatusNotFound {
		t.Errorf("everybody can ask for metrics: %d", got.Status)
	}
}

func TestMetricsAreOff(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	eventually(t, "it is ready", func() bool { return len(s.logged(t, "ready")) > 0 })
	if len(s.logged(t, "metrics ready")) > 0 {
		t.Error("metrics are shown though nobody asked for it")
	}
}
