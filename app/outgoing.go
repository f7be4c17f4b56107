package app

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"meetd/adapters/webhook"
)

// webhookTimeout is how long a program that we call may take to answer.
const webhookTimeout = 10 * time.Second

// Outgoing is who is told what becomes of recordings (docs/events.md).
type Outgoing struct {
	URLs   []Secret // that are called, and may hold keys; none: nobody is
	Secret Secret   // that calls are signed with
	Token  Secret   // that who reads the events shows; empty: nobody can read them
}

// Wanted reports whether anybody is to be told anything.
func (o Outgoing) Wanted() bool { return len(o.URLs) > 0 || o.Token != "" }

func loadOutgoing(r *reader) Outgoing {
	const urls, secret = "MEETD_WEBHOOK_URLS", "MEETD_WEBHOOK_SECRET"
	parse := func(s string) (list []Secret, err error) {
		for _, u := range splitList(s, ",") {
			list = append(list, Secret(u))
		}
		return list, nil
	}
	show := func(list []Secret) string {
		shown := make([]string, len(list))
		for i, u := range list {
			shown[i] = withoutKeys(u)
		}
		return showList(shown)
	}
	o := Outgoing{
		URLs:   read(r, urls, KindList, nil, parse, show),
		Secret: r.secret(secret, ""),
		Token:  r.secret("MEETD_EVENTS_TOKEN", ""),
	}
	for i, u := range o.URLs {
		r.absoluteURL(urls, withoutKeys(u), "https", "http")
		if parsed, err := url.Parse(u.Reveal()); err == nil && parsed.User != nil {
			r.faultf("%s: %s has a user in it; leave that out, the signature says who calls", urls, quote(withoutKeys(u)))
		}
		if slices.Contains(o.URLs[:i], u) {
			r.faultf("%s: %s is there twice; name it once", urls, quote(withoutKeys(u)))
		}
	}
	if len(o.URLs) == 0 {
		return o
	}
	if o.Secret == "" {
		r.faultf("%s: it is not set, so nobody could tell our calls from others; make one with openssl rand -base64 32", secret)
	} else if _, err := webhook.ParseSecret(o.Secret.Reveal()); err != nil {
		r.faultf("%s: %w", secret, err)
	}
	return o
}

// withoutKeys shows a URL but for those parts in which keys stand.
func withoutKeys(address Secret) string {
	before, _, found := strings.Cut(address.Reveal(), "?")
	if found {
		before += "?" + mask
	}
	return redactURL(before)
}

// newWebhooks makes the client that calls, and names whom.
func newWebhooks(o Outgoing, transport http.RoundTripper, now func() time.Time) (client *webhook.Client, targets []string, err error) {
	conf := webhook.Config{Timeout: webhookTimeout, Transport: transport, Now: now}
	if len(o.URLs) > 0 {
		if conf.Secret, err = webhook.ParseSecret(o.Secret.Reveal()); err != nil {
			return nil, nil, err
		}
	}
	for _, u := range o.URLs {
		conf.URLs = append(conf.URLs, u.Reveal())
		targets = append(targets, webhook.Target(u.Reveal()))
	}
	return webhook.New(conf), targets, nil
}
