package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/devstack/store"
)

func TestMain(m *testing.M) {
	store.Child()
	pgtest.Main(m)
}

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

func TestEndSessions(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	env := lookup(map[string]string{"DATABASE_URL": dsn})
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the database is thrown away
	add := func(id, sub, email string) {
		t.Helper()
		if _, err := c.Exec(t.Context(), `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
			is_device, is_staff, is_active, default_room_configuration)
			VALUES ($1, '!', false, now(), now(), $2, $3, 'en-us', 'UTC', false, false, true, '{}')`, id, sub, email); err != nil {
			t.Fatal(err)
		}
	}
	const ada, bob = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	add(ada, "sub-ada", "ada@example.org")
	add(bob, "sub-bob", "bob@example.org")
	add("33333333-3333-4333-8333-333333333333", "sub-bob2", "BOB@example.org")
	for _, step := range []struct {
		args []string
		code int
		out  string
		err  string
	}{
		{[]string{"ADA@example.org"}, 0, "2 session(s) ended.\n", ""},
		{[]string{"sub-ada"}, 0, "2 session(s) ended.\n", ""},
		{[]string{ada}, 0, "2 session(s) ended.\n", ""},
		{[]string{"sub-bob"}, 0, "0 session(s) ended.\n", ""},
		{[]string{"bob@example.org"}, 1, "", "several accounts share"},
		{[]string{"nobody"}, 1, "", "no account has"},
		{nil, 2, "", "Usage: meetd end-sessions USER"},
		{[]string{"a", "b"}, 2, "", "Usage: meetd end-sessions USER"},
		{[]string{"--help"}, 0, "", "Usage: meetd end-sessions USER"},
	} {
		if _, err := c.Exec(t.Context(), `DELETE FROM meetd.session`); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			owner := any(ada)
			if i == 2 {
				owner = nil
			}
			if _, err := c.Exec(t.Context(), `INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at)
				VALUES ($1, $2, '{}', now(), now() + interval '1 hour')`, []byte{byte(i)}, owner); err != nil {
				t.Fatal(err)
			}
		}
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"end-sessions"}, step.args...), env, &out, &errs)
		if code != step.code || out.String() != step.out || !strings.Contains(errs.String(), step.err) {
			t.Errorf("%v: code %d, %q, %q", step.args, code, out.String(), errs.String())
		}
	}
	var trail int
	if err := c.QueryRow(t.Context(), `SELECT count(*) FROM meetd.audit_event WHERE action = 'sessions_ended'`).Scan(&trail); err != nil || trail != 4 {
		t.Errorf("%d are written down, %v", trail, err)
	}
}

// Every command in the list explains itself, by either spelling.
func TestHelp(t *testing.T) {
	t.Parallel()
	_, list, _ := strings.Cut(usage, "Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	commands := 0
	for line := range strings.Lines(list) {
		name := strings.Fields(line)[0]
		commands++
		for _, spelling := range []string{name, strings.ReplaceAll(name, "-", "_")} {
			var out, errs bytes.Buffer
			if code := run(t.Context(), []string{spelling, "--help"}, lookup(nil), &out, &errs); code != 0 || !strings.HasPrefix(errs.String(), "Usage: meetd "+name) || strings.Count(errs.String(), "\n") < 3 {
				t.Errorf("%s: code %d, %q, %q", spelling, code, out.String(), errs.String())
			}
		}
	}
	if commands < 15 {
		t.Errorf("%d commands", commands)
	}
}
