package sentry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/getsentry/sentry-go"

	"meetd/ports/discreet"
)

// Config says which project is told, and by whom.
type Config struct {
	DSN         string
	Environment string
	Release     string
	Transport   http.RoundTripper // that makes the calls; nil: the usual one
}

// Reporter is a project at Sentry. It never holds anybody up.
type Reporter struct{ hub *sentry.Hub }

// CheckDSN explains what is wrong with the address of a project. The error does
// not hold it.
func CheckDSN(dsn string) error {
	if _, err := sentry.NewDsn(dsn); err != nil {
		return errors.New("it is no address of a Sentry project; write it as https://key@host/number")
	}
	return nil
}

// New makes a reporter. It calls nobody. Close must be called.
func New(c Config) (*Reporter, error) {
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn: c.DSN, Environment: c.Environment, Release: c.Release, HTTPTransport: c.Transport,
		// The library's own integrations look at the machine and at source files.
		Integrations:   func([]sentry.Integration) []sentry.Integration { return nil },
		MaxBreadcrumbs: -1,
	})
	if err != nil {
		return nil, CheckDSN(c.DSN)
	}
	scope := sentry.NewScope()
	scope.SetTag("application", "backend")
	return &Reporter{sentry.NewHub(client, scope)}, nil
}

// Failure is what went wrong.
type Failure struct {
	Where string            // a route or the kind of a job: failures are gathered by it
	Kind  string            // of the error
	Err   error             // what is nobody's business in it is taken out
	Stack string            // where it panicked; empty: it did not
	Tags  map[string]string // to find it by
}

// Failed tells of a failure.
func (r *Reporter) Failed(f Failure) {
	e := sentry.NewEvent()
	e.Level, e.Transaction, e.Tags = sentry.LevelError, f.Where, f.Tags
	e.Fingerprint = []string{"{{ default }}", f.Where}
	e.Exception = []sentry.Exception{{Type: f.Kind, Value: discreet.Text(fmt.Sprint(f.Err))}}
	if f.Stack != "" {
		e.Level = sentry.LevelFatal
		e.Contexts = map[string]sentry.Context{"panic": {"stack": f.Stack}}
	}
	r.hub.CaptureEvent(e)
}

// Throttled tells that somebody asked too often.
func (r *Reporter) Throttled(scope string) {
	e := sentry.NewEvent()
	e.Level, e.Message = sentry.LevelWarning, "Rate limit exceeded for scope "+scope
	r.hub.CaptureEvent(e)
}

// Close sends what waits, until ctx is over; then it is forgotten.
func (r *Reporter) Close(ctx context.Context) error {
	defer r.hub.Client().Close()
	if !r.hub.Client().FlushWithContext(ctx) {
		return errors.New("the last events could not be sent to Sentry in time")
	}
	return nil
}
