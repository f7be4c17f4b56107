package telemetry

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"meetd/ports/discreet"
)

// Config says who collects the traces.
type Config struct {
	URL        string            // all of it, e.g. http://collector:4318/v1/traces
	Headers    map[string]string // that the collector wants
	Service    string            // our name
	Version    string
	Ratio      float64           // of the traces that begin here, how many are followed
	Attributes map[string]string // of this installation
	Log        *slog.Logger
}

// Tracer follows what happens.
type Tracer struct {
	provider *trace.TracerProvider
	tracer   oteltrace.Tracer
	carrier  propagation.TextMapPropagator
}

// New makes a tracer. Nobody is called before something was followed. Close must
// be called.
func New(ctx context.Context, c Config) (*Tracer, error) {
	exporter, err := otlptrace.New(ctx, otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(c.URL), otlptracehttp.WithHeaders(c.Headers)))
	if err != nil {
		return nil, fmt.Errorf("OpenTelemetry: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		c.Log.Warn("traces could not be sent", "error", discreet.Text(err.Error()))
	}))
	about := []attribute.KeyValue{attribute.String("service.name", c.Service), attribute.String("service.version", c.Version)}
	for name, value := range c.Attributes {
		about = append(about, attribute.String(name, value))
	}
	provider := trace.NewTracerProvider(
		trace.WithBatcher(exporter), trace.WithResource(resource.NewSchemaless(about...)),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(c.Ratio))),
	)
	return &Tracer{provider, provider.Tracer("meetd"), propagation.TraceContext{}}, nil
}

// Close sends what waits, until ctx is over; then it is forgotten.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("the last traces could not be sent: %w", err)
	}
	return nil
}

// end ends a span; reason is empty when nothing failed.
func end(span oteltrace.Span, reason string) {
	if reason != "" {
		span.SetStatus(codes.Error, reason)
	}
	span.End()
}
