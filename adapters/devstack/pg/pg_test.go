package pg

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const orphanDir = "PG_TEST_ORPHAN_DIR"

// TestMain runs the tests or, for TestServerEndsWithItsParent, is the parent: a
// process that starts a server, says where, and waits to be killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(orphanDir)
	if dir == "" {
		m.Run()
		return
	}
	s, err := Start(context.Background(), Options{Dir: dir})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "started"), []byte(s.addr), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

func start(t *testing.T, opts Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask runs statements on s and returns what the last one says.
func ask(t *testing.T, s *Server, statements ...string) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	var out string
	for _, sql := range statements {
		if err := c.QueryRow(t.Context(), sql).Scan(&out); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	return out
}

func reachable(s *Server) bool {
	c, err := net.Dial("tcp", s.addr)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// eventually waits for what should come true soon.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal(what)
		}
	}
}

func TestDirectoryKeepsTheData(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir(), Durable: true}
	first := start(t, opts)
	if got := ask(t, first, `SHOW fsync`); got != "on" {
		t.Errorf("fsync is %s, want on", got)
	}
	ask(t, first, `CREATE TABLE kept AS SELECT 'here' AS word`)

	if _, err := Start(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "used by another process") {
		t.Errorf("second server on the directory: %v, want an error about the other", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if reachable(first) {
		t.Error("the server still answers after Close")
	}
	second := start(t, opts)
	if got := ask(t, second, `SELECT word FROM kept`); got != "here" {
		t.Errorf("read %q, want what the first server stored", got)
	}

	// A kill leaves postmaster.pid behind.
	if err := second.Kill(); err != nil {
		t.Fatal(err)
	}
	if reachable(second) {
		t.Error("the server still answers after Kill")
	}
	if got := ask(t, start(t, opts), `SELECT word FROM kept`); got != "here" {
		t.Errorf("read %q after a kill, want what was stored", got)
	}
}

func TestThrowAwayServer(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	dir := filepath.Dir(ask(t, s, `SHOW data_directory`))
	if got := ask(t, s, `SHOW fsync`); got != "off" {
		t.Errorf("fsync is %s, want off", got)
	}
	if got := ask(t, s, `SELECT lower('ÉÀ')`); got != "éà" {
		t.Errorf("lower gives %q: the locale does not know letters beyond ASCII", got)
	}
	if got := ask(t, s, `SELECT current_user::text`); got != "meetd" {
		t.Errorf("the user is %s", got)
	}
	if got := ask(t, s, `SHOW listen_addresses`); got != "127.0.0.1" {
		t.Errorf("the server listens on %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestRestartKeepsPortAndData(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	ask(t, s, `CREATE TABLE kept AS SELECT 'here' AS word`)
	for _, stop := range []func() error{s.Kill, func() error { return nil }} {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		began := ""
		if reachable(s) {
			began = ask(t, s, `SELECT pg_postmaster_start_time()::text`)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := ask(t, s, `SELECT word FROM kept`); got != "here" {
			t.Errorf("read %q after a restart", got)
		}
		if ask(t, s, `SELECT pg_postmaster_start_time()::text`) == began {
			t.Error("the server was not restarted")
		}
	}
}

func TestTakenPortIsSaidSo(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = Start(t.Context(), Options{Port: port})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d is not free", port)) {
		t.Errorf("error %v, want one about the port", err)
	}
}

func TestFixedPortIsUsed(t *testing.T) {
	t.Parallel()
	port, err := choosePort(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(start(t, Options{Port: port}).DSN("some db"))
	if err != nil {
		t.Fatal(err)
	}
	if u.Port() != strconv.Itoa(port) || u.Hostname() != "127.0.0.1" || u.User.Username() != "meetd" || u.Path != "/some db" {
		t.Errorf("address %s, want user meetd and database %q on 127.0.0.1:%d", u, "some db", port)
	}
}

// Numbers of processes come round again: the one noted may be anybody's.
func TestNoteOfAnotherProcessDoesNotPreventStart(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	s := start(t, opts)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	sleeper := exec.CommandContext(t.Context(), "sleep", "600")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Credential: runAs()}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	}()
	note := filepath.Join(dataDir(opts.Dir), "postmaster.pid")
	raw, err := os.ReadFile(note)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "\n")
	if err := os.WriteFile(note, fmt.Appendf(nil, "%d\n%s", sleeper.Process.Pid, rest), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(t, start(t, opts), `SELECT 'answers'`)
	if err := sleeper.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process was stopped: %v", err)
	}
}

func TestServerLeftRunningIsStopped(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	s := start(t, opts)
	if err := endLeftover(dataDir(opts.Dir)); err != nil {
		t.Fatal(err)
	}
	if reachable(s) {
		t.Error("the server still answers")
	}
}

func TestServerEndsWithItsParent(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir()}
	parent := exec.CommandContext(t.Context(), os.Args[0]) // this test again, see TestMain
	parent.Env = append(os.Environ(), orphanDir+"="+opts.Dir)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = parent.Process.Kill() }()
	s := &Server{}
	eventually(t, "the parent started no server", func() bool {
		raw, err := os.ReadFile(filepath.Join(opts.Dir, "started"))
		s.addr = string(raw)
		return err == nil && s.addr != ""
	})
	if !reachable(s) {
		t.Fatal("the parent's server does not answer")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	if runtime.GOOS == "linux" {
		eventually(t, "the server outlived its parent", func() bool { return !reachable(s) })
	}
	ask(t, start(t, opts), `SELECT 'answers'`)
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{Dir: t.TempDir()}); err == nil {
		t.Error("a cancelled start succeeded")
	}
}

func TestDataOfAnotherVersionIsSaidSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(dataDir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dataDir(dir), "PG_VERSION"), []byte("8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "was made by PostgreSQL 8") {
		t.Errorf("error %v, want one about the version", err)
	}
}

// programs makes a directory with files that look like PostgreSQL's.
func programs(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInstalledOrder(t *testing.T) {
	root := t.TempDir()
	inPath := programs(t, filepath.Join(root, "path"))
	nine := programs(t, filepath.Join(root, "9", "bin"))
	sixteen := programs(t, filepath.Join(root, "16", "bin"))
	if err := os.MkdirAll(filepath.Join(root, "17", "bin"), 0o750); err != nil { // a client only
		t.Fatal(err)
	}
	glob := filepath.Join(root, "*", "bin")
	t.Setenv("MEETD_PG_BIN", "")
	t.Setenv("PATH", inPath)
	got, err := installed(glob)
	if err != nil || !slices.Equal(got, []string{inPath, sixteen, nine}) {
		t.Errorf("found %v (%v)", got, err)
	}
	t.Setenv("MEETD_PG_BIN", nine)
	if got, err = installed(glob); err != nil || !slices.Equal(got, []string{nine}) {
		t.Errorf("with MEETD_PG_BIN found %v (%v)", got, err)
	}
	t.Setenv("MEETD_PG_BIN", root)
	if _, err = installed(glob); err == nil || !strings.Contains(err.Error(), "MEETD_PG_BIN") {
		t.Errorf("error %v, want one about MEETD_PG_BIN", err)
	}
}

func TestDownload(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // the library leaves a log there
	archive, err := os.ReadFile("testdata/programs.txz")
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres.txz")
	if err == nil {
		_, err = w.Write(archive)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	asked := 0
	repo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		asked++
		_, _ = w.Write(jar.Bytes())
	}))
	defer repo.Close()
	dir := t.TempDir()
	var progress bytes.Buffer
	for range 2 {
		bin, err := download(t.Context(), repo.URL, dir, &progress)
		if err != nil {
			t.Fatal(err)
		}
		if !complete(bin) || !strings.HasPrefix(bin, dir) {
			t.Errorf("%s does not hold the programs", bin)
		}
	}
	if asked != 1 {
		t.Errorf("downloaded %d times, want once", asked)
	}
	if !strings.Contains(progress.String(), "downloading") {
		t.Errorf("progress says %q", progress.String())
	}

	repo.Close()
	if _, err := download(t.Context(), repo.URL, t.TempDir(), &progress); err == nil || !strings.Contains(err.Error(), repo.URL) {
		t.Errorf("error %v, want one about the repository", err)
	}
}

func TestWayOfTheOtherUser(t *testing.T) {
	t.Parallel()
	as := &syscall.Credential{Uid: 54321, Gid: 54321}
	shut := filepath.Join(t.TempDir(), "shut")
	inner := filepath.Join(shut, "inner")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mayEnter(as, inner); err == nil || !strings.Contains(err.Error(), "may not enter") {
		t.Errorf("error %v, want one about the way", err)
	}
	if err := letEnter(as, inner); err != nil {
		t.Fatalf("below the directory for temporary files: %v", err)
	}
	if info, err := os.Stat(shut); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("mode %v (%v), want only the right to pass added", info.Mode().Perm(), err)
	}
	if err := mayEnter(as, inner); err != nil {
		t.Error(err)
	}
	if err := mayEnter(nil, "/nowhere"); err != nil {
		t.Errorf("without another user: %v", err)
	}
}
