package telemetry

import (
	"context"
	"encoding/json"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Jobs follows background jobs, as a middleware of the queue: what is noted goes on
// with the trace of whoever noted it, on whichever node. The middleware that River
// offers does not carry traces.
func (t *Tracer) Jobs() rivertype.Middleware { return &jobs{t: t} }

type jobs struct {
	river.MiddlewareDefaults
	t *Tracer
}

var (
	_ rivertype.JobInsertMiddleware = (*jobs)(nil)
	_ rivertype.WorkerMiddleware    = (*jobs)(nil)
)

const traceParent = "traceparent"

// InsertMany writes the trace into the metadata of the jobs.
func (j *jobs) InsertMany(ctx context.Context, many []*rivertype.JobInsertParams, doInner func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	carrier := propagation.MapCarrier{}
	j.t.carrier.Inject(ctx, carrier)
	if carrier[traceParent] == "" {
		return doInner(ctx)
	}
	for _, p := range many {
		data := map[string]json.RawMessage{}
		if len(p.Metadata) > 0 && json.Unmarshal(p.Metadata, &data) != nil {
			continue
		}
		text, err := json.Marshal(carrier[traceParent])
		if err != nil {
			continue
		}
		data[traceParent] = text
		if all, err := json.Marshal(data); err == nil {
			p.Metadata = all
		}
	}
	return doInner(ctx)
}

// Work follows one attempt.
func (j *jobs) Work(ctx context.Context, job *rivertype.JobRow, doInner func(context.Context) error) error {
	var data struct {
		TraceParent string `json:"traceparent"`
	}
	if json.Unmarshal(job.Metadata, &data) == nil && data.TraceParent != "" {
		ctx = j.t.carrier.Extract(ctx, propagation.MapCarrier{traceParent: data.TraceParent})
	}
	ctx, span := j.t.tracer.Start(ctx, "job "+job.Kind, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("meetd.job.kind", job.Kind), attribute.Int64("meetd.job.id", job.ID), attribute.Int("meetd.job.attempt", job.Attempt),
	))
	outcome := "panicked"
	defer func() { end(span, outcome) }()
	err := doInner(ctx)
	outcome = ""
	if err != nil {
		outcome = "failed"
	}
	return err
}
