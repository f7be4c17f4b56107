package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// Outside is the installation as strangers reach it.
type Outside struct {
	URL    string // such as https://meet.example.org; empty: not told
	Folder string // of the recordings
	Client *http.Client
}

// Ask examines the proxy in front: that it leads to us, over TLS, and does not pass
// on what strangers say about themselves.
func (o Outside) Ask() []Probe {
	one := func(name string, run func(context.Context) (string, error)) Probe {
		return Probe{name, func(ctx context.Context) (string, error) {
			if o.URL == "" {
				return "", Skipped("say --url https://… to have it examined from outside")
			}
			return run(ctx)
		}}
	}
	return []Probe{
		one("reachable", o.reachable), one("https", o.https), one("host", o.host),
		one("media", o.media), one("hooks", o.hooks),
	}
}

const api = "/api/v1.0"

// get asks for a path with these headers; Host is one of them.
func (o Outside) get(ctx context.Context, method, address string, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return reply{}, fmt.Errorf("--url: %w", err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	client := *o.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return send(&client, req)
}

func (o Outside) reachable(ctx context.Context) (string, error) {
	got, err := o.get(ctx, http.MethodGet, o.URL+api+"/config/")
	switch {
	case err != nil:
		return "", fmt.Errorf("%w; look at DNS and at the proxy", err)
	case got.status == http.StatusBadRequest:
		return "", errors.New("the service does not know this host; add it to DJANGO_ALLOWED_HOSTS, and have the proxy pass Host on")
	case got.status == http.StatusMovedPermanently:
		return "", errors.New("the service thinks that the request came by plain HTTP; have the proxy set X-Forwarded-Proto to https")
	case got.status != http.StatusOK || !strings.Contains(string(got.body), "silence_livekit_debug_logs"):
		return "", fmt.Errorf("%s/config/ is not answered by us but with %d; have the proxy pass %s on", api, got.status, api)
	}
	return "the API answers at " + o.URL, nil
}

func (o Outside) https(ctx context.Context) (string, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "https" {
		return "", errors.New("it is not served over TLS; get a certificate, and use https:// everywhere")
	}
	got, err := o.get(ctx, http.MethodGet, o.URL+api+"/config/")
	if err != nil {
		return "", err
	}
	if got.header.Get("Strict-Transport-Security") == "" {
		return "", errors.New("browsers are not told to come by HTTPS only; set DJANGO_CONFIGURATION=Production, or have the proxy send Strict-Transport-Security")
	}
	u.Scheme, u.Host = "http", u.Hostname()
	for _, headers := range [][]string{nil, {"X-Forwarded-Proto", "https"}} {
		got, err := o.get(ctx, http.MethodGet, u.String()+api+"/config/", headers...)
		if err != nil {
			return "TLS, and plain HTTP is not served", nil //nolint:nilerr // nothing listens there, which is fine
		}
		if got.status < http.StatusMultipleChoices {
			if headers == nil {
				return "", errors.New("it is also served over plain HTTP; redirect that to https://")
			}
			return "", errors.New("who says X-Forwarded-Proto: https is served over plain HTTP; have the proxy replace that header")
		}
	}
	return "TLS, and plain HTTP is redirected", nil
}

func (o Outside) host(ctx context.Context) (string, error) {
	got, err := o.get(ctx, http.MethodGet, o.URL+api+"/config/", "Host", "doctor.invalid")
	if err != nil {
		return "", err
	}
	if got.status < http.StatusMultipleChoices {
		return "", errors.New("requests for other hosts are served, and the login would send people there; list the names of this server in DJANGO_ALLOWED_HOSTS")
	}
	return "requests for other hosts are refused", nil
}

func (o Outside) media(ctx context.Context) (string, error) {
	target := "/media/" + o.Folder + "/" + uuid.NewString() + ".mp4"
	for _, path := range []string{api + "/recordings/media-auth/", api + "/files/media-auth/"} {
		got, err := o.get(ctx, http.MethodGet, o.URL+path, "X-Original-URL", o.URL+target, "X-Forwarded-Uri", target, "X-Forwarded-Method", "GET")
		if err != nil {
			return "", err
		}
		if got.status != http.StatusNotFound || strings.Contains(string(got.body), "detail") {
			return "", fmt.Errorf("%s can be asked from outside (%d), so whoever may download gets keys to the store; close it, as the examples in deploy/ do", path, got.status)
		}
	}
	got, err := o.get(ctx, http.MethodGet, o.URL+target)
	if err != nil {
		return "", err
	}
	switch got.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the check is closed, and downloads without a login are refused", nil
	case http.StatusNotFound:
		return "", errors.New("/media/ leads nowhere, so nobody can download; have the proxy serve it as in deploy/, or pass it on to us")
	}
	return "", fmt.Errorf("a download without a login is answered with %d; look at how the proxy serves /media/", got.status)
}

func (o Outside) hooks(ctx context.Context) (string, error) {
	for _, path := range []string{api + "/recordings/storage-hook/", api + "/rooms/webhooks-livekit/", api + "/recordings/external-process-hook/"} {
		got, err := o.get(ctx, http.MethodPost, o.URL+path, "Content-Type", "application/json")
		if err != nil {
			return "", err
		}
		if got.status < http.StatusBadRequest || got.status >= http.StatusInternalServerError {
			return "", fmt.Errorf("%s answers a stranger with %d; look at RECORDING_ENABLE_STORAGE_EVENT_AUTH and at the proxy", path, got.status)
		}
	}
	return "hooks refuse strangers", nil
}
