package metrics

import (
	"context"
	"errors"
	"net/http"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"meetd/domain/fault"
)

// Jobs counts attempts at jobs, as a middleware of the queue.
func (m *Metrics) Jobs() rivertype.Middleware { return &jobs{m: m} }

type jobs struct {
	river.MiddlewareDefaults
	m *Metrics
}

var _ rivertype.WorkerMiddleware = (*jobs)(nil)

// Work counts one attempt: done, snoozed, failed when it is tried again, given_up
// when it is not, panicked.
func (j *jobs) Work(ctx context.Context, job *rivertype.JobRow, doInner func(context.Context) error) (err error) {
	start, result := j.m.config.Now(), "panicked"
	defer func() {
		j.m.jobs.WithLabelValues(job.Kind, result).Observe(j.m.config.Now().Sub(start).Seconds())
	}()
	err = doInner(ctx)
	var (
		cancel *river.JobCancelError
		snooze *river.JobSnoozeError
	)
	switch {
	case err == nil:
		result = "done"
	case errors.As(err, &snooze):
		result = "snoozed"
	case errors.As(err, &cancel), job.Attempt >= job.MaxAttempts:
		result = "given_up"
	default:
		result = "failed"
	}
	return err
}

// The results of calls.
const (
	answered = "ok"
	refused  = "refused" // it is our fault, or will not work later
	failed   = "failed"
)

// Transport counts the calls of a client to a service.
func (m *Metrics) Transport(to string, base http.RoundTripper) http.RoundTripper {
	return transport{m, to, base}
}

type transport struct {
	m    *Metrics
	to   string
	base http.RoundTripper
}

// RoundTrip counts one call.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	start := t.m.config.Now()
	resp, err := t.base.RoundTrip(r)
	result := answered
	switch {
	case err != nil && errors.Is(r.Context().Err(), context.Canceled):
		return resp, err // whoever asked went away: that says nothing of the service
	case err != nil || resp.StatusCode >= http.StatusInternalServerError:
		result = failed
	case resp.StatusCode >= http.StatusBadRequest:
		result = refused
	}
	t.m.calls.WithLabelValues(t.to, result).Observe(t.m.config.Now().Sub(start).Seconds())
	return resp, err
}

// Call counts a call that is not by HTTP, by its error.
func (m *Metrics) Call(to string, do func() error) error {
	start := m.config.Now()
	err := do()
	result := answered
	switch {
	case errors.Is(err, fault.Invalid):
		result = refused
	case err != nil:
		result = failed
	}
	m.calls.WithLabelValues(to, result).Observe(m.config.Now().Sub(start).Seconds())
	return err
}
