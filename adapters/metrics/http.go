package metrics

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Request is one that was answered.
type Request struct {
	Method string
	Route  string // the pattern, as /rooms/:id/; empty: none matched
	Status int
	Media  bool // it asked whether a file may be downloaded, or for the file
	Took   time.Duration
}

// httpCounters finds the counters of a request without a lock and without
// allocating: each is looked up by its labels once.
type httpCounters struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	media     *prometheus.CounterVec

	known atomic.Pointer[map[series]*counters]
	mu    sync.Mutex // of who adds to known, which is replaced then
}

type series struct {
	method, route string
	class         int // the first digit of the status
}

type counters struct {
	requests prometheus.Counter
	duration prometheus.Observer
	media    prometheus.Counter // nil: it is about none
}

func (h *httpCounters) init() {
	h.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "meetd_http_requests_total", Help: "Requests that were answered, by route, method and class of the status.",
	}, []string{"route", "method", "status"})
	h.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "meetd_http_request_duration_seconds", Help: "How long answering requests took.", Buckets: buckets,
	}, []string{"route", "method"})
	h.media = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "meetd_media_checks_total", Help: "Checks whether a recording may be downloaded, by what came of them.",
	}, []string{"result"})
	for _, result := range mediaResults[3:] {
		h.media.WithLabelValues(result)
	}
	h.known.Store(&map[series]*counters{})
}

// mediaResults are what comes of a check, by the class of the status.
var mediaResults = [...]string{1: "allowed", 2: "allowed", 3: "allowed", 4: "refused", 5: "failed"}

// Requested counts a request.
func (m *Metrics) Requested(r Request) {
	s := series{known(r.Method), r.Route, min(max(r.Status/100, 1), 5)}
	c := (*m.http.known.Load())[s]
	if c == nil {
		c = m.http.add(s, r.Media)
	}
	c.requests.Inc()
	c.duration.Observe(r.Took.Seconds())
	if c.media != nil {
		c.media.Inc()
	}
}

// known keeps methods that a client invented out of the labels.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

func (h *httpCounters) add(s series, media bool) *counters {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := *h.known.Load()
	if c := before[s]; c != nil {
		return c
	}
	route := s.route
	if route == "" {
		route = "none"
	}
	c := &counters{
		requests: h.requests.WithLabelValues(route, s.method, strconv.Itoa(s.class)+"xx"),
		duration: h.durations.WithLabelValues(route, s.method),
	}
	if media {
		c.media = h.media.WithLabelValues(mediaResults[s.class])
	}
	after := make(map[series]*counters, len(before)+1)
	for k, v := range before {
		after[k] = v
	}
	after[s] = c
	h.known.Store(&after)
	return c
}
