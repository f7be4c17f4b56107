package posthog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"meetd/ports"
)

// Config says which project is told.
type Config struct {
	URL       string            // of the server, without a slash at its end, e.g. https://eu.i.posthog.com
	Key       string            // of the project
	CacheTTL  time.Duration     // how long the features of a person are remembered; zero: not at all
	Timeout   time.Duration     // of one call
	Retry     time.Duration     // between two tries to send events
	Transport http.RoundTripper // that makes the calls; nil: the usual one
	Now       func() time.Time
	NewID     func() uuid.UUID
	Log       *slog.Logger
}

const (
	mostWaiting  = 10_000  // events; more are forgotten
	mostTogether = 100     // events in one call
	tries        = 3       // to send events
	mostPeople   = 10_000  // whose features are remembered
	maxAnswer    = 1 << 20 // bytes that are read of an answer
	sdk          = "meetd" // as PostHog shows where an event is from
)

// Client is a project at PostHog. Events that come while others are sent are
// sent together; while there are none, nothing runs.
type Client struct {
	config Config
	http   *http.Client
	ctx    context.Context //nolint:containedctx // of the calls that nobody waits for
	cancel context.CancelFunc

	mu      sync.Mutex
	waiting []event
	lost    int           // events since the last that was sent
	idle    chan struct{} // closed while nothing is sent
	closing chan struct{} // closed by Close: what fails now is not tried again
	closed  bool

	cacheMu sync.Mutex
	cache   map[uuid.UUID]features
}

type features struct {
	on    map[string]bool
	until time.Time
}

var _ ports.Analytics = (*Client)(nil)

// New makes a client. It calls nobody. Close must be called.
func New(ctx context.Context, c Config) *Client {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	idle := make(chan struct{})
	close(idle)
	return &Client{
		config: c, ctx: ctx, cancel: cancel, idle: idle, closing: make(chan struct{}), cache: map[uuid.UUID]features{},
		http: &http.Client{
			Timeout: c.Timeout, Transport: c.Transport,
			// The events are for nobody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// event is one of the body of /batch/.
type event struct {
	Type       string         `json:"type"`
	Event      string         `json:"event"`
	DistinctID string         `json:"distinct_id"`
	UUID       uuid.UUID      `json:"uuid"`
	Timestamp  time.Time      `json:"timestamp"`
	Properties map[string]any `json:"properties"`
}

// distinctID is how PostHog knows a person. What has no account is called as the
// Django backend called it.
func distinctID(person uuid.UUID) string {
	if person == uuid.Nil {
		return "None"
	}
	return person.String()
}

// Capture has the event sent.
func (c *Client) Capture(e ports.AnalyticsEvent) {
	properties := map[string]any{"$lib": sdk, "$geoip_disable": true}
	for name, value := range e.Properties {
		properties[name] = value
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.waiting) >= mostWaiting {
		c.lost++
		return
	}
	c.waiting = append(c.waiting, event{"capture", e.Name, distinctID(e.Person), c.config.NewID(), c.config.Now().UTC(), properties})
	select {
	case <-c.idle:
		c.idle = make(chan struct{})
		go c.work(c.idle)
	default:
	}
}

// work sends what waits until nothing does.
func (c *Client) work(idle chan struct{}) {
	for {
		c.mu.Lock()
		n := min(len(c.waiting), mostTogether)
		batch := c.waiting[:n:n]
		if c.waiting = c.waiting[n:]; len(c.waiting) == 0 {
			c.waiting = nil // or its array would grow for ever
		}
		lost := c.lost
		c.lost = 0
		if n == 0 {
			close(idle)
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		if lost > 0 {
			c.config.Log.WarnContext(c.ctx, "events for PostHog were forgotten, because too many wait", "events", lost)
		}
		if err := c.send(batch); err != nil {
			c.config.Log.WarnContext(c.ctx, "events could not be sent to PostHog", "events", n, "error", err)
		}
	}
}

// send tries it a few times, unless PostHog will never take these events.
func (c *Client) send(batch []event) error {
	body := map[string]any{"api_key": c.config.Key, "batch": batch}
	for try := 1; ; try++ {
		again, err := c.post(c.ctx, "/batch/", body, nil)
		if err == nil || !again || try == tries {
			return err
		}
		select {
		case <-c.closing:
			return err
		case <-time.After(c.config.Retry):
		}
	}
}

// post makes a call. again is whether the same may work later.
func (c *Client) post(ctx context.Context, path string, body, answer any) (again bool, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return false, fmt.Errorf("write the call of PostHog: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+path, bytes.NewReader(text))
	if err != nil {
		return false, fmt.Errorf("call PostHog: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", sdk)
	resp, err := c.http.Do(req)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err
		}
		return true, fmt.Errorf("call PostHog: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	got, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch status := resp.StatusCode; {
	case status/100 != 2:
		return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout,
			fmt.Errorf("call PostHog: it answers %d", status)
	case answer == nil:
		return false, nil
	case err != nil:
		return true, fmt.Errorf("call PostHog: %w", err)
	}
	if err := json.Unmarshal(got, answer); err != nil {
		return false, fmt.Errorf("call PostHog: its answer cannot be read: %w", err)
	}
	return false, nil
}

// Enabled asks PostHog, or remembers what it said. Only a plain yes counts: a
// variant of a feature is none (integrations.md §3).
func (c *Client) Enabled(ctx context.Context, feature string, person uuid.UUID) bool {
	now := c.config.Now()
	c.cacheMu.Lock()
	known, ok := c.cache[person]
	c.cacheMu.Unlock()
	if ok && now.Before(known.until) {
		return known.on[feature]
	}
	on, err := c.features(ctx, person)
	if err != nil {
		c.config.Log.WarnContext(ctx, "PostHog does not say which features are on, so they are off", "error", err)
		return false
	}
	if c.config.CacheTTL > 0 {
		c.cacheMu.Lock()
		if len(c.cache) >= mostPeople {
			clear(c.cache)
		}
		c.cache[person] = features{on, now.Add(c.config.CacheTTL)}
		c.cacheMu.Unlock()
	}
	return on[feature]
}

// features are those that are on for a person. Servers answer in the newer form
// or in the older one.
func (c *Client) features(ctx context.Context, person uuid.UUID) (map[string]bool, error) {
	id := distinctID(person)
	var said struct {
		Flags map[string]struct {
			Enabled bool    `json:"enabled"`
			Variant *string `json:"variant"`
		} `json:"flags"`
		FeatureFlags map[string]any `json:"featureFlags"`
	}
	_, err := c.post(ctx, "/flags/?v=2", map[string]any{
		"api_key": c.config.Key, "distinct_id": id, "groups": map[string]any{}, "geoip_disable": true,
		"person_properties": map[string]any{"distinct_id": id}, "group_properties": map[string]any{},
	}, &said)
	if err != nil {
		return nil, err
	}
	on := map[string]bool{}
	for name, value := range said.FeatureFlags {
		on[name] = value == true
	}
	for name, flag := range said.Flags {
		on[name] = flag.Enabled && flag.Variant == nil
	}
	return on, nil
}

// Close sends what waits, until ctx is over; then it is forgotten.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.closing)
	}
	idle := c.idle
	c.mu.Unlock()
	defer c.cancel()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return errors.New("the last events could not be sent to PostHog in time")
	}
}
