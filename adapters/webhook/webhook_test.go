package webhook_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/webhook"
	"meetd/domain/fault"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func client(t *testing.T, urls ...string) *webhook.Client {
	t.Helper()
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return webhook.New(webhook.Config{
		URLs: urls, Secret: key, Timeout: 5 * time.Second, Now: func() time.Time { return time.Unix(1614265330, 5) },
	})
}

// The signature was made with openssl.
func TestSend(t *testing.T) {
	t.Parallel()
	event := uuid.MustParse("0192d1c5-0000-7000-8000-000000000001")
	var called atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		called.Store(true)
		body, _ := io.ReadAll(r.Body)
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Webhook-Id": event.String(), "Webhook-Timestamp": "1614265330",
			"Webhook-Signature": "v1,IqAIUDcH5YD84+49ntWEZAYlx9EJgXx3m9C890C7bkw=",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.Method != http.MethodPost || r.URL.String() != "/hook?key=1" || string(body) != `{"test": 2432232314}` {
			t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
	}))
	defer srv.Close()
	address := srv.URL + "/hook?key=1"
	if err := client(t, address).Send(t.Context(), webhook.Target(address), event, []byte(`{"test": 2432232314}`)); err != nil || !called.Load() {
		t.Errorf("called %t: %v", called.Load(), err)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			followed.Store(true)
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/huge":
			_, err := io.Copy(w, io.LimitReader(zeros{}, 1<<30))
			if err == nil {
				t.Error("all of a huge answer was read")
			}
		case "/gone":
			w.WriteHeader(http.StatusGone)
		case "/refuses":
			w.WriteHeader(http.StatusBadRequest)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer srv.Close()
	for path, want := range map[string]error{
		"/": nil, "/huge": nil, "/gone": fault.Invalid, "/refuses": fault.Upstream, "/broken": fault.Upstream, "/redirect": fault.Upstream,
	} {
		if err := client(t, srv.URL+path).Send(t.Context(), webhook.Target(srv.URL+path), uuid.New(), []byte(`{}`)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
	const nobody = "http://user-of@127.0.0.1:1/key"
	err := client(t, nobody).Send(t.Context(), webhook.Target(nobody), uuid.New(), nil)
	if !errors.Is(err, fault.Upstream) || strings.Contains(err.Error(), "key") {
		t.Errorf("nobody listens: %v", err)
	}
	if err := client(t).Send(t.Context(), webhook.Target(srv.URL), uuid.New(), nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("a target of yesterday: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// The status counts, and a body that never ends holds nobody up.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		_ = http.NewResponseController(w).Flush()
		<-over
	}))
	defer srv.Close()
	defer close(over)
	for path, want := range map[string]error{"/200": nil, "/410": fault.Invalid, "/500": fault.Upstream} {
		t.Run(path, func(t *testing.T) {
			began := time.Now()
			err := client(t, srv.URL+path).Send(t.Context(), webhook.Target(srv.URL+path), uuid.New(), []byte(`{}`))
			if took := time.Since(began); !errors.Is(err, want) || took > 4*time.Second {
				t.Errorf("%v after %s, want %v", err, took, want)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	a, b := webhook.Target("https://hooks.example.org/a?key=hunter2"), webhook.Target("https://hooks.example.org/b?key=hunter2")
	if a == b || !strings.HasPrefix(a, "hooks.example.org#") || strings.Contains(a, "hunter2") {
		t.Errorf("targets %q and %q", a, b)
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		secret: true, strings.TrimPrefix(secret, "whsec_"): true,
		"": false, "hunter2": false, "whsec_c2hvcnQ=": false, "no base64 at all, but long enough!": false,
		strings.Repeat("AAAA", 21) + "AA==": true, // 64 bytes
		strings.Repeat("AAAA", 21) + "AAA=": false,
	} {
		if _, err := webhook.ParseSecret(text); (err == nil) != ok {
			t.Errorf("%q: %v, want one that can be used: %t", text, err, ok)
		}
	}
}
