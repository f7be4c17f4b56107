package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"meetd/adapters/postgres"
)

const (
	// grace is how long requests and jobs may take to end when the service stops.
	grace = 20 * time.Second
	// flushGrace is how long it may take after that to tell those who watch.
	flushGrace = 5 * time.Second
	// requestPatience is how long a request may take to come, with its body. A
	// client that sends a byte a minute would keep its connection otherwise. What
	// is done with the request after it came has no part in it.
	requestPatience = 30 * time.Second
	// maxHeader bounds the headers of a request, in bytes.
	maxHeader = 64 << 10
)

// Run serves on l and works on jobs until ctx is over; then it lets what is
// under way end. It closes l.
func (a *App) Run(ctx context.Context, l net.Listener) error {
	server := newServer(a.Handler, a.log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	watch, err := a.observers.listen(ctx, a.log)
	if err != nil {
		return errors.Join(err, server.Close())
	}
	defer watch()
	// Requests are answered before the queue is up; jobs can wait.
	if err := a.queue.Start(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(err, server.Close())
	}
	a.log.InfoContext(ctx, "ready", "address", l.Addr().String())
	var serveErr error
	select {
	case <-ctx.Done():
	case serveErr = <-failed:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		serveErr = errors.Join(serveErr, server.Close())
	}
	if errors.Is(serveErr, http.ErrServerClosed) {
		serveErr = nil
	}
	a.settle(context.WithoutCancel(ctx))
	defer a.tell(ctx)
	return errors.Join(serveErr, a.queue.Stop(stop))
}

// newServer is patient with clients, within bounds.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       requestPatience,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// tell has those told who watch, for a short time: what they miss harms nobody.
func (a *App) tell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushGrace)
	defer cancel()
	for _, flush := range a.flush {
		if err := flush(ctx); err != nil {
			a.log.WarnContext(ctx, "not everything was told at the end", "error", err)
		}
	}
}

// Close gives the database connections back.
func (a *App) Close() { a.pool.Close() }

// Listen opens the address; the error is one clear sentence.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with --listen", address, err)
	}
	return l, nil
}

// Migrate brings the configured database to what this version needs.
func Migrate(ctx context.Context, c *Config, log *slog.Logger) error {
	return postgres.Migrate(ctx, c.Database.DSN(), log)
}
