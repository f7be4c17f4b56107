package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"meetd/domain/fault"
)

// clock goes on by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newMetrics(t *testing.T) (*Metrics, *clock, *bytes.Buffer) {
	t.Helper()
	var logs bytes.Buffer
	c := &clock{time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}
	return New(Config{Version: "1.2.3", Now: c.now, Log: slog.New(slog.NewJSONHandler(&logs, nil))}), c, &logs
}

// shown are the samples whose names begin like this, but for those of buckets.
func shown(t *testing.T, m *Metrics, prefix string) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("metrics: %d %s", w.Code, w.Body)
	}
	var out []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) && !strings.Contains(line, "_bucket{") {
			out = append(out, strings.TrimSuffix(line, "\n"))
		}
	}
	return out
}

func want(t *testing.T, m *Metrics, prefix string, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, shown(t, m, prefix)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", prefix, diff)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	m, _, _ := newMetrics(t)
	const route = "/api/v1.0/recordings/media-auth/"
	for _, status := range []int{200, 200, 403, 404, 503} {
		m.Requested(Request{Method: "GET", Route: route, Status: status, Media: true, Took: 2 * time.Second})
	}
	m.Requested(Request{Method: "GET", Route: "/api/v1.0/rooms/:id/", Status: 200})
	for i := range 100 { // nobody can make series as he likes
		m.Requested(Request{Method: fmt.Sprint("X", i), Status: 404})
	}
	m.Requested(Request{Method: "GET", Route: "/", Status: 0})
	want(t, m, "meetd_http_requests_total",
		`meetd_http_requests_total{method="GET",route="/",status="1xx"} 1`,
		`meetd_http_requests_total{method="GET",route="/api/v1.0/recordings/media-auth/",status="2xx"} 2`,
		`meetd_http_requests_total{method="GET",route="/api/v1.0/recordings/media-auth/",status="4xx"} 2`,
		`meetd_http_requests_total{method="GET",route="/api/v1.0/recordings/media-auth/",status="5xx"} 1`,
		`meetd_http_requests_total{method="GET",route="/api/v1.0/rooms/:id/",status="2xx"} 1`,
		`meetd_http_requests_total{method="other",route="none",status="4xx"} 100`,
	)
	want(t, m, "meetd_media_checks_total",
		`meetd_media_checks_total{result="allowed"} 2`,
		`meetd_media_checks_total{result="failed"} 1`,
		`meetd_media_checks_total{result="refused"} 2`,
	)
	want(t, m, `meetd_http_request_duration_seconds_sum{method="GET",route="`+route, `meetd_http_request_duration_seconds_sum{method="GET",route="`+route+`"} 10`)
}

// A request that was seen before costs no memory.
func TestRequestsAllocateNothing(t *testing.T) { //nolint:paralleltest // allocations of the whole program are counted
	m, _, _ := newMetrics(t)
	r := Request{Method: "GET", Route: "/api/v1.0/recordings/media-auth/", Status: 200, Media: true, Took: time.Millisecond}
	if n := testing.AllocsPerRun(100, func() { m.Requested(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRequestsAtOnce(t *testing.T) {
	t.Parallel()
	m, _, _ := newMetrics(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				m.Requested(Request{Method: "GET", Route: fmt.Sprintf("/%d", i%20), Status: 200})
			}
		})
	}
	all.Wait()
	got := shown(t, m, "meetd_http_requests_total")
	if len(got) != 20 || got[0] != `meetd_http_requests_total{method="GET",route="/0",status="2xx"} 400` {
		t.Errorf("%d series, the first %s", len(got), got[0])
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	m, _, _ := newMetrics(t)
	middleware, ok := m.Jobs().(rivertype.WorkerMiddleware)
	if !ok {
		t.Fatal("no middleware of workers")
	}
	away := errors.New("away")
	for _, c := range []struct {
		attempt int
		err     error
	}{{1, nil}, {1, away}, {3, away}, {1, river.JobCancel(away)}, {1, river.JobSnooze(time.Second)}, {3, nil}} {
		err := middleware.Work(t.Context(), &rivertype.JobRow{Kind: "mail_owner", Attempt: c.attempt, MaxAttempts: 3}, func(context.Context) error { return c.err })
		if !errors.Is(err, c.err) {
			t.Errorf("error %v became %v", c.err, err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = middleware.Work(t.Context(), &rivertype.JobRow{Kind: "show_room"}, func(context.Context) error { panic("x") })
	}()
	want(t, m, "meetd_job_duration_seconds_count",
		`meetd_job_duration_seconds_count{kind="mail_owner",result="done"} 2`,
		`meetd_job_duration_seconds_count{kind="mail_owner",result="failed"} 1`,
		`meetd_job_duration_seconds_count{kind="mail_owner",result="given_up"} 2`,
		`meetd_job_duration_seconds_count{kind="mail_owner",result="snoozed"} 1`,
		`meetd_job_duration_seconds_count{kind="show_room",result="panicked"} 1`,
	)
}

type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func TestCalls(t *testing.T) {
	t.Parallel()
	m, _, _ := newMetrics(t)
	for _, status := range []int{200, 302, 404, 500, 503, 0} {
		base := answers(func(*http.Request) (*http.Response, error) {
			if status == 0 {
				return nil, errors.New("refused")
			}
			return &http.Response{StatusCode: status, Body: http.NoBody}, nil
		})
		req := httptest.NewRequest(http.MethodGet, "http://livekit", http.NoBody)
		resp, err := m.Transport("livekit", base).RoundTrip(req)
		if (err != nil) != (status == 0) {
			t.Errorf("%d: %v", status, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	never := answers(func(r *http.Request) (*http.Response, error) { return nil, r.Context().Err() })
	req := httptest.NewRequestWithContext(gone, http.MethodGet, "http://livekit", http.NoBody)
	if _, err := m.Transport("livekit", never).RoundTrip(req); err == nil {
		t.Error("nobody asked, and there was an answer")
	}
	for _, err := range []error{nil, fault.New(fault.Invalid, "mail"), fault.New(fault.Upstream, "mail")} {
		if got := m.Call("mail", func() error { return err }); !errors.Is(got, err) {
			t.Errorf("error %v became %v", err, got)
		}
	}
	want(t, m, "meetd_call_duration_seconds_count",
		`meetd_call_duration_seconds_count{result="failed",to="livekit"} 3`,
		`meetd_call_duration_seconds_count{result="failed",to="mail"} 1`,
		`meetd_call_duration_seconds_count{result="ok",to="livekit"} 2`,
		`meetd_call_duration_seconds_count{result="ok",to="mail"} 1`,
		`meetd_call_duration_seconds_count{result="refused",to="livekit"} 1`,
		`meetd_call_duration_seconds_count{result="refused",to="mail"} 1`,
	)
}

// However often Prometheus asks, the database is asked rarely; what it does not
// say is not shown.
func TestStateIsRemembered(t *testing.T) {
	t.Parallel()
	m, c, logs := newMetrics(t)
	looks := 0
	var err error
	m.Watch(func(ctx context.Context) (State, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("it may take for ever")
		}
		looks++
		return State{
			Recordings: []Recordings{{"active", looks}}, Jobs: []Jobs{{"mail_owner", "discarded", 7}}, Due: 90 * time.Second,
		}, err
	})
	want(t, m, "meetd_recordings_open", `meetd_recordings_open{state="active"} 1`)
	c.at = c.at.Add(stateAge - 1)
	want(t, m, "meetd_recordings_open", `meetd_recordings_open{state="active"} 1`)
	c.at = c.at.Add(1)
	want(t, m, "meetd_recordings_open", `meetd_recordings_open{state="active"} 2`)
	want(t, m, "meetd_jobs", `meetd_jobs{kind="mail_owner",state="discarded"} 7`, `meetd_jobs_due_seconds 90`)
	want(t, m, "meetd_database_up", `meetd_database_up 1`)
	err = errors.New("away")
	for range 3 {
		c.at = c.at.Add(stateAge)
		want(t, m, "meetd_recordings_open")
		want(t, m, "meetd_database_up", `meetd_database_up 0`)
	}
	if n := strings.Count(logs.String(), "away"); n != 1 {
		t.Errorf("logged %d times: %s", n, logs)
	}
	err = nil
	c.at = c.at.Add(stateAge)
	want(t, m, "meetd_recordings_open", `meetd_recordings_open{state="active"} 6`)
}

func TestOthers(t *testing.T) {
	t.Parallel()
	m, _, _ := newMetrics(t)
	m.RecordingBecame("saved")
	m.RecordingBecame("saved")
	want(t, m, "meetd_recordings_total", `meetd_recordings_total{state="saved"} 2`)
	if got := shown(t, m, "meetd_build_info"); len(got) != 1 || !strings.Contains(got[0], `version="1.2.3"`) {
		t.Errorf("build: %q", got)
	}
	for _, name := range []string{"go_goroutines ", "process_resident_memory_bytes "} {
		if len(shown(t, m, name)) != 1 {
			t.Errorf("%s is not shown", name)
		}
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/vars", http.NoBody))
	if w.Code != http.StatusNotFound {
		t.Errorf("something else is shown: %d", w.Code)
	}
}
