package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	startLimit = time.Minute
	pollEvery  = 20 * time.Millisecond
)

// cluster is a data directory and the child process that serves it.
type cluster struct {
	bin, base, data string
	temporary       bool
	durable         bool
	progress        io.Writer
	as              *syscall.Credential // whom PostgreSQL runs as; nil is us
	port            int                 // 0 until the first start chose one
	lock            *os.File
	proc            *process
}

func startCluster(ctx context.Context, bin string, opts Options) (_ *Server, err error) {
	base, temporary, err := workDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	c := &cluster{
		bin: bin, base: base, data: dataDir(base), temporary: temporary,
		durable: opts.Durable, progress: opts.Progress, port: opts.Port, as: runAs(),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop(true), c.remove())
		}
	}()
	if err := mayEnter(c.as, bin); err != nil {
		return nil, err
	}
	if err := letEnter(c.as, base); err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		return nil, err
	}
	return &Server{
		engine: c,
		addr:   net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		user:   url.User("meetd"),
	}, nil
}

func dataDir(base string) string { return filepath.Join(base, "data") }

func (c *cluster) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := c.acquire(); err != nil {
		return err
	}
	if err := endLeftover(c.data); err != nil {
		return err
	}
	if _, err := choosePort(ctx, c.port); err != nil { // before anything that takes long
		return err
	}
	if err := c.initialise(ctx); err != nil {
		return err
	}
	for {
		err := c.launch(ctx)
		switch {
		case errors.Is(err, errPortTaken) && c.port == 0: // someone was faster: take another
		case errors.Is(err, errStillInUse): // children of a killed server are ending
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pollEvery):
		}
	}
}

// acquire takes the directory's lock, which ends with our process at the latest.
func (c *cluster) acquire() error {
	if c.lock != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(c.base, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the directory of PostgreSQL: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return fmt.Errorf("%s is used by another process: stop that one or choose another directory (%w)", c.base, err)
	}
	c.lock = f
	return nil
}

// initialise makes the data directory unless there is one. It is made under
// another name first, so that an interrupted attempt is not taken for data.
func (c *cluster) initialise(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(c.data, "PG_VERSION")); err == nil {
		return nil
	}
	_, _ = fmt.Fprintf(c.progress, "Creating a PostgreSQL database in %s.\n", c.base)
	fresh := c.data + ".new"
	var out []byte
	var err error
	// Not every system has C.UTF-8; plain C cannot lower-case beyond ASCII.
	for _, locale := range []string{"C.UTF-8", "en_US.UTF-8", "C"} {
		if err := c.emptyDir(fresh); err != nil {
			return err
		}
		args := []string{"-D", fresh, "-U", "meetd", "-A", "trust", "-E", "UTF8", "--locale=" + locale}
		if !c.durable {
			args = append(args, "--no-sync")
		}
		out, err = c.command(ctx, "initdb", args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "invalid locale") {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("create a PostgreSQL database with %s: %w: %s", filepath.Join(c.bin, "initdb"), err, lastLines(string(out)))
	}
	if err := os.Rename(fresh, c.data); err != nil {
		return fmt.Errorf("create a PostgreSQL database: %w", err)
	}
	return nil
}

// emptyDir makes dir anew, owned by whom PostgreSQL runs as.
func (c *cluster) emptyDir(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err == nil && c.as != nil {
		err = os.Chown(dir, int(c.as.Uid), int(c.as.Gid))
	}
	if err != nil {
		return fmt.Errorf("make the data directory of PostgreSQL: %w", err)
	}
	return nil
}

var (
	errPortTaken  = errors.New("the port of PostgreSQL was taken meanwhile: stop what listens there or choose another port")
	errStillInUse = errors.New("the data directory of PostgreSQL is still in use by a server that is ending")
)

// launch runs the server once and waits until it answers or ends.
func (c *cluster) launch(ctx context.Context) error {
	port, err := choosePort(ctx, c.port)
	if err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(c.base, "postgres.log"))
	if err != nil {
		return fmt.Errorf("open the log of PostgreSQL: %w", err)
	}
	defer func() { _ = logFile.Close() }()
	args := []string{
		"-D", c.data, "-h", "127.0.0.1", "-p", strconv.Itoa(port),
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "shared_buffers=64MB",
	}
	if !c.durable {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	// The server outlives the call that starts it.
	cmd := c.command(context.WithoutCancel(ctx), "postgres", args...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	proc, err := spawn(cmd)
	if err != nil {
		return fmt.Errorf("run PostgreSQL: %w", err)
	}
	if err := c.answers(ctx, proc, port); err != nil {
		proc.end(syscall.SIGKILL)
		return err
	}
	c.port, c.proc = port, proc
	return nil
}

// answers waits until the server proc accepts connections.
func (c *cluster) answers(ctx context.Context, proc *process, port int) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := c.ping(ctx, port)
		if err == nil {
			return nil
		}
		select {
		case <-proc.done:
			return c.whyEnded()
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer, see %s: %w", filepath.Join(c.base, "postgres.log"), errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

// ping asks the server on port whether it serves our data.
func (c *cluster) ping(ctx context.Context, port int) error {
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://meetd@127.0.0.1:%d/postgres?sslmode=disable&connect_timeout=5", port))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var dir string
	if err := conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		return err
	}
	if dir != c.data {
		return fmt.Errorf("the server on port %d serves %s", port, dir)
	}
	return nil
}

// whyEnded reads the log of a server that ended while it started.
func (c *cluster) whyEnded() error {
	raw, err := os.ReadFile(filepath.Join(c.base, "postgres.log"))
	if err != nil {
		return fmt.Errorf("PostgreSQL ended at once: %w", err)
	}
	text := string(raw)
	switch {
	case strings.Contains(text, "Address already in use"):
		return errPortTaken
	case strings.Contains(text, "still in use"):
		return errStillInUse
	}
	return fmt.Errorf("PostgreSQL ended at once: %s", lastLines(text))
}

func (c *cluster) stop(crash bool) error {
	if c.proc != nil {
		if crash {
			c.proc.end(syscall.SIGKILL)
		} else {
			c.proc.end(syscall.SIGINT)
		}
		c.proc = nil
	}
	if c.lock == nil {
		return nil
	}
	err := c.lock.Close()
	c.lock = nil
	return err
}

func (c *cluster) remove() error {
	if !c.temporary {
		return nil
	}
	// Children of a killed server may write for a moment longer.
	var err error
	for range 50 {
		if err = os.RemoveAll(c.base); err == nil {
			return nil
		}
		time.Sleep(pollEvery)
	}
	return fmt.Errorf("remove the data of PostgreSQL: %w", err)
}

// command prepares one of PostgreSQL's programs.
func (c *cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...) //nolint:gosec // a developer's own binaries
	cmd.Dir = c.base
	cmd.Env = []string{"HOME=" + c.base, "LC_ALL=C"}
	for _, kv := range os.Environ() {
		key, _, _ := strings.Cut(kv, "=")
		if key != "HOME" && key != "LANG" && !strings.HasPrefix(key, "LC_") && !strings.HasPrefix(key, "PG") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as, Setpgid: true}
	return cmd
}

// lastLines shortens the output of a program to what an error can hold.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], " | ")
}
