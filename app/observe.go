package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	httpapi "meetd/adapters/http"
	"meetd/adapters/jobs"
	"meetd/adapters/metrics"
	"meetd/adapters/postgres"
	"meetd/adapters/sentry"
	"meetd/adapters/telemetry"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// Observe is who watches the service (docs/observability.md).
type Observe struct {
	Metrics string // address at which Prometheus finds them; empty: there are none
	Sentry  Secret // address of the project that is told of failures; empty: none is
	Traces  Traces
}

func loadObserve(r *reader) Observe {
	const name = "MEETD_METRICS_LISTEN"
	o := Observe{Metrics: r.text(name, ""), Sentry: r.secret("DJANGO_SENTRY_DSN", "")}
	if _, port, err := net.SplitHostPort(o.Metrics); o.Metrics != "" && (err != nil || port == "") {
		r.faultf("%s: %s is not an address; write it as host:port or :port", name, quote(o.Metrics))
	}
	if o.Sentry != "" {
		if err := sentry.CheckDSN(o.Sentry.Reveal()); err != nil {
			r.faultf("DJANGO_SENTRY_DSN: %w", err)
		}
	}
	o.Traces = loadTraces(r)
	return o
}

// observers are those who watch. What nobody watches is left as it is, so that it
// costs nothing.
type observers struct {
	config  Observe
	metrics *metrics.Metrics  // nil: nobody counts
	sentry  *sentry.Reporter  // nil: nobody is told of failures
	tracer  *telemetry.Tracer // nil: nobody follows requests
}

func newObservers(ctx context.Context, c *Config, now func() time.Time, log *slog.Logger) (o *observers, err error) {
	o = &observers{config: c.Observe}
	if c.Observe.Sentry != "" {
		if o.sentry, err = sentry.New(sentry.Config{
			DSN: c.Observe.Sentry.Reveal(), Environment: c.Profile.Environment, Release: release(c.Server.VersionFile, os.ReadFile),
		}); err != nil {
			return nil, err
		}
	}
	if c.Observe.Traces.URL != "" {
		t := c.Observe.Traces
		headers := make(map[string]string, len(t.Headers))
		for name, value := range t.Headers {
			headers[name] = value.Reveal()
		}
		if o.tracer, err = telemetry.New(ctx, telemetry.Config{
			URL: t.URL, Headers: headers, Service: t.Service, Version: release(c.Server.VersionFile, os.ReadFile), Ratio: t.Ratio,
			Attributes: t.Attributes, Log: log,
		}); err != nil {
			return nil, err
		}
	}
	if c.Observe.Metrics != "" {
		o.metrics = metrics.New(metrics.Config{Version: release(c.Server.VersionFile, os.ReadFile), Now: now, Log: log})
	}
	return o, nil
}

// flush has everybody told what they should know, when the service ends.
func (o *observers) flush() (out []func(context.Context) error) {
	if o.sentry != nil {
		out = append(out, o.sentry.Close)
	}
	if o.tracer != nil {
		out = append(out, o.tracer.Close)
	}
	return out
}

// release is the version that the build left in a file; NA without one
// (integrations.md §4).
func release(path string, readFile func(string) ([]byte, error)) string {
	var file struct{ Version string }
	text, err := readFile(path)
	if err != nil || json.Unmarshal(text, &file) != nil || file.Version == "" {
		return "NA"
	}
	return file.Version
}

// wrapper is put around what makes calls; nil: nothing is.
type wrapper func(http.RoundTripper) http.RoundTripper

func (w wrapper) around(base http.RoundTripper) http.RoundTripper {
	if w == nil {
		return base
	}
	return w(base)
}

// wrap watches the calls to a service.
func (o *observers) wrap(to string) wrapper {
	if o.metrics == nil && o.tracer == nil {
		return nil
	}
	return func(base http.RoundTripper) http.RoundTripper {
		if o.tracer != nil {
			base = o.tracer.Transport(to, slices.Contains(partners, to), base)
		}
		if o.metrics != nil {
			base = o.metrics.Transport(to, base)
		}
		return base
	}
}

// partners belong to the installation: they may know which trace a call belongs to.
var partners = []string{"livekit", "summary"}

// transport is wrap for clients that have no transport of their own; nil when
// nobody watches.
func (o *observers) transport(to string) http.RoundTripper {
	if w := o.wrap(to); w != nil {
		return w(http.DefaultTransport)
	}
	return nil
}

// mailer watches the mails that are sent.
func (o *observers) mailer(m ports.Mailer) ports.Mailer {
	if o.metrics == nil {
		return m
	}
	return watchedMailer{m, o.metrics}
}

type watchedMailer struct {
	ports.Mailer
	metrics *metrics.Metrics
}

func (m watchedMailer) Invite(ctx context.Context, i ports.Invitation) error {
	return m.metrics.Call("mail", func() error { return m.Mailer.Invite(ctx, i) })
}

func (m watchedMailer) RecordingReady(ctx context.Context, r ports.RecordingReady) error {
	return m.metrics.Call("mail", func() error { return m.Mailer.RecordingReady(ctx, r) })
}

// database watches the database.
func (o *observers) database(store *postgres.Store, now func() time.Time) {
	if o.metrics == nil {
		return
	}
	o.metrics.Pool(store.Pool.Stat)
	o.metrics.Watch(func(ctx context.Context) (metrics.State, error) {
		s, err := store.State(ctx, now())
		out := metrics.State{Due: s.Due}
		for state, n := range s.Recordings {
			out.Recordings = append(out.Recordings, metrics.Recordings{State: state, Count: n})
		}
		for _, j := range s.Jobs {
			out.Jobs = append(out.Jobs, metrics.Jobs(j))
		}
		return out, err
	})
}

func (o *observers) recordingBecame() func(recording.Status) {
	if o.metrics == nil {
		return nil
	}
	return func(s recording.Status) { o.metrics.RecordingBecame(string(s)) }
}

// answered watches requests.
func (o *observers) answered() func(context.Context, httpapi.Exchange) {
	if o.metrics == nil && o.sentry == nil {
		return nil
	}
	return func(_ context.Context, x httpapi.Exchange) {
		if o.metrics != nil {
			o.metrics.Requested(metrics.Request{Method: x.Method, Route: x.Route, Status: x.Status, Media: x.Media, Took: x.Took})
		}
		if o.sentry != nil && x.Err != nil {
			o.report(x)
		}
	}
}

// report tells Sentry what it should know of a request.
func (o *observers) report(x httpapi.Exchange) {
	var scope fault.Scope
	switch {
	case errors.As(x.Err, &scope):
		o.sentry.Throttled(string(scope))
	case x.Status >= http.StatusInternalServerError || x.Stack != nil:
		o.sentry.Failed(sentry.Failure{
			Where: x.Method + " " + x.Route, Kind: kindOf(x.Err), Err: x.Err, Stack: string(x.Stack),
			Tags: map[string]string{"request_id": x.ID, "route": x.Route, "method": x.Method, "status": strconv.Itoa(x.Status)},
		})
	}
}

// kindOf names an error.
func kindOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Code
	}
	return "error"
}

// failed watches jobs that fail. What is tried again is no news.
func (o *observers) failed() func(context.Context, jobs.Failure) {
	if o.sentry == nil {
		return nil
	}
	return func(_ context.Context, x jobs.Failure) {
		if x.GivenUp || x.Stack != "" {
			o.sentry.Failed(sentry.Failure{
				Where: "job " + x.Kind, Kind: kindOf(x.Err), Err: x.Err, Stack: x.Stack,
				Tags: map[string]string{"job": strconv.FormatInt(x.ID, 10), "kind": x.Kind, "attempt": strconv.Itoa(x.Attempt)},
			})
		}
	}
}

// jobs watches background jobs.
func (o *observers) jobs() (out []rivertype.Middleware) {
	if o.tracer != nil {
		out = append(out, o.tracer.Jobs())
	}
	if o.metrics != nil {
		out = append(out, o.metrics.Jobs())
	}
	return out
}

// sql follows queries.
func (o *observers) sql() pgx.QueryTracer {
	if o.tracer == nil {
		return nil
	}
	return o.tracer.SQL()
}

// trace follows requests.
func (o *observers) trace() func(*http.Request) (*http.Request, func(httpapi.Exchange)) {
	if o.tracer == nil {
		return nil
	}
	return func(r *http.Request) (*http.Request, func(httpapi.Exchange)) {
		r, end := o.tracer.Request(r)
		return r, func(x httpapi.Exchange) {
			a := telemetry.Answer{ID: x.ID, Route: x.Route, Status: x.Status}
			if x.Err != nil {
				a.Fault = kindOf(x.Err)
			}
			end(a)
		}
	}
}

// listen lets Prometheus ask, until stop is called.
func (o *observers) listen(ctx context.Context, log *slog.Logger) (stop func(), err error) {
	if o.metrics == nil {
		return func() {}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.config.Metrics)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with MEETD_METRICS_LISTEN", o.config.Metrics, err)
	}
	server := &http.Server{Handler: o.metrics.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader}
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.ErrorContext(ctx, "metrics are not shown any more", "error", err)
		}
	}()
	log.InfoContext(ctx, "metrics ready", "address", l.Addr().String())
	return func() { _ = server.Close() }, nil
}
