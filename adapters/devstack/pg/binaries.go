package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	embedded "github.com/fergusstrange/embedded-postgres"
)

const (
	// repository is where downloads come from.
	repository = "https://repo1.maven.org/maven2"
	// release is what is downloaded: the major version most installations run.
	release = embedded.V16
	// debianGlob is where Debian and its relatives keep the programs, out of PATH.
	debianGlob = "/usr/lib/postgresql/*/bin"
)

var errNoBinaries = errors.New("there is no PostgreSQL: install it (Debian, Ubuntu: apt install postgresql; " +
	"macOS: brew install postgresql@16), set MEETD_PG_BIN to a directory with initdb and postgres, or start Docker")

// binaries finds PostgreSQL's programs, of the version that made opts.Dir if
// there is data already, and downloads them if need be.
func binaries(ctx context.Context, opts Options) (string, error) {
	made, err := madeBy(opts.Dir)
	if err != nil {
		return "", err
	}
	found, err := installed(debianGlob)
	if err != nil {
		return "", err
	}
	var have []string
	for _, bin := range found {
		v, err := major(ctx, bin)
		if err != nil {
			return "", err
		}
		if made == "" || made == v {
			return bin, nil
		}
		have = append(have, v)
	}
	if len(have) > 0 {
		return "", fmt.Errorf("%s was made by PostgreSQL %s, but this machine has %s: install PostgreSQL %s or remove that directory",
			dataDir(opts.Dir), made, strings.Join(have, ", "), made)
	}
	bin, err := download(ctx, repository, cacheDir(), opts.Progress)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", errNoBinaries, err)
	}
	return bin, nil
}

// madeBy is the major version that made the data in dir, empty without data.
func madeBy(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	raw, err := os.ReadFile(filepath.Join(dataDir(dir), "PG_VERSION"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the version of the data of PostgreSQL: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// installed lists the directories with PostgreSQL's programs, best first.
func installed(glob string) ([]string, error) {
	if dir := os.Getenv("MEETD_PG_BIN"); dir != "" {
		if !complete(dir) {
			return nil, fmt.Errorf("MEETD_PG_BIN is %s, which does not hold initdb and postgres: point it at PostgreSQL's bin directory or unset it", dir)
		}
		return []string{dir}, nil
	}
	var dirs []string
	if p, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(p))
	}
	debian, err := filepath.Glob(glob)
	if err != nil {
		return nil, fmt.Errorf("look for PostgreSQL: %w", err)
	}
	number := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	slices.SortFunc(debian, func(a, b string) int { return number(b) - number(a) })
	dirs = append(dirs, debian...)
	return slices.DeleteFunc(dirs, func(dir string) bool { return !complete(dir) }), nil
}

func complete(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() { //nolint:gosec // the developer's own folders
			return false
		}
	}
	return true
}

// major asks the programs for their major version.
func major(ctx context.Context, bin string) (string, error) {
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output() //nolint:gosec // a developer's own binaries
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", filepath.Join(bin, "postgres"), err)
	}
	// postgres (PostgreSQL) 16.4 (Debian 16.4-1)
	fields := strings.Fields(string(out))
	if len(fields) < 3 {
		return "", fmt.Errorf("%s does not tell its version: %s", filepath.Join(bin, "postgres"), out)
	}
	v, _, _ := strings.Cut(fields[2], ".")
	return v, nil
}

// cacheDir keeps downloads. Root's own cache is closed to the user PostgreSQL
// then runs as.
func cacheDir() string {
	if os.Geteuid() == 0 {
		return "/var/cache/meetd/postgres"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "meetd", "postgres")
}

// download fetches and unpacks the programs into dir, unless they are there.
//
// The library does this only as the first part of a start. We want no more of
// it, as it cannot run as root, so it is given a data directory that ends the
// start right after the unpacking.
func download(ctx context.Context, from, dir string, progress io.Writer) (string, error) {
	target := filepath.Join(dir, string(release))
	bin := filepath.Join(target, "bin")
	if complete(bin) {
		return bin, nil
	}
	_, _ = fmt.Fprintf(progress, "No PostgreSQL installed: downloading %s to %s.\n", release, target)
	port, err := choosePort(ctx, 0)
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "meetd-pg-download-")
	if err != nil {
		return "", fmt.Errorf("download PostgreSQL: %w", err)
	}
	data := filepath.Join(work, "data")
	err = os.Mkdir(data, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(release), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("download PostgreSQL: %w", err)
	}
	db := embedded.NewDatabase(embedded.DefaultConfig().
		Version(release).BinaryRepositoryURL(from).Port(uint32(port)). //nolint:gosec // a port number
		CachePath(filepath.Join(dir, "archive")).BinariesPath(target).
		RuntimePath(filepath.Join(work, "run")).DataPath(data).Logger(io.Discard))
	ended := make(chan error, 1)
	go func() {
		err := db.Start()
		_ = os.RemoveAll(work)
		ended <- err
	}()
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("download PostgreSQL: %w", context.Cause(ctx))
	case err = <-ended:
	}
	if !complete(bin) {
		return "", fmt.Errorf("download PostgreSQL: %w", err)
	}
	return bin, nil
}
