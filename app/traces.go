package app

import (
	"net/url"
	"strings"
)

// Traces is who follows requests through the service: an OpenTelemetry collector.
type Traces struct {
	URL        string // that traces are sent to; empty: nobody follows
	Headers    map[string]Secret
	Service    string            // our name
	Attributes map[string]string // of this installation
	Ratio      float64           // of the traces that begin here, how many are followed: 0 to 1
}

// loadTraces reads the variables that OpenTelemetry defines. Those that are about
// certificates, time-outs and batches are read by its library.
func loadTraces(r *reader) Traces {
	const (
		endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
		traces   = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
		protocol = "OTEL_EXPORTER_OTLP_PROTOCOL"
		headers  = "OTEL_EXPORTER_OTLP_HEADERS"
		sampler  = "OTEL_TRACES_SAMPLER"
		argument = "OTEL_TRACES_SAMPLER_ARG"
		always   = "parentbased_always_on"
		ratio    = "parentbased_traceidratio"
	)
	base := r.text(endpoint, "")
	t := Traces{URL: r.text(traces, "")}
	spoken := r.text(protocol, "http/protobuf")
	hidden := r.secret(headers, "")
	t.Service = r.text("OTEL_SERVICE_NAME", "meetd")
	about := r.text("OTEL_RESOURCE_ATTRIBUTES", "")
	chosen := r.text(sampler, always)
	t.Ratio = r.float(argument, 1)
	off := r.boolean("OTEL_SDK_DISABLED", false)
	r.absoluteURL(endpoint, base, "https", "http")
	r.absoluteURL(traces, t.URL, "https", "http")
	if t.URL == "" && base != "" {
		t.URL = strings.TrimRight(base, "/") + "/v1/traces"
	}
	if t.URL == "" || off {
		return Traces{}
	}
	r.oneOf(protocol, spoken, "http/protobuf")
	r.oneOf(sampler, chosen, always, ratio)
	if chosen == always {
		t.Ratio = 1
	} else if !(t.Ratio >= 0 && t.Ratio <= 1) { // also refuses what is not a number
		r.faultf("%s: %g is out of range; use 0 to 1", argument, t.Ratio)
	}
	t.Headers = map[string]Secret{}
	for name, value := range pairs(r, headers, hidden.Reveal()) {
		t.Headers[name] = Secret(value)
	}
	t.Attributes = pairs(r, "OTEL_RESOURCE_ATTRIBUTES", about)
	return t
}

// pairs reads name=value,name=value, where values may be escaped as in URLs.
func pairs(r *reader, name, text string) map[string]string {
	out := map[string]string{}
	for _, item := range splitList(text, ",") {
		key, value, ok := strings.Cut(item, "=")
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !ok || key == "" || err != nil {
			r.faultf("%s: it is not a list of pairs; write it as name=value,name=value", name)
			return nil
		}
		out[key] = plain
	}
	return out
}
