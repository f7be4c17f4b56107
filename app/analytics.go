package app

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/posthog"
)

// Analytics is who is told what people do (integrations.md §3).
type Analytics struct {
	Host     string // URL; empty: nobody is told
	Key      Secret // of the project
	CacheTTL time.Duration
}

// analyticsTimeout is how long PostHog may take to answer.
const analyticsTimeout = 5 * time.Second

// maxCacheTTL is how long features of people are remembered at most.
const maxCacheTTL = 24 * time.Hour

func loadAnalytics(r *reader) Analytics {
	const name, settings, class = "ANALYTICS_BACKEND", "ANALYTICS_BACKEND_SETTINGS", "core.analytics.posthog.PostHogAnalytics"
	backend := r.text(name, "")
	given := read(r, settings, KindDict, Dict{}, parseHiddenDict, showWithoutKeys)
	if backend == "" {
		return Analytics{}
	}
	r.oneOf(name, backend, class)
	a := Analytics{Host: "https://eu.i.posthog.com", CacheTTL: time.Minute}
	for _, item := range given {
		ok := true
		switch item.Key {
		case "api_key":
			var key string
			key, ok = item.Value.(string)
			a.Key = Secret(key)
		case "host":
			a.Host, ok = item.Value.(string)
			a.Host = strings.TrimRight(a.Host, "/")
		case "feature_flags_cache_ttl":
			var seconds int64
			seconds, ok = item.Value.(int64)
			ok = ok && seconds >= 0
			if most := int64(maxCacheTTL / time.Second); seconds > most {
				r.warnf("%s: %s is more than a day; features are looked up once a day", settings, quote(item.Key))
				seconds = most
			}
			a.CacheTTL = time.Duration(seconds) * time.Second
		case "feature_flags_cache_prefix": // the cache is in memory
		default:
			r.warnf("%s: %s has no effect; leave it out", settings, quote(item.Key))
		}
		if !ok {
			r.faultf("%s: the value of %s cannot be used; texts stand in quotes, times are whole seconds", settings, quote(item.Key))
		}
	}
	if a.Key == "" {
		r.faultf("%s: it has no 'api_key'; write it as {'api_key': 'phc_…'}", settings)
	}
	if a.Host == "" {
		r.faultf("%s: 'host' is empty; set it or leave it out", settings)
	}
	r.absoluteURL(settings, a.Host, "https", "http")
	return a
}

// parseHiddenDict is parseDictValue for a dict that holds a key: what cannot be read
// is not shown.
func parseHiddenDict(text string) (Dict, error) {
	d, err := parseDictValue(text)
	if err != nil {
		return nil, syntaxError{"dict value", "***", "write it like {'api_key': 'phc_…'}"}
	}
	return d, nil
}

// showWithoutKeys shows a dict but for what may be secret in it.
func showWithoutKeys(d Dict) string {
	shown := slices.Clone(d)
	for i, item := range shown {
		if text, ok := item.Value.(string); ok && item.Key != "feature_flags_cache_prefix" {
			if item.Key == "host" {
				shown[i].Value = redactURL(text)
			} else {
				shown[i].Value = mask
			}
		}
	}
	b, err := shown.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// newAnalytics makes the client of PostHog.
func newAnalytics(ctx context.Context, c Analytics, transport http.RoundTripper, now func() time.Time, log *slog.Logger) *posthog.Client {
	return posthog.New(ctx, posthog.Config{
		URL: c.Host, Key: c.Key.Reveal(), CacheTTL: c.CacheTTL, Timeout: analyticsTimeout, Retry: time.Second,
		Transport: transport, Now: now, NewID: uuid.New, Log: log,
	})
}
