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
		fmt.Fprintln(os.Stderr, "meetd-dev: stopped before it was ready") //nolint:errcheck // nobody is left to tell
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "meetd-dev:", err) //nolint:errcheck // nobody is left to tell
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("meetd-dev", flag.ContinueOnError)
	set.SetOutput(stderr)
	listen := set.String("listen", "127.0.0.1:8000", "address of the service, as HOST:PORT")
	dir := set.String("data", ".meetd", "folder that keeps all data")
	demo := set.Bool("demo", false, "perform the main job on free ports and a throw-away folder, then exit")
	verbose := set.Bool("verbose", false, "show what the servers print")
	if err := set.Parse(args); err != nil {
		return err //nolint:wrapcheck // flag has explained it
	}
	if set.NArg() > 0 {
		return fmt.Errorf("there is no argument %q; meetd-dev --help tells the options", set.Arg(0))
	}
	w := world{out: stdout, err: stderr, verbose: *verbose}
	if *demo {
		return w.demo(ctx)
	}
	return w.develop(ctx, *listen, *dir)
}

// world is the service and everything it needs.
type world struct {
	out, err io.Writer
	verbose  bool
	log      io.Writer // of the service; nil: out

	stack *devstack.Stack
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
		return err //nolint:wrapcheck // names the server
	}
	env := w.stack.Env()
	conf, err := app.Load(func(name string) (string, bool) { v, ok := env[name]; return v, ok }, os.ReadFile)
	if err != nil {
		return err //nolint:wrapcheck // names the variables
	}
	if err := app.Migrate(ctx, conf, slog.New(slog.DiscardHandler)); err != nil {
		return err //nolint:wrapcheck // says what to do
	}
	log := w.log
	if log == nil {
		log = w.out
	}
	w.app, err = app.New(ctx, conf, app.NewLogger(log, conf.Log), time.Now)
	return err //nolint:wrapcheck // says what to do
}

func (w *world) close() error {
	if w.app != nil {
		w.app.Close()
	}
	if w.stack == nil {
		return nil
	}
	return w.stack.Close() //nolint:wrapcheck // names the server
}

// develop runs until it is interrupted.
func (w *world) develop(ctx context.Context, listen, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the database's user must get through it
		return fmt.Errorf("data folder: %w", err)
	}
	l, err := app.Listen(ctx, listen)
	if err != nil {
		return err //nolint:wrapcheck // says what to do
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.start(ctx, l, devstack.Options{Dir: dir, Fixed: true, Durable: true}); err != nil {
		return errors.Join(err, l.Close())
	}
	w.explain("http://"+l.Addr().String(), dir)
	return w.app.Run(ctx, l) //nolint:wrapcheck // says what broke
}

func (w *world) explain(service, dir string) {
	full, _ := filepath.Abs(dir)
	print := func(format string, args ...any) { _, _ = fmt.Fprintf(w.out, format+"\n", args...) }
	print("")
	print("meetd runs at        %s/api/v1.0/", service)
	print("log in at            %s/api/v1.0/authenticate/", service)
	print("OpenID provider      %s", w.stack.OP.Issuer())
	print("LiveKit              %s  (key %s, secret %s)", w.stack.LiveKit.URL, w.stack.LiveKit.APIKey, w.stack.LiveKit.APISecret)
	print("object store         %s  (bucket %s, key %s, secret %s)", w.stack.Store.Endpoint, devstack.Bucket, w.stack.Store.AccessKey, w.stack.Store.SecretKey)
	print("PostgreSQL           %s", w.stack.Postgres.DSN("postgres"))
	print("data                 %s", full)
	for _, u := range devstack.Users() {
		print("account              %s / %s", u.Username, u.Password)
	}
	print("Ctrl-C stops everything.")
	print("")
}
