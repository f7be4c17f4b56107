package telemetry

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Answer is what became of a request.
type Answer struct {
	ID     string
	Route  string // the pattern; empty: none matched
	Status int
	Fault  string // code of what was answered; empty: it went well
}

// Request follows a request, as a part of what the header traceparent names.
func (t *Tracer) Request(r *http.Request) (*http.Request, func(Answer)) {
	ctx := t.carrier.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
	method := r.Method
	return r.WithContext(ctx), func(a Answer) {
		route := a.Route
		if route == "" {
			route = "none"
		}
		span.SetName(method + " " + route)
		span.SetAttributes(
			attribute.String("http.request.method", method), attribute.String("http.route", route),
			attribute.Int("http.response.status_code", a.Status), attribute.String("meetd.request_id", a.ID),
		)
		if a.Fault != "" {
			span.SetAttributes(attribute.String("error.type", a.Fault))
		}
		if a.Status >= http.StatusInternalServerError {
			end(span, a.Fault)
			return
		}
		end(span, "")
	}
}

// Transport follows the calls to a service of ours; share tells it the trace, so
// that it can go on with it.
func (t *Tracer) Transport(to string, share bool, base http.RoundTripper) http.RoundTripper {
	return transport{t, to, share, base}
}

type transport struct {
	t     *Tracer
	to    string
	share bool
	base  http.RoundTripper
}

// RoundTrip follows one call, until its answer begins. Calls are named by their
// service, and those of LiveKit by their method, which stands at the end of the
// path.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	name := t.to + " " + r.Method
	if _, call, ok := strings.Cut(r.URL.Path, "/twirp/livekit."); ok {
		name = t.to + " " + call
	}
	ctx, span := t.t.tracer.Start(r.Context(), name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("server.address", r.URL.Hostname()), attribute.String("peer.service", t.to),
	))
	r = r.Clone(ctx)
	if t.share {
		t.t.carrier.Inject(ctx, propagation.HeaderCarrier(r.Header))
	}
	resp, err := t.base.RoundTrip(r)
	switch {
	case err != nil:
		end(span, "no answer")
	case resp.StatusCode >= http.StatusBadRequest:
		span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
		end(span, resp.Status)
	default:
		span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
		end(span, "")
	}
	return resp, err
}
