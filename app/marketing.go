package app

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"meetd/adapters/brevo"
	"meetd/app/marketing"
	"meetd/ports"
)

// marketingClasses is where the Django backend has its marketing services.
const marketingClasses = "core.services.marketing."

// Marketing is where new accounts are signed up.
type Marketing struct {
	SignUp     bool // it is on, and nothing is missing for it
	URL        string
	Key        Secret
	Lists      []int64
	Attributes Dict
	Timeout    time.Duration
}

func loadMarketing(r *reader) Marketing {
	on := r.boolean("SIGNUP_NEW_USER_TO_MARKETING_EMAIL", false)
	class := r.text("MARKETING_SERVICE_CLASS", marketingClasses+"BrevoMarketingService")
	if on && strings.TrimPrefix(class, marketingClasses) != "BrevoMarketingService" {
		r.oneOf("MARKETING_SERVICE_CLASS", class, marketingClasses+"BrevoMarketingService")
	}
	m := Marketing{Key: r.secret("BREVO_API_KEY", "")}
	for _, item := range r.list("BREVO_API_CONTACT_LIST_IDS") {
		id, err := strconv.ParseInt(item, 10, 64)
		if err != nil {
			r.faultf("BREVO_API_CONTACT_LIST_IDS: %s is not the number of a list; write numbers, as 3,12", quote(item))
		}
		m.Lists = append(m.Lists, id)
	}
	m.Attributes = r.dict("DJANGO_BREVO_API_CONTACT_ATTRIBUTES", Dict{{"VISIO_USER", true}})
	m.Timeout = r.seconds("BREVO_API_TIMEOUT", time.Second)
	m.URL = strings.TrimRight(r.text("MEETD_BREVO_URL", "https://api.brevo.com/v3"), "/")
	r.absoluteURL("MEETD_BREVO_URL", m.URL, "https", "http")
	if !on {
		return m
	}
	if m.Timeout == 0 {
		r.faultf("BREVO_API_TIMEOUT: 0 is not a time to wait; use 1 or more seconds")
	}
	if m.URL == "" {
		r.faultf("MEETD_BREVO_URL: it is empty; set it or remove the variable")
	}
	if m.Key == "" {
		r.warnf("BREVO_API_KEY: Brevo API key is required; until it is set, nobody is signed up")
	}
	if len(m.Lists) == 0 {
		r.warnf("BREVO_API_CONTACT_LIST_IDS: Default Brevo List IDs must be configured in settings. Until they are, nobody is signed up")
	}
	m.SignUp = m.Key != "" && len(m.Lists) > 0
	return m
}

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
