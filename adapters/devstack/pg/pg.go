package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
)

// Options say where a server keeps its data and how.
type Options struct {
	// Dir keeps the data, which a later Start on it finds again. Empty means a
	// throw-away directory that Close removes.
	Dir string
	// Port to listen on; 0 picks a free one.
	Port int
	// Durable makes every commit reach the disk. Tests leave it off.
	Durable bool
	// Image, if set, runs this container image instead of local binaries.
	Image string
	// Progress is told what takes long, in lines for people. It may be nil.
	Progress io.Writer
}

// Server is a running PostgreSQL whose superuser is meetd. It is not for
// concurrent use, apart from DSN.
type Server struct {
	engine engine
	addr   string
	user   *url.Userinfo
}

// engine is what runs the server: a child process or a container.
type engine interface {
	// start runs the server and returns when it answers. The port does not
	// change from one start to the next.
	start(ctx context.Context) error
	// stop ends it, in order or, if crash is set, without warning. A server that
	// does not run is fine.
	stop(crash bool) error
	// remove gives up the server and whatever was throw-away.
	remove() error
}

// Start returns a server that answers. Its data is made on first use.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	if opts.Image != "" {
		return startContainer(ctx, opts)
	}
	bin, err := binaries(ctx, opts)
	if errors.Is(err, errNoBinaries) {
		_, _ = fmt.Fprintln(opts.Progress, "No PostgreSQL binaries to be had, trying a container.")
		opts.Image = defaultImage
		s, cerr := startContainer(ctx, opts)
		if cerr != nil {
			return nil, fmt.Errorf("%w; %w", err, cerr)
		}
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return startCluster(ctx, bin, opts)
}

// DSN is the address of a database on this server. It stays the same over a
// restart.
func (s *Server) DSN(database string) string {
	u := url.URL{Scheme: "postgres", User: s.user, Host: s.addr, Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Close stops the server in order, cutting off its clients.
func (s *Server) Close() error {
	return errors.Join(s.engine.stop(false), s.engine.remove())
}

// Kill ends the server without warning, as a crash would. Restart brings it
// back; Close is still needed.
func (s *Server) Kill() error { return s.engine.stop(true) }

// Restart stops the server if it runs and starts it again on the same port.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.engine.stop(false); err != nil {
		return err
	}
	return s.engine.start(ctx)
}

// workDir makes the directory a server works in.
func workDir(dir string) (path string, temporary bool, err error) {
	if dir == "" {
		path, err = os.MkdirTemp("", "meetd-pg-")
		if err != nil {
			return "", false, fmt.Errorf("make a directory for PostgreSQL: %w", err)
		}
		// Another user may have to enter it: PostgreSQL's, when we are root.
		return path, true, os.Chmod(path, 0o755) //nolint:gosec // the data inside is 0700
	}
	path, err = filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(path, 0o755) //nolint:gosec // as above
	}
	if err != nil {
		return "", false, fmt.Errorf("make a directory for PostgreSQL: %w", err)
	}
	return path, false, nil
}

// choosePort returns a port that is free now: want, or any if that is 0.
func choosePort(ctx context.Context, want int) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(want)))
	if err != nil {
		return 0, fmt.Errorf("port %d is not free for PostgreSQL: stop what listens there or choose another port (%w)", want, err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
