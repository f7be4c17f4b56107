package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// State is what the database holds, the same on every node.
type State struct {
	Recordings []Recordings
	Jobs       []Jobs
	Due        time.Duration // how long the job that should have run first waits; zero: none does
}

// Recordings counts those without an end, by their state.
type Recordings struct {
	State string
	Count int
}

// Jobs counts those of a kind that are in a state. It stops counting at some
// number, so that looking never costs much.
type Jobs struct {
	Kind, State string
	Count       int
}

const (
	// stateAge is for how long what was seen is shown again: however many ask, the
	// database is looked at once in that time.
	stateAge = 15 * time.Second
	// statePatience is how long it may take to look.
	statePatience = 3 * time.Second
)

// Watch shows what look sees in the database.
func (m *Metrics) Watch(look func(context.Context) (State, error)) {
	m.registry.MustRegister(&stateCollector{look: look, now: m.config.Now, log: m.config.Log})
}

type stateCollector struct {
	look func(context.Context) (State, error)
	now  func() time.Time
	log  *slog.Logger

	mu   sync.Mutex
	last State
	ok   bool
	seen time.Time
}

var (
	descRecordings = prometheus.NewDesc("meetd_recordings_open", "Recordings that have not ended, in all of the installation.", []string{"state"}, nil)
	descJobs       = prometheus.NewDesc("meetd_jobs", "Background jobs in the queue, in all of the installation; counted up to 10000 of a state.", []string{"kind", "state"}, nil)
	descDue        = prometheus.NewDesc("meetd_jobs_due_seconds", "How long the job that should have run first has been waiting.", nil, nil)
	descUp         = prometheus.NewDesc("meetd_database_up", "1 when the database said how many recordings and jobs there are.", nil, nil)
)

// Describe names what is shown.
func (*stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRecordings, descJobs, descDue, descUp} {
		ch <- d
	}
}

// Collect looks at the database, or shows what it saw a moment ago. What could
// not be seen is not shown.
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); c.seen.IsZero() || now.Sub(c.seen) >= stateAge || now.Before(c.seen) {
		ctx, cancel := context.WithTimeout(context.Background(), statePatience) //nolint:forbidigo // Prometheus hands none over
		s, err := c.look(ctx)
		cancel()
		if err != nil && (c.ok || c.seen.IsZero()) {
			c.log.Warn("the database does not say how many recordings and jobs there are", "error", err)
		}
		c.last, c.ok, c.seen = s, err == nil, now
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if !c.ok {
		gauge(descUp, 0)
		return
	}
	gauge(descUp, 1)
	for _, r := range c.last.Recordings {
		gauge(descRecordings, float64(r.Count), r.State)
	}
	for _, j := range c.last.Jobs {
		gauge(descJobs, float64(j.Count), j.Kind, j.State)
	}
	gauge(descDue, c.last.Due.Seconds())
}

// Pool shows how the connections to the database are used.
func (m *Metrics) Pool(stat func() *pgxpool.Stat) {
	gauge := func(name, help string, value func(*pgxpool.Stat) float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(stat()) }))
	}
	counter := func(name, help string, value func(*pgxpool.Stat) float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return value(stat()) }))
	}
	gauge("meetd_pool_connections_max", "Connections to the database that this node may have.",
		func(s *pgxpool.Stat) float64 { return float64(s.MaxConns()) })
	gauge("meetd_pool_connections", "Connections to the database that this node has.",
		func(s *pgxpool.Stat) float64 { return float64(s.TotalConns()) })
	gauge("meetd_pool_connections_used", "Those of them that are in use.",
		func(s *pgxpool.Stat) float64 { return float64(s.AcquiredConns()) })
	counter("meetd_pool_acquires_total", "How often a connection was taken.",
		func(s *pgxpool.Stat) float64 { return float64(s.AcquireCount()) })
	counter("meetd_pool_waits_total", "How often none was free, so that one had to be waited for.",
		func(s *pgxpool.Stat) float64 { return float64(s.EmptyAcquireCount()) })
	counter("meetd_pool_wait_seconds_total", "For how long that was, together.",
		func(s *pgxpool.Stat) float64 { return s.EmptyAcquireWaitTime().Seconds() })
	counter("meetd_pool_canceled_acquires_total", "How often who waited gave up.",
		func(s *pgxpool.Stat) float64 { return float64(s.CanceledAcquireCount()) })
}
