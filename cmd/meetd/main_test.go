package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"meetd/adapters/devstack/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// buffer is written by the program and read by the test.
type buffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	written chan struct{}
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.written <- struct{}{}:
	default:
	}
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestUsage(t *testing.T) {
	t.Parallel()
	none := lookup(nil)
	for _, c := range []struct {
		args []string
		code int
		out  string
		err  string
	}{
		{nil, 2, "", "Usage: meetd COMMAND"},
		{[]string{"nonsense"}, 2, "", "Usage: meetd COMMAND"},
		{[]string{"help"}, 0, "Usage: meetd COMMAND", ""},
		{[]string{"serve", "--help"}, 0, "", "-listen"},
		{[]string{"serve", "--nonsense"}, 2, "", "nonsense"},
		{[]string{"migrate", "x"}, 2, "", `no argument "x"`},
	} {
		var out, err bytes.Buffer
		if code := run(t.Context(), c.args, none, &out, &err); code != c.code ||
			!strings.Contains(out.String(), c.out) || !strings.Contains(err.String(), c.err) {
			t.Errorf("%v: code %d, %q, %q", c.args, code, out.String(), err.String())
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	env := map[string]string{"OIDC_RP_CLIENT_SECRET": "tell-nobody", "RECORDING_OUTPUT_FOLDER": "films"}
	if code := run(t.Context(), []string{"config"}, lookup(env), &out, &errs); code != 0 ||
		!strings.Contains(out.String(), "films") || strings.Contains(out.String(), "tell-nobody") {
		t.Errorf("code %d: %s%s", code, out.String(), errs.String())
	}
	env = map[string]string{"RECORDING_ENABLE": "on", "SESSION_COOKIE_AGE": "soon"}
	out.Reset()
	if code := run(t.Context(), []string{"config"}, lookup(env), &out, &errs); code != 1 ||
		!strings.Contains(errs.String(), "RECORDING_ENABLE") || !strings.Contains(errs.String(), "SESSION_COOKIE_AGE") {
		t.Errorf("two faults: code %d: %s", code, errs.String())
	}
}

// An empty database is refused with what to do; migrated, it serves until it is
// told to stop.
func TestMigrateAndServe(t *testing.T) {
	t.Parallel()
	env := lookup(map[string]string{"DATABASE_URL": pgtest.Empty(t)})
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--listen", "127.0.0.1:0"}, env, &errs, &errs); code != 1 || !strings.Contains(errs.String(), "meetd migrate") {
		t.Fatalf("an empty database: code %d: %s", code, errs.String())
	}
	for range 2 {
		if code := run(t.Context(), []string{"migrate"}, env, &errs, &errs); code != 0 {
			t.Fatalf("migrate: code %d: %s", code, errs.String())
		}
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	errs.Reset()
	if code := run(t.Context(), []string{"serve", "--listen", address}, env, &errs, &errs); code != 1 ||
		!strings.Contains(errs.String(), "cannot listen on "+address) {
		t.Errorf("a port in use: code %d: %s", code, errs.String())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &buffer{written: make(chan struct{}, 1)}
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"serve", "--listen", address}, env, out, out) }()
	for !strings.Contains(out.String(), `"msg":"ready"`) {
		select {
		case <-out.written:
		case c := <-code:
			t.Fatalf("it ended with %d: %s", c, out.String())
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/__heartbeat__", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("heartbeat: %d", resp.StatusCode)
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("stopped with %d: %s", c, out.String())
	}
	if !strings.Contains(out.String(), `"route":"/__heartbeat__","status":200`) {
		t.Errorf("the request was not logged: %s", out.String())
	}
}
