package http

import (
	"net/http"
	"strings"

	"meetd/app/media"
)

// MediaProxy is the proxy whose questions about downloads are understood.
type MediaProxy string

// The proxies.
const (
	Nginx   MediaProxy = "nginx"
	Traefik MediaProxy = "traefik"
	Caddy   MediaProxy = "caddy"
	Envoy   MediaProxy = "envoy"
)

// A dialect is where a proxy writes what the browser asked it for. Only the
// headers named here are looked at: a proxy overwrites its own, and passes on
// whatever a browser wrote into those of another.
type dialect struct {
	target string // header with the URL; empty: the URL follows the path of the check
	method string // header with the method; empty: it is that of the check
	host   string // header with the host, of a URL that has none; empty: none
	// assumed: without the header the method is that of the check.
	assumed bool
}

var dialects = map[MediaProxy]dialect{
	Nginx:   {target: "X-Original-Url", method: "X-Original-Method", assumed: true},
	Traefik: {target: "X-Forwarded-Uri", method: "X-Forwarded-Method", host: "X-Forwarded-Host"},
	Caddy:   {target: "X-Forwarded-Uri", method: "X-Forwarded-Method", host: "X-Forwarded-Host"},
	Envoy:   {},
}

// read finds in the request of a proxy what the browser asked for. What is
// missing or ambiguous makes it the request for nothing, which is refused.
func (d dialect) read(r *http.Request) media.Request {
	if d.target == "" {
		// As it was sent: what the server or the router made of it is something
		// else than what the proxy goes on to ask the store for.
		target, ok := strings.CutPrefix(r.RequestURI, strings.TrimSuffix(mediaAuthPath, "/"))
		if !ok {
			return media.Request{}
		}
		return media.Request{Method: r.Method, Target: target}
	}
	target, hasTarget := once(r.Header, d.target)
	method, hasMethod := once(r.Header, d.method)
	if d.assumed && len(r.Header[d.method]) == 0 {
		method, hasMethod = r.Method, true
	}
	host := ""
	if d.host != "" && len(r.Header[d.host]) > 0 {
		if host, _ = once(r.Header, d.host); host == "" {
			return media.Request{}
		}
	}
	if !hasTarget || !hasMethod {
		return media.Request{}
	}
	return media.Request{Method: method, Host: host, Target: target}
}

// once is the value of a header that was sent exactly once.
func once(h http.Header, name string) (value string, ok bool) {
	if values := h[name]; len(values) == 1 {
		return values[0], true
	}
	return "", false
}
