package app

import (
	"net/http"
	"time"

	"meetd/adapters/summary"
	"meetd/ports"
)

// summaryTimeout is how long the summary service may take to answer.
const summaryTimeout = 30 * time.Second

// Summary is the service that writes down what was said.
type Summary struct {
	Version   int    // 1 or 2
	Endpoint  string // URL; empty: there is no service
	Token     Secret // that we show to it
	HookToken Secret // that it shows to us; may be empty: all its calls are refused
	URLExpiry time.Duration
	FormURL   string // of the page that asks how good it was; empty: none
}

func loadSummary(r *reader) Summary {
	s := Summary{
		Version:   r.unsigned("SUMMARY_SERVICE_VERSION", 1),
		Endpoint:  r.text("SUMMARY_SERVICE_ENDPOINT", ""),
		Token:     r.secret("SUMMARY_SERVICE_API_TOKEN", ""),
		HookToken: r.secret("SUMMARY_SERVICE_WEBHOOK_API_TOKEN", ""),
		URLExpiry: r.seconds("SUMMARY_SERVICE_CLOUD_STORAGE_SIGNED_URL_EXPIRY_SECONDS", 24*time.Hour),
		FormURL:   r.text("TRANSCRIPTION_SATISFACTION_FORM_BASE_URL", ""),
	}
	if s.Version != 1 && s.Version != 2 {
		r.faultf("SUMMARY_SERVICE_VERSION: %d is unknown; use 1 or 2", s.Version)
	}
	r.absoluteURL("SUMMARY_SERVICE_ENDPOINT", s.Endpoint, "https", "http")
	if s.Endpoint == "" {
		return s
	}
	if s.Version == 1 {
		r.warnf("SUMMARY_SERVICE_VERSION: version 1 is old; use 2 if the summary service knows it")
	}
	if s.URLExpiry == 0 {
		r.faultf("SUMMARY_SERVICE_CLOUD_STORAGE_SIGNED_URL_EXPIRY_SECONDS: 0 is no time to read a file in; use 1 or more seconds")
	}
	if s.Token == "" {
		r.warnf("SUMMARY_SERVICE_API_TOKEN: it is not set, so no recording is handed to the summary service; set it")
	}
	return s
}

// newSummary makes the client of the summary service; nil when the service is
// not configured.
func newSummary(c *Config, transport http.RoundTripper) ports.Summary {
	if c.Summary.Endpoint == "" || c.Summary.Token == "" {
		return nil
	}
	return summary.New(summary.Config{
		Version: c.Summary.Version, URL: c.Summary.Endpoint, Token: c.Summary.Token.Reveal(),
		Language: c.Users.LanguageCode, FormURL: c.Summary.FormURL, Timeout: summaryTimeout, Transport: transport,
	})
}
