package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var hello = program{
	title: "Hello server", binary: "hello-server", env: "HELLO_SERVER",
	module: "hello", pkg: "meetd/testdata/servers/hello", noCgo: true,
}

// checkout writes a tree like ours with one tiny server in it and returns a
// finder that works in a sub-folder of it. "go" is the given script, or the
// real tool when the script is empty.
func checkout(t *testing.T, goScript string) finder {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("go.mod", "module meetd\n", 0o600)
	write("adapters/some/x.go", "package some\n", 0o600)
	write("testdata/servers/hello/go.mod", "module meetd/testdata/servers/hello\n\ngo 1.26\n", 0o600)
	write("testdata/servers/hello/main.go", "package main\n\nfunc main() { println(\"hello\") }\n", 0o600)
	var tool string
	if goScript != "" {
		tool = write("bin/go", "#!/bin/sh\n"+goScript, 0o700)
	}
	return finder{
		getenv: func(string) string { return "" },
		lookPath: func(name string) (string, error) {
			switch {
			case name != "go":
				return "", exec.ErrNotFound
			case tool != "":
				return tool, nil
			default:
				return exec.LookPath(name)
			}
		},
		dir: filepath.Join(root, "adapters/some"), cache: filepath.Join(root, "cache"), every: time.Minute,
	}
}

// fakeGo "builds" slowly enough for two builders to meet and counts its runs.
// Its arguments are: build -C MODULE -trimpath -ldflags=… -o OUT …
const fakeGo = `echo run >> "$3/runs"; sleep 0.3; echo '#!/bin/sh' > "$7"; chmod 700 "$7"`

func TestGetBuildsARealProgram(t *testing.T) {
	t.Parallel()
	f := checkout(t, "")
	var progress bytes.Buffer
	path, err := f.get(t.Context(), hello, &progress)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), path).CombinedOutput()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("the built program says %q, %v", out, err)
	}
	if !strings.Contains(progress.String(), "building Hello server (first time only") {
		t.Errorf("progress = %q", progress.String())
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 2 { // the program and its lock
		t.Errorf("the cache folder has %v", left)
	}

	progress.Reset()
	again, err := f.get(t.Context(), hello, &progress)
	if err != nil || again != path || progress.Len() > 0 {
		t.Errorf("second time: %q, %v, progress %q", again, err, progress.String())
	}
}

func TestTwoBuildersBuildOnce(t *testing.T) {
	t.Parallel()
	f := checkout(t, fakeGo)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := f.get(t.Context(), hello, io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	runs, err := os.ReadFile(filepath.Join(f.dir, "../../testdata/servers/hello/runs"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(runs), "run"); got != 1 {
		t.Errorf("the program was built %d times", got)
	}
}

func TestGetStopsWaitingWithItsContext(t *testing.T) {
	t.Parallel()
	f := checkout(t, fakeGo)
	path, _, err := f.cached(hello)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(t.Context(), path+".lock", time.Minute, func(time.Duration) {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var progress bytes.Buffer
	_, err = f.get(ctx, hello, &progress)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(progress.String(), "waiting for another process") {
		t.Errorf("err = %v, progress = %q", err, progress.String())
	}
}

func TestChangedPinsAreAnotherProgram(t *testing.T) {
	t.Parallel()
	f := checkout(t, fakeGo)
	before, module, err := f.cached(hello)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(module, "go.sum"), []byte("example.org/x v1.0.0 h1:=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	after, _, err := f.cached(hello)
	if err != nil || after == before {
		t.Errorf("%s, then %s, %v", before, after, err)
	}
}

func TestFindOrder(t *testing.T) {
	t.Parallel()
	f := checkout(t, fakeGo)
	cached, err := f.get(t.Context(), hello, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.find(hello); err != nil || got != cached {
		t.Errorf("cache: %q, %v", got, err)
	}
	tools := f.lookPath
	f.lookPath = func(name string) (string, error) {
		if name == hello.binary {
			return "/on/path", nil
		}
		return tools(name)
	}
	if got, err := f.find(hello); err != nil || got != "/on/path" {
		t.Errorf("PATH before cache: %q, %v", got, err)
	}
	f.getenv = func(name string) string { return map[string]string{hello.env: cached}[name] }
	if got, err := f.find(hello); err != nil || got != cached {
		t.Errorf("environment before PATH: %q, %v", got, err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(*testing.T, *finder)
		want  []string
	}{
		{"override names no program", func(_ *testing.T, f *finder) {
			f.getenv = func(string) string { return "/does/not/exist" }
		}, []string{"HELLO_SERVER", "/does/not/exist", "not an executable"}},
		{"no Go", func(_ *testing.T, f *finder) {
			f.lookPath = func(string) (string, error) { return "", exec.ErrNotFound }
		}, []string{"install Go", "HELLO_SERVER"}},
		{"outside a checkout", func(t *testing.T, f *finder) {
			f.dir = t.TempDir()
		}, []string{"HELLO_SERVER", "not inside a checkout of meetd"}},
		{"build fails", func(*testing.T, *finder) {}, []string{"build Hello server", "line 7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := checkout(t, `for i in 1 2 3 4 5 6 7; do echo "line $i"; done; exit 1`)
			tt.spoil(t, &f)
			path, err := f.get(t.Context(), hello, io.Discard)
			if err == nil {
				t.Fatalf("found %q", path)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not contain %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "line 2") {
				t.Errorf("error has more than the last lines: %q", err)
			}
			cached, _, err := f.cached(hello)
			if err == nil && isProgram(cached) {
				t.Error("a failed build left a program in the cache")
			}
		})
	}
}

func TestEveryReportsAndStops(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 100)
	stop := every(5*time.Millisecond, func(d time.Duration) { lines <- fmt.Sprint(d) })
	for _, want := range []string{"0s", "5ms", "10ms"} {
		if got := <-lines; got != want {
			t.Errorf("line %q, want %q", got, want)
		}
	}
	stop()
}
