package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"meetd/adapters/devstack/mailbox"
)

// postHog stands in for PostHog.
type postHog struct {
	*httptest.Server
	mu     sync.Mutex
	events []map[string]any
	asked  []string // whose features
	on     any      // what is said about summary-enabled
}

// startPostHog answers with a status; 0 hangs until the caller gives up.
func startPostHog(t *testing.T, status int) (*postHog, map[string]string) {
	t.Helper()
	p := &postHog{on: false}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var body struct {
			Key   string `json:"api_key"`
			Who   string `json:"distinct_id"`
			Batch []map[string]any
		}
		if err := json.Unmarshal(text, &body); err != nil || body.Key != "phc_sentinel" {
			t.Errorf("%s: %s", r.URL, text)
		}
		p.mu.Lock()
		p.events = append(p.events, body.Batch...)
		if body.Who != "" {
			p.asked = append(p.asked, body.Who)
		}
		on := p.on
		p.mu.Unlock()
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"flags": map[string]any{"summary-enabled": map[string]any{"enabled": on}}})
	}))
	t.Cleanup(p.Close)
	return p, map[string]string{
		"ANALYTICS_BACKEND":          "core.analytics.posthog.PostHogAnalytics",
		"ANALYTICS_BACKEND_SETTINGS": `{"api_key": "phc_sentinel", "host": "` + p.URL + `/", "feature_flags_cache_ttl": 0}`,
	}
}

// told are the events: name, person and our own properties.
func (p *postHog) told() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, e := range p.events {
		properties, _ := e["properties"].(map[string]any)
		for name := range properties {
			if strings.HasPrefix(name, "$") {
				delete(properties, name)
			}
		}
		text, _ := json.Marshal(properties)
		who, _ := e["distinct_id"].(string)
		name, _ := e["event"].(string)
		out = append(out, name+" "+who+" "+string(text))
	}
	slices.Sort(out)
	return out
}

func TestAnalyticsEvents(t *testing.T) {
	t.Parallel()
	p, env := startPostHog(t, 200)
	_, live := startLiveKit(t)
	for name, value := range live {
		env[name] = value
	}
	env["ROOMKIT_SERVER_TO_SERVER_API_TOKEN"], env["ROOMKIT_ENABLED"] = "gateway-token", "true"
	s := startService(t, env)
	ada := s.login(t, "ada")
	create := func(body string) string {
		got := s.write(t, ada, "/api/v1.0/rooms/", body)
		var rm struct{ ID string }
		if err := json.Unmarshal(got.Body, &rm); got.Status != 201 || err != nil {
			t.Fatalf("%s: %d %s", body, got.Status, got.Body)
		}
		return rm.ID
	}
	first := create(`{"name":"first","access_level":"trusted"}`)
	second := create(`{"name":"second","callback_id":"c"}`)
	wantAnswer(t, "the same name again", s.write(t, ada, "/api/v1.0/rooms/", `{"name":"first"}`), 400, "")
	s.exec(t, `UPDATE meet_room SET pin_code = '1234567890' WHERE resource_id = $1`, first)
	for range 2 {
		wantAnswer(t, "room kit", s.request(t, account{}, http.MethodPost, "/api/v1.0/roomkit/join/", `{"pin_code":"1234567890"}`, http.Header{
			"Content-Type": {"application/json"}, "Authorization": {"Bearer gateway-token"},
		}), 200, "")
	}
	want := []string{
		`room_created ` + ada.ID.String() + ` {"access_level":"public","from_callback":true,"room_id":"` + second + `"}`,
		`room_created ` + ada.ID.String() + ` {"access_level":"trusted","from_callback":false,"room_id":"` + first + `"}`,
		`roomkit_joined None {"dispatch_rule_created":false,"room_id":"` + first + `"}`,
		`roomkit_joined None {"dispatch_rule_created":true,"room_id":"` + first + `"}`,
	}
	eventually(t, "all is told", func() bool { return len(p.told()) >= len(want) })
	if got := p.told(); !slices.Equal(got, want) {
		t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Whatever PostHog does, nobody waits for it.
func TestAnalyticsFails(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"hangs": 0, "errs": 500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, env := startPostHog(t, status)
			s := startService(t, env)
			ada := s.login(t, "ada")
			start := time.Now()
			for _, room := range []string{"first", "second", "third"} {
				wantAnswer(t, room, s.write(t, ada, "/api/v1.0/rooms/", `{"name":"`+room+`"}`), 201, "")
			}
			if took := time.Since(start); took > 4*time.Second { // one try of PostHog takes longer
				t.Errorf("three rooms took %s", took)
			}
			if strings.Contains(s.logs.String(), "phc_sentinel") {
				t.Error("the key is in the log")
			}
		})
	}
}

// Who has the feature gets a summary, and not only what was said.
func TestSummaryFeature(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		on     any
		want   bool
	}{"on": {200, true, true}, "off": {200, false, false}, "err": {500, true, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, env := startPostHog(t, c.status)
			p.on = c.on
			_, mailEnv := mailServer(t, mailbox.Options{})
			sum, sumEnv := startSummary(t, `{"job_id":"job-1"}`)
			s := notifying(t, mailEnv, env, sumEnv)
			ada := s.login(t, "ada")
			id := s.recording(t, transcript, "active", roles{ada: "owner"})
			s.saved(t, id, transcript)
			eventually(t, "it is handed in", func() bool { return len(sum.calls()) == 1 })
			docs, _ := sum.calls()[0]["push_to_docs_config"].(map[string]any)
			if docs["auto_create_summary"] != c.want {
				t.Errorf("auto_create_summary is %v, want %t", docs["auto_create_summary"], c.want)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.asked) != 1 || p.asked[0] != ada.ID.String() {
				t.Errorf("asked about %v, want %s", p.asked, ada.ID)
			}
		})
	}
}
