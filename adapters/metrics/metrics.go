package metrics

import (
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// buckets of durations, in seconds: from what the database answers at once to
// what takes as long as a service outside may.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// Config says what is shown beside what is counted here.
type Config struct {
	Version string // of the program
	Now     func() time.Time
	Log     *slog.Logger
}

// Metrics are the counters of one node.
type Metrics struct {
	registry *prometheus.Registry
	config   Config

	http  httpCounters
	jobs  *prometheus.HistogramVec
	calls *prometheus.HistogramVec
	turns *prometheus.CounterVec
}

// New makes counters that are all zero.
func New(c Config) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), config: c,
		jobs: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "meetd_job_duration_seconds", Help: "Attempts at background jobs on this node, by what came of them.", Buckets: buckets,
		}, []string{"kind", "result"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "meetd_call_duration_seconds", Help: "Calls of this node to other services, by what came of them.", Buckets: buckets,
		}, []string{"to", "result"}),
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "meetd_recordings_total", Help: "Recordings that this node put into a state.",
		}, []string{"state"}),
	}
	m.http.init()
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "meetd_build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"version", "goversion"})
	build.WithLabelValues(c.Version, runtime.Version()).Set(1)
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build, m.jobs, m.calls, m.turns, m.http.requests, m.http.durations, m.http.media,
	)
	return m
}

// Handler answers Prometheus.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.config.Log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	}))
	return mux
}

// RecordingBecame counts that a recording got into a state.
func (m *Metrics) RecordingBecame(state string) { m.turns.WithLabelValues(state).Inc() }
