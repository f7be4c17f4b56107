package http

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/app/media"
	"meetd/domain/fault"
	"meetd/ports"
)

type panicking struct{ with any }

func (p panicking) MediaFacts(context.Context, ports.SessionKey, uuid.UUID, time.Time) (ports.MediaFacts, error) {
	panic(p.with)
}

// A panic is answered, logged once with where it was, and told to who watches.
func TestPanic(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	var told []Exchange
	s := &Server{
		Config: Config{AllowedHosts: []string{"*"}, MediaProxy: Nginx, SessionCookie: "sessionid", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
		Media:  &media.Service{Checks: panicking{"because of ada@example.org"}, Signer: signer{}, Now: time.Now, Config: media.Config{Folder: "recordings"}, OwnHost: func(string) bool { return true }},
		Now:    time.Now, Log: slog.New(slog.NewJSONHandler(&logs, nil)),
		Answered: func(_ context.Context, x Exchange) { told = append(told, x) },
	}
	h := s.Handler()
	ask := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, mediaAuthPath, http.NoBody)
		r.Header.Set("X-Original-URL", "/media/recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4")
		r.AddCookie(&http.Cookie{Name: "sessionid", Value: "0123456789abcdef0123456789abcdef"})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := ask()
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "because") {
		t.Errorf("answer: %d %s", w.Code, w.Body)
	}
	var event map[string]any
	if err := json.Unmarshal(logs.Bytes(), &event); err != nil { // one line
		t.Fatalf("%v: %s", err, &logs)
	}
	stack, _ := event["stack"].(string)
	if event["level"] != "ERROR" || event["error"] != "panic: because of ***" || !strings.Contains(stack, "panicking.MediaFacts") {
		t.Errorf("log: %s", &logs)
	}
	if len(told) != 1 || !told[0].Media || told[0].Status != 500 || told[0].Route != mediaAuthPath || !strings.Contains(string(told[0].Stack), "MediaFacts") ||
		told[0].ID != w.Header().Get("X-Request-ID") {
		t.Errorf("told: %+v", told)
	}

	// What ends a broken download goes on, and is seen too.
	s.Media.Checks = panicking{http.ErrAbortHandler}
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
				t.Errorf("recovered %v", p)
			}
		}()
		ask()
	}()
	if len(told) != 2 || told[1].Stack != nil {
		t.Errorf("told: %+v", told)
	}
}

type failing struct{ with error }

func (f failing) MediaFacts(context.Context, ports.SessionKey, uuid.UUID, time.Time) (ports.MediaFacts, error) {
	return ports.MediaFacts{}, f.with
}

// What broke off because the browser went away is no failure, and what was allowed is
// worth no line.
func TestLevels(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		left   bool
		checks ports.MediaChecks
		want   int
		level  string
	}{
		"gone":                   {true, failing{fmt.Errorf("media check: %w", context.Canceled)}, statusGone, "INFO"},
		"gone, connection lost":  {true, failing{fault.New(fault.Unavailable, "database")}, statusGone, "INFO"},
		"gone, refused":          {true, failing{fault.New(fault.Unauthenticated, "session")}, http.StatusUnauthorized, "INFO"},
		"gone, panic":            {true, panicking{"x"}, http.StatusInternalServerError, "ERROR"},
		"there, allowed":         {false, allow{}, http.StatusOK, "DEBUG"},
		"there, refused":         {false, failing{fault.New(fault.Unauthenticated, "session")}, http.StatusUnauthorized, "INFO"},
		"there":                  {false, failing{errors.New("bug")}, http.StatusInternalServerError, "ERROR"},
		"there, connection lost": {false, failing{fault.New(fault.Unavailable, "database")}, http.StatusServiceUnavailable, "ERROR"},
	} {
		var logs bytes.Buffer
		var told Exchange
		s := &Server{
			Config: Config{AllowedHosts: []string{"*"}, MediaProxy: Nginx, SessionCookie: "sessionid", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
			Media: &media.Service{
				Checks: c.checks, Signer: signer{}, Now: time.Now, Config: media.Config{Folder: "recordings"}, OwnHost: func(string) bool { return true },
				Downloaded: func(context.Context, uuid.UUID, uuid.UUID, time.Time) {},
			},
			Now: time.Now, Log: slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Answered: func(_ context.Context, x Exchange) { told = x },
		}
		ctx := t.Context()
		if c.left {
			ctx = gone
		}
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, mediaAuthPath, http.NoBody)
		r.Header.Set("X-Original-URL", "/media/recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4")
		r.AddCookie(&http.Cookie{Name: "sessionid", Value: "0123456789abcdef0123456789abcdef"})
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		var event struct{ Level string }
		if err := json.Unmarshal(logs.Bytes(), &event); err != nil || event.Level != c.level || told.Status != c.want {
			t.Errorf("%s: answered %d, want %d; %v, logged %s", name, told.Status, c.want, err, &logs)
		}
	}
}

// Who follows a request sees the route it had, and what was put into it.
func TestTrace(t *testing.T) {
	t.Parallel()
	type key struct{}
	var ended Exchange
	seen := false
	s := &Server{
		Config: Config{AllowedHosts: []string{"*"}}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Ping: func(ctx context.Context) error { seen = ctx.Value(key{}) == "followed"; return nil },
		Trace: func(r *http.Request) (*http.Request, func(Exchange)) {
			return r.WithContext(context.WithValue(r.Context(), key{}, "followed")), func(x Exchange) { ended = x }
		},
	}
	s.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/__heartbeat__?secret=1", http.NoBody))
	if !seen || ended.Route != "/__heartbeat__" || ended.Status != http.StatusOK || ended.Err != nil {
		t.Errorf("seen %t; it ended as %+v", seen, ended)
	}
}
