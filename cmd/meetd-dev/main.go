package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"meetd/adapters/devstack"
	"meetd/adapters/devstack/programs"
	"meetd/adapters/devstack/store"
	"meetd/app"
)

func main() {
	store.Child()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "meetd-dev: stopped before it was ready")
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "meetd-dev:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("meetd-dev", flag.ContinueOnError)
	set.SetOutput(stderr)
	listen := set.String("listen", "127.0.0.1:8000", "address of the service, as HOST:PORT")
	dir := set.String("data", ".meetd", "folder that keeps all data")
	demo := set.Bool("demo", false, "perform the main job on free ports and a throw-away folder, then exit")
	servers := set.Bool("servers", false, "find LiveKit and MinIO, or build them once, tell where they are, then exit")
	verbose := set.Bool("verbose", false, "show what the servers print")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("there is no argument %q; meetd-dev --help tells the options", set.Arg(0))
	}
	if *servers {
		return findServers(ctx, stdout, stderr)
	}
	w := world{out: stdout, err: stderr, verbose: *verbose}
	if *demo {
		return w.demo(ctx)
	}
	return w.develop(ctx, *listen, *dir)
}

// findServers tells where the programs are that others made, in lines for scripts.
func findServers(ctx context.Context, out, progress io.Writer) error {
	livekit, err := programs.LiveKit(ctx, progress)
	if err != nil {
		return err
	}
	minio, err := programs.MinIO(ctx, progress)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "livekit-server %s\nminio %s\n", livekit, minio)
	return err
}

// world is the service and everything it needs.
type world struct {
	out, err io.Writer
	verbose  bool
	log      io.Writer // of the service; nil: out

	stack *devstack.Stack
	conf  *app.Config
	app   *app.App
}

// start starts everything for a service that will be served on l.
func (w *world) start(ctx context.Context, l net.Listener, o devstack.Options) error {
	o.Service, o.StorageEvents, o.Progress = l.Addr().String(), true, w.out
	if w.verbose {
		o.Log = w.err
	}
	var err error
	if w.stack, err = devstack.Start(ctx, o); err != nil {
		return err
	}
	env := w.stack.Env()
	conf, err := app.Load(func(name string) (string, bool) { v, ok := env[name]; return v, ok }, os.ReadFile)
	if err != nil {
		return err
	}
	if err := app.Migrate(ctx, conf, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	log := w.log
	if log == nil {
		log = w.out
	}
	w.conf = conf
	w.app, err = app.New(ctx, conf, app.NewLogger(log, conf.Log), time.Now)
	return err
}

func (w *world) close() error {
	if w.app != nil {
		w.app.Close()
	}
	if w.stack == nil {
		return nil
	}
	return w.stack.Close()
}

// develop runs until it is interrupted.
func (w *world) develop(ctx context.Context, listen, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the database's user must get through it
		return fmt.Errorf("data folder: %w", err)
	}
	l, err := app.Listen(ctx, listen)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx, l, devstack.Options{Dir: dir, Fixed: true, Durable: true}); err != nil {
		return errors.Join(err, l.Close())
	}
	w.explain("http://"+l.Addr().String(), dir)
	return w.app.Run(ctx, l)
}

func (w *world) explain(service, dir string) {
	full, _ := filepath.Abs(dir)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) }
	say("")
	say("meetd runs at        %s/api/v1.0/", service)
	say("log in at            %s/api/v1.0/authenticate/", service)
	say("OpenID provider      %s", w.stack.OP.Issuer())
	say("LiveKit              %s  (key %s, secret %s)", w.stack.LiveKit.URL, w.stack.LiveKit.APIKey, w.stack.LiveKit.APISecret)
	say("object store         %s  (bucket %s, key %s, secret %s)", w.stack.Store.Endpoint, devstack.Bucket, w.stack.Store.AccessKey, w.stack.Store.SecretKey)
	say("PostgreSQL           %s", w.stack.Postgres.DSN("postgres"))
	say("data                 %s", full)
	for _, u := range devstack.Users() {
		say("account              %s / %s", u.Username, u.Password)
	}
	say("Ctrl-C stops everything.")
	say("")
}
