package posthog

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"meetd/ports"
)

// server stands in for PostHog.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []string // path and body
	answer func(call int, w http.ResponseWriter, r *http.Request)
}

func start(t *testing.T, answer func(call int, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := &server{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.calls = append(s.calls, r.Method+" "+r.URL.String()+" "+r.Header.Get("Content-Type")+" "+string(body))
		n := len(s.calls)
		s.mu.Unlock()
		if s.answer != nil {
			s.answer(n, w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

var (
	now = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	ada = uuid.MustParse("46d1a121-2426-484d-8fb3-09b5d886f7a8")
)

func client(t *testing.T, s *server) (*Client, *bytes.Buffer) {
	t.Helper()
	var logs bytes.Buffer
	c := New(t.Context(), Config{
		URL: s.URL, Key: "phc_secret", CacheTTL: time.Minute, Timeout: 10 * time.Second, Retry: time.Millisecond,
		Now: func() time.Time { return now }, NewID: func() uuid.UUID { return uuid.MustParse("00000000-0000-4000-8000-000000000001") },
		Log: slog.New(slog.NewJSONHandler(&logs, nil)),
	})
	return c, &logs
}

func closed(t *testing.T, c *Client) {
	t.Helper()
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCapture(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c, logs := client(t, s)
	c.Capture(ports.AnalyticsEvent{Name: "room_created", Person: ada, Properties: map[string]any{"room_id": "r", "from_callback": true}})
	closed(t, c)
	want := `POST /batch/ application/json {"api_key":"phc_secret","batch":[{"type":"capture","event":"room_created",` +
		`"distinct_id":"46d1a121-2426-484d-8fb3-09b5d886f7a8","uuid":"00000000-0000-4000-8000-000000000001","timestamp":"2026-11-22T10:30:00Z",` +
		`"properties":{"$geoip_disable":true,"$lib":"meetd","from_callback":true,"room_id":"r"}}]}`
	if diff := cmp.Diff([]string{want}, s.all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c.Capture(ports.AnalyticsEvent{Name: "late"}) // after the end it is forgotten
	<-c.idleNow()
	if len(s.all()) != 1 || logs.Len() != 0 {
		t.Errorf("%d calls; log: %s", len(s.all()), logs)
	}
}

func TestMachineHasNoID(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c, _ := client(t, s)
	c.Capture(ports.AnalyticsEvent{Name: "roomkit_joined"})
	closed(t, c)
	if got := s.all(); len(got) != 1 || !strings.Contains(got[0], `"distinct_id":"None"`) {
		t.Errorf("calls: %q", got)
	}
}

// What comes while a call is under way is sent together, and nobody waits.
func TestBatches(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	s := start(t, func(call int, _ http.ResponseWriter, _ *http.Request) {
		if call == 1 {
			close(asked)
			<-release
		}
	})
	c, logs := client(t, s)
	c.Capture(ports.AnalyticsEvent{Name: "first"})
	<-asked
	for range mostWaiting + 7 {
		c.Capture(ports.AnalyticsEvent{Name: "more"})
	}
	close(release)
	closed(t, c)
	calls := s.all()
	if len(calls) != 1+mostWaiting/mostTogether || strings.Count(calls[1], `"more"`) != mostTogether {
		t.Errorf("%d calls, the second with %d events", len(calls), strings.Count(calls[1], `"more"`))
	}
	if !strings.Contains(logs.String(), `too many wait","events":7`) {
		t.Errorf("log: %s", logs)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status []int
		calls  int
		logs   string
	}{
		"once":     {[]int{500, 200}, 2, ""},
		"for ever": {[]int{503, 503, 503, 503}, tries, "it answers 503"},
		"too many": {[]int{429, 200}, 2, ""},
		"refused":  {[]int{401, 200}, 1, "it answers 401"},
		"sent on":  {[]int{302, 200}, 1, "it answers 302"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(call int, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Location", r.URL.Path)
				w.WriteHeader(c.status[call-1])
			})
			p, logs := client(t, s)
			p.Capture(ports.AnalyticsEvent{Name: "room_created", Person: ada})
			<-p.idleNow()
			closed(t, p)
			if got := len(s.all()); got != c.calls {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
			if (c.logs == "") != (logs.Len() == 0) || !strings.Contains(logs.String(), c.logs) || strings.Contains(logs.String(), "phc_") {
				t.Errorf("log: %s", logs)
			}
		})
	}
}

func (c *Client) idleNow() chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle
}

func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	s := start(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	c, _ := client(t, s)
	c.Capture(ports.AnalyticsEvent{Name: "room_created"})
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Close(ctx); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("close: %v", err)
	}
	<-c.idleNow() // the call is broken off
}

func TestEnabled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   bool
		fails  bool
	}{
		"on":               {200, `{"flags":{"summary-enabled":{"key":"summary-enabled","enabled":true,"variant":null}}}`, true, false},
		"off":              {200, `{"flags":{"summary-enabled":{"enabled":false}}}`, false, false},
		"variant":          {200, `{"flags":{"summary-enabled":{"enabled":true,"variant":"b"}}}`, false, false},
		"another":          {200, `{"flags":{"other":{"enabled":true}}}`, false, false},
		"older, on":        {200, `{"featureFlags":{"summary-enabled":true}}`, true, false},
		"older, off":       {200, `{"featureFlags":{"summary-enabled":false}}`, false, false},
		"older, variant":   {200, `{"featureFlags":{"summary-enabled":"true"}}`, false, false},
		"nothing":          {200, `{}`, false, false},
		"no JSON":          {200, `<html>`, false, true},
		"fails":            {500, `{"flags":{"summary-enabled":{"enabled":true}}}`, false, true},
		"empty and a lot ": {200, strings.Repeat(" ", maxAnswer) + `{}`, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			})
			p, logs := client(t, s)
			for range 2 {
				if got := p.Enabled(t.Context(), "summary-enabled", ada); got != c.want {
					t.Errorf("enabled: %t", got)
				}
			}
			calls := s.all()
			want := `POST /flags/?v=2 application/json {"api_key":"phc_secret","distinct_id":"` + ada.String() + `","geoip_disable":true,` +
				`"group_properties":{},"groups":{},"person_properties":{"distinct_id":"` + ada.String() + `"}}`
			if calls[0] != want {
				t.Errorf("called %s\nwant %s", calls[0], want)
			}
			if c.fails != (len(calls) == 2) || c.fails != (logs.Len() > 0) { // only answers are remembered
				t.Errorf("%d calls; log: %s", len(calls), logs)
			}
		})
	}
}

func TestRemembersForAWhile(t *testing.T) {
	t.Parallel()
	s := start(t, func(call int, w http.ResponseWriter, _ *http.Request) {
		on := call == 1
		_ = json.NewEncoder(w).Encode(map[string]any{"featureFlags": map[string]any{"f": on}})
	})
	c, _ := client(t, s)
	at := now
	c.config.Now = func() time.Time { return at }
	for _, step := range []struct {
		after time.Duration
		who   uuid.UUID
		want  bool
		calls int
	}{{0, ada, true, 1}, {59 * time.Second, ada, true, 1}, {0, uuid.New(), false, 2}, {time.Second, ada, false, 3}} {
		at = at.Add(step.after)
		if got := c.Enabled(t.Context(), "f", step.who); got != step.want || len(s.all()) != step.calls {
			t.Errorf("after %s: %t with %d calls, want %t with %d", step.after, got, len(s.all()), step.want, step.calls)
		}
	}
}

func TestFlagsHang(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c, logs := client(t, s)
	c.http.Timeout = 20 * time.Millisecond
	if c.Enabled(t.Context(), "f", ada) || !strings.Contains(logs.String(), "so they are off") {
		t.Errorf("a feature is on; log: %s", logs)
	}
}
