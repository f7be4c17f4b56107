package app_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a collector of OpenTelemetry.
type spans struct {
	*httptest.Server
	mu       sync.Mutex
	list     []*trace.Span
	resource string
}

func startCollector(t *testing.T) (*spans, map[string]string) {
	t.Helper()
	c := &spans{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &req) != nil || r.URL.Path != "/otel/v1/traces" || r.Header.Get("X-Key") != "sentinel key" {
			t.Errorf("%s %v: %q %v", r.URL, r.Header, body, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, rs := range req.GetResourceSpans() {
			c.resource = rs.GetResource().String()
			for _, ss := range rs.GetScopeSpans() {
				c.list = append(c.list, ss.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL + "/otel/", "OTEL_EXPORTER_OTLP_HEADERS": "X-Key=sentinel%20key",
		"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=here",
	}
}

// followed is the trace that somebody before us began.
const followed = "0af7651916cd43dd8448eb211c80319c"

// find gives the span with a name in the trace that is followed.
func (c *spans) find(name string) *trace.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.list {
		if s.GetName() == name && hex.EncodeToString(s.GetTraceId()) == followed {
			return s
		}
	}
	return nil
}

func TestTraces(t *testing.T) {
	t.Parallel()
	c, env := startCollector(t)
	live, liveEnv := startLiveKit(t)
	for name, value := range liveEnv {
		env[name] = value
	}
	s := startService(t, env)
	ada := s.login(t, "sentinel-ada")
	room := s.room(t, ada)
	live.open(room.String(), "")

	// Somebody before us follows the request too.
	const parent = "b7ad6b7169203331"
	req := s.asked(t, ada, http.MethodPost, "/api/v1.0/rooms/"+room.String()+"/start-recording/?sentinel=query", `{"mode":"screen_recording"}`)
	req.Header.Set("Traceparent", "00-"+followed+"-"+parent+"-01")
	got := s.send(t, req)
	wantAnswer(t, "start", got, 201, "")

	const top = "POST /api/v1.0/rooms/:id/start-recording/"
	parents := map[string]string{
		"SessionUser": top, "RecordingInsert": top, "livekit Egress/StartRoomCompositeEgress": top,
		"job show_recording": top, "livekit RoomService/UpdateRoomMetadata": "job show_recording",
	}
	eventually(t, "the spans are sent", func() bool {
		for name := range parents {
			if c.find(name) == nil {
				return false
			}
		}
		return c.find(top) != nil
	})
	root := c.find(top)
	if hex.EncodeToString(root.GetParentSpanId()) != parent || root.GetKind() != trace.Span_SPAN_KIND_SERVER {
		t.Errorf("the request: %v", root)
	}
	c.mu.Lock()
	byID := map[string]*trace.Span{}
	var all strings.Builder
	for _, s := range c.list {
		byID[string(s.GetSpanId())] = s
		all.WriteString(s.String())
	}
	all.WriteString(c.resource)
	c.mu.Unlock()
	for name, want := range parents {
		s := c.find(name)
		for s != nil && s.GetName() != want {
			s = byID[string(s.GetParentSpanId())]
		}
		if s == nil {
			t.Errorf("%s is not below %s", name, want)
		}
	}
	for _, wanted := range []string{
		"http.route", "/api/v1.0/rooms/:id/start-recording/", got.Header.Get("X-Request-Id"), "meetd.job.kind", "db.operation.name",
		"deployment.environment.name", "service.name", "peer.service",
	} {
		if !strings.Contains(all.String(), wanted) {
			t.Errorf("nothing tells %s", wanted)
		}
	}
	for _, private := range []string{"sentinel", ada.Secret, token, "INSERT INTO", "SELECT"} {
		if strings.Contains(all.String(), private) {
			t.Errorf("the spans tell %s", private)
		}
	}
}
