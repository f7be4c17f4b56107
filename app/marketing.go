package app

import (
	"log/slog"
	"net/http"

	"meetd/adapters/brevo"
	"meetd/app/marketing"
	"meetd/ports"
)

func newMarketing(c Marketing, store ports.Store, transport http.RoundTripper, log *slog.Logger) *marketing.Service {
	svc := &marketing.Service{Store: store, Log: log}
	if !c.SignUp {
		return svc
	}
	attributes := make(map[string]any, len(c.Attributes))
	for _, item := range c.Attributes {
		attributes[item.Key] = item.Value
	}
	svc.Marketing = brevo.New(brevo.Config{
		URL: c.URL, Key: c.Key.Reveal(), Lists: c.Lists, Attributes: attributes, Timeout: c.Timeout, Transport: transport,
	})
	return svc
}
