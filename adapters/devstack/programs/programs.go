package programs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program describes one third-party server.
type program struct {
	title  string // for people
	binary string // name on PATH and in the cache
	env    string // environment variable that overrides the search
	module string // folder below testdata/servers
	pkg    string // main package to build
	tags   string
	noCgo  bool
}

var (
	liveKit = program{
		title: "LiveKit server", binary: "livekit-server", env: "MEETD_LIVEKIT_SERVER",
		module: "livekit", pkg: "github.com/livekit/livekit-server/cmd/server",
	}
	minIO = program{
		title: "MinIO", binary: "minio", env: "MEETD_MINIO",
		module: "minio", pkg: "github.com/minio/minio", tags: "kqueue", noCgo: true,
	}
)

// LiveKit returns the path of a livekit-server program: the one named by
// MEETD_LIVEKIT_SERVER, else livekit-server on PATH, else the cached one, else
// it builds one, which takes minutes and is reported on progress (may be nil).
func LiveKit(ctx context.Context, progress io.Writer) (string, error) {
	return get(ctx, liveKit, progress)
}

// MinIO returns the path of a minio program in the same way; the variable is
// MEETD_MINIO.
func MinIO(ctx context.Context, progress io.Writer) (string, error) {
	return get(ctx, minIO, progress)
}

// FindMinIO is like MinIO but never builds.
func FindMinIO() (string, bool) {
	f, err := system()
	if err != nil {
		return "", false
	}
	path, err := f.find(minIO)
	return path, err == nil
}

func get(ctx context.Context, p program, progress io.Writer) (string, error) {
	f, err := system()
	if err != nil {
		return "", err
	}
	if progress == nil {
		progress = io.Discard
	}
	return f.get(ctx, p, progress)
}

// errNotBuilt says that everything needed to build the program is there.
var errNotBuilt = errors.New("program is not built yet")

// finder is the part of the operating system that the search looks at.
type finder struct {
	getenv   func(string) string
	lookPath func(string) (string, error)
	dir      string        // where the search for the module root begins
	cache    string        // folder of the built programs
	every    time.Duration // between two progress lines
}

func system() (finder, error) {
	dir, err := os.Getwd()
	if err != nil {
		return finder{}, fmt.Errorf("find the working directory: %w", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return finder{}, fmt.Errorf("find the user's cache folder (set HOME or XDG_CACHE_HOME): %w", err)
	}
	return finder{
		getenv: os.Getenv, lookPath: exec.LookPath, dir: dir,
		cache: filepath.Join(cache, "meetd", "servers"), every: 10 * time.Second,
	}, nil
}

// find looks everywhere but builds nothing; errNotBuilt means that get would.
func (f finder) find(p program) (string, error) {
	if path := f.getenv(p.env); path != "" {
		if !isProgram(path) {
			return "", fmt.Errorf("%s names %s, which is not an executable file", p.env, path)
		}
		return filepath.Abs(path)
	}
	if path, err := f.lookPath(p.binary); err == nil {
		return filepath.Abs(path)
	}
	path, _, err := f.cached(p)
	if err != nil {
		return "", err
	}
	if !isProgram(path) {
		return "", errNotBuilt
	}
	return path, nil
}

func (f finder) get(ctx context.Context, p program, progress io.Writer) (string, error) {
	path, err := f.find(p)
	if !errors.Is(err, errNotBuilt) {
		return path, err
	}
	path, module, err := f.cached(p)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", fmt.Errorf("create the cache folder of %s: %w", p.title, err)
	}
	unlock, err := lock(ctx, path+".lock", f.every, func(waited time.Duration) {
		_, _ = fmt.Fprintf(progress, "waiting for another process that builds %s… %s\n", p.title, waited)
	})
	if err != nil {
		return "", fmt.Errorf("wait for another process that builds %s: %w", p.title, err)
	}
	defer unlock()
	if isProgram(path) { // built while we waited
		return path, nil
	}
	if err := f.build(ctx, p, module, path, progress); err != nil {
		return "", err
	}
	return path, nil
}

// build compiles into a file beside path and renames it, so that path is never
// half a program.
func (f finder) build(ctx context.Context, p program, module, path string, progress io.Writer) error {
	tool, err := f.lookPath("go")
	if err != nil {
		return fmt.Errorf("%s must be built but there is no Go: install Go, or install %s and put it on PATH or in %s",
			p.title, p.binary, p.env)
	}
	unfinished := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer func() { _ = os.Remove(unfinished) }() // gone already after a successful build

	args := []string{"build", "-C", module, "-trimpath", "-ldflags=-s -w", "-o", unfinished}
	if p.tags != "" {
		args = append(args, "-tags", p.tags)
	}
	cmd := exec.CommandContext(ctx, tool, append(args, p.pkg)...) //nolint:gosec // runs the Go tool on our own module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if p.noCgo {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	stop := every(f.every, func(passed time.Duration) {
		_, _ = fmt.Fprintf(progress, "building %s (first time only, a few minutes)… %s\n", p.title, passed)
	})
	err = cmd.Run()
	stop()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("build %s: %w", p.title, ctx.Err())
	case err != nil:
		return fmt.Errorf("build %s in %s: %w: %s", p.title, module, err, lastLines(output.String(), 5))
	}
	if err := os.Rename(unfinished, path); err != nil {
		return fmt.Errorf("put the built %s into the cache: %w", p.title, err)
	}
	return nil
}

// cached returns where p is or would be in the cache, and its nested module.
func (f finder) cached(p program) (path, module string, err error) {
	root, err := moduleRoot(f.dir)
	if err != nil {
		return "", "", fmt.Errorf("find %s: it is neither on PATH nor named by %s, and it cannot be built: %w",
			p.title, p.env, err)
	}
	module = filepath.Join(root, "testdata", "servers", p.module)
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(module, name)) //nolint:gosec // a file of our own module
		if err != nil && (name == "go.mod" || !errors.Is(err, fs.ErrNotExist)) {
			return "", "", fmt.Errorf("read the pinned versions of %s: %w", p.title, err)
		}
		_, _ = fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	folder := p.binary + "-" + hex.EncodeToString(h.Sum(nil))[:12]
	return filepath.Join(f.cache, folder, p.binary), module, nil
}

// ModuleRoot is the folder of the checkout that the program runs in.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("working directory: %w", err)
	}
	return moduleRoot(dir)
}

// moduleRoot walks up from dir to the folder whose go.mod says "module meetd".
func moduleRoot(dir string) (string, error) {
	for d := dir; ; {
		data, err := os.ReadFile(filepath.Join(d, "go.mod")) //nolint:gosec // looks at go.mod files only
		if err == nil {
			for line := range strings.Lines(string(data)) {
				if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "module" && fields[1] == "meetd" {
					return d, nil
				}
			}
		}
		parent := filepath.Dir(d)
		if parent == d {
			return "", fmt.Errorf("%s is not inside a checkout of meetd", dir)
		}
		d = parent
	}
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// every calls fn at once and after each interval with the time that has passed,
// until stop is called.
func every(interval time.Duration, fn func(passed time.Duration)) (stop func()) {
	fn(0)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for n := time.Duration(1); ; n++ {
			select {
			case <-tick.C:
				fn(n * interval)
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}
