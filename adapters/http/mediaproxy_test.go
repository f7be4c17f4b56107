package http

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/app/media"
	"meetd/domain/access"
	"meetd/domain/recording"
	"meetd/ports"
)

const (
	mine    = "/media/recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4"
	another = "/media/recordings/7b4d3c02-9c1f-4c8e-a1de-55d7f8e0a111.mp4"
)

var everyProxy = []MediaProxy{Nginx, Traefik, Caddy, Envoy}

// onlyMine allows one recording, whatever is asked.
type onlyMine struct{}

func (onlyMine) MediaFacts(_ context.Context, _ ports.SessionKey, id uuid.UUID, _ time.Time) (ports.MediaFacts, error) {
	if !strings.Contains(mine, id.String()) {
		return ports.MediaFacts{}, nil
	}
	return ports.MediaFacts{
		Found: true, Status: recording.Saved, Mode: recording.ScreenRecording, Role: access.Owner, Room: "weekly",
		CreatedAt: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC),
	}, nil
}

// echoSigner signs with what it was asked to sign.
type echoSigner struct{}

func (echoSigner) Sign(_ context.Context, method, key string, _ time.Time) (ports.SignedHeaders, error) {
	return ports.SignedHeaders{Authorization: method + " " + key, Date: "d", ContentSHA256: "s", SecurityToken: "t"}, nil
}

func checker(proxy MediaProxy) http.Handler {
	ownHost := func(host string) bool { return host == "meet.example.org" }
	s := &Server{
		Config: Config{AllowedHosts: []string{"*"}, MediaProxy: proxy, CORSAll: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		Media:  &media.Service{Checks: onlyMine{}, Signer: echoSigner{}, Now: time.Now, Config: media.Config{Folder: "recordings"}, OwnHost: ownHost},
		Now:    time.Now, Log: slog.New(slog.DiscardHandler),
	}
	return s.Handler()
}

func check(h http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "10.1.2.3:4"
	for name, v := range header {
		r.Header[name] = v
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// What each proxy sends is understood, and what it would not send is not.
func TestMediaProxies(t *testing.T) {
	t.Parallel()
	type h = http.Header
	forwarded := func(extra h) h {
		base := h{"X-Forwarded-Uri": {mine}, "X-Forwarded-Method": {"GET"}, "X-Forwarded-Host": {"meet.example.org"}}
		for name, v := range extra {
			base[name] = v
		}
		return base
	}
	forward := []MediaProxy{Traefik, Caddy}
	for _, c := range []struct {
		name    string
		proxies []MediaProxy
		method  string
		after   string // of the path of the check
		header  h
		signed  string // method; empty: refused with status
		status  int
	}{
		{"GET", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {mine}}, "GET", 0},
		{"GET, absolute", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {"https://meet.example.org" + mine}}, "GET", 0},
		{"HEAD by header", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {mine}, "X-Original-Method": {"HEAD"}}, "HEAD", 0},
		{"GET asked with HEAD", []MediaProxy{Nginx}, "HEAD", "/", h{"X-Original-Url": {mine}, "X-Original-Method": {"GET"}}, "GET", 0},
		{"HEAD by the request", []MediaProxy{Nginx}, "HEAD", "/", h{"X-Original-Url": {mine}}, "HEAD", 0},
		{"DELETE", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {mine}, "X-Original-Method": {"DELETE"}}, "", 403},
		{"method empty", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {mine}, "X-Original-Method": {""}}, "", 403},
		{"method twice", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {mine}, "X-Original-Method": {"GET", "GET"}}, "", 403},
		{"URL twice", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {mine, mine}}, "", 403},
		{"foreign host", []MediaProxy{Nginx}, "GET", "/", h{"X-Original-Url": {"https://evil.example" + mine}}, "", 403},
		{"without slash", []MediaProxy{Nginx}, "GET", "", h{"X-Original-Url": {mine}}, "GET", 0},

		{"GET", forward, "GET", "/", forwarded(nil), "GET", 0},
		{"HEAD", forward, "GET", "/", forwarded(h{"X-Forwarded-Method": {"HEAD"}}), "HEAD", 0},
		{"GET asked with HEAD", forward, "HEAD", "/", forwarded(nil), "GET", 0},
		{"no host", forward, "GET", "/", h{"X-Forwarded-Uri": {mine}, "X-Forwarded-Method": {"GET"}}, "GET", 0},
		{"no method", forward, "GET", "/", h{"X-Forwarded-Uri": {mine}}, "", 403},
		{"method twice", forward, "GET", "/", forwarded(h{"X-Forwarded-Method": {"GET", "GET"}}), "", 403},
		{"POST", forward, "GET", "/", forwarded(h{"X-Forwarded-Method": {"POST"}}), "", 403},
		{"URI twice", forward, "GET", "/", forwarded(h{"X-Forwarded-Uri": {mine, mine}}), "", 403},
		{"URI list", forward, "GET", "/", forwarded(h{"X-Forwarded-Uri": {mine + ", " + mine}}), "", 403},
		{"foreign host", forward, "GET", "/", forwarded(h{"X-Forwarded-Host": {"evil.example"}}), "", 403},
		{"foreign host in the URI", forward, "GET", "/", forwarded(h{"X-Forwarded-Uri": {"https://evil.example" + mine}}), "", 403},
		{"host twice", forward, "GET", "/", forwarded(h{"X-Forwarded-Host": {"meet.example.org", "meet.example.org"}}), "", 403},
		{"host list", forward, "GET", "/", forwarded(h{"X-Forwarded-Host": {"meet.example.org, meet.example.org"}}), "", 403},
		{"host empty", forward, "GET", "/", forwarded(h{"X-Forwarded-Host": {""}}), "", 403},
		{"what a browser accepts", forward, "GET", "/", forwarded(h{"Accept": {"video/mp4"}}), "GET", 0},
		{"method override", forward, "GET", "/", forwarded(h{"X-Http-Method-Override": {"DELETE"}}), "GET", 0},

		{"GET", []MediaProxy{Envoy}, "GET", mine, nil, "GET", 0},
		{"GET, query", []MediaProxy{Envoy}, "GET", mine + "?versionId=1", nil, "GET", 0},
		{"HEAD", []MediaProxy{Envoy}, "HEAD", mine, nil, "HEAD", 0},
		{"letter encoded", []MediaProxy{Envoy}, "GET", strings.Replace(mine, "recordings", "%72ecordings", 1), nil, "GET", 0},
		{"POST", []MediaProxy{Envoy}, "POST", mine, nil, "", 403},
		{"DELETE", []MediaProxy{Envoy}, "DELETE", mine, nil, "", 403},
		{"OPTIONS", []MediaProxy{Envoy}, "OPTIONS", mine, h{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"GET"}}, "", 403},
		{"method override", []MediaProxy{Envoy}, "GET", mine, h{"X-Http-Method-Override": {"DELETE"}, "X-Envoy-Original-Path": {another}}, "GET", 0},
		{"dot segments", []MediaProxy{Envoy}, "GET", "/media/x/../recordings/" + mine[18:], nil, "", 403},
		{"out of the check", []MediaProxy{Envoy}, "GET", "/../media-auth" + mine, nil, "", 403},
		{"encoded slash", []MediaProxy{Envoy}, "GET", strings.Replace(mine, "/recordings/", "/recordings%2f", 1), nil, "", 403},
		{"encoded dots", []MediaProxy{Envoy}, "GET", "/media/%2e%2e" + mine, nil, "", 403},
		{"empty segment", []MediaProxy{Envoy}, "GET", "/" + mine, nil, "", 403},
		{"trailing slash", []MediaProxy{Envoy}, "GET", mine + "/", nil, "", 403},
		{"without path", []MediaProxy{Envoy}, "GET", "/", nil, "", 403},
		{"without path and slash", []MediaProxy{Envoy}, "GET", "", nil, "", 403},
		{"headers of others", []MediaProxy{Envoy}, "GET", "/", forwarded(h{"X-Original-Url": {mine}}), "", 403},
		{"headers of others beside", []MediaProxy{Envoy}, "GET", mine, h{"X-Original-Url": {another}, "X-Forwarded-Uri": {another}, "X-Original-Method": {"PUT"}}, "GET", 0},

		{"path of Envoy", []MediaProxy{Nginx, Traefik, Caddy}, "GET", mine, nil, "", 404},
		{"nothing", []MediaProxy{Nginx, Traefik, Caddy}, "GET", "/", nil, "", 403},
		{"headers of others", []MediaProxy{Nginx}, "GET", "/", forwarded(nil), "", 403},
		{"headers of others beside", []MediaProxy{Nginx}, "GET", "/", h{
			"X-Original-Url": {mine}, "X-Forwarded-Uri": {another}, "X-Forwarded-Method": {"PUT"}, "X-Forwarded-Host": {"evil.example"},
		}, "GET", 0},
		{"headers of others", forward, "GET", "/", h{"X-Original-Url": {mine}, "X-Original-Method": {"GET"}}, "", 403},
		{"headers of others beside", forward, "GET", "/", forwarded(h{"X-Original-Url": {another}, "X-Original-Method": {"PUT"}}), "GET", 0},
		{"look-alikes", everyProxy, "GET", "/", h{
			"X_original_url": {mine}, "X_forwarded_uri": {mine}, "X_forwarded_method": {"GET"}, "X-Original-Uri": {mine}, "X-Rewrite-Url": {mine},
			"Forwarded": {`host=meet.example.org;proto=https;path="` + mine + `"`}, "X-Forwarded-Path": {mine}, "X-Auth-Request-Redirect": {mine},
			"X-Envoy-Original-Path": {mine}, "X-Forwarded-Prefix": {mine}, "Referer": {mine},
		}, "", 403},
	} {
		for _, proxy := range c.proxies {
			t.Run(string(proxy)+" "+c.name, func(t *testing.T) {
				t.Parallel()
				h := checker(proxy)
				got := check(h, c.method, strings.TrimSuffix(mediaAuthPath, "/")+c.after, c.header)
				if cache := got.Header().Get("Cache-Control"); cache != "no-store" && c.status != http.StatusNotFound {
					t.Errorf("Cache-Control %q", cache)
				}
				if c.signed == "" {
					checkRefusal(t, got, c.status)
					return
				}
				want := c.signed + " recordings/" + mine[18:]
				if got.Code != http.StatusOK || got.Header().Get("Authorization") != want || got.Header().Get("X-Amz-Security-Token") != "t" {
					t.Errorf("%d %s, %v; want %s", got.Code, got.Body, got.Header(), want)
				}
				if name := got.Header()["Content-Disposition"]; len(name) != 1 || name[0] != `attachment; filename="weekly-2026-01-15-12-00.mp4"` {
					t.Errorf("Content-Disposition %q", name)
				}
				if got.Body.Len() > 0 || got.Header().Get("Content-Length") != "0" {
					t.Errorf("a body: %s", got.Body)
				}
			})
		}
	}
}

func checkRefusal(t *testing.T, got *httptest.ResponseRecorder, status int) {
	t.Helper()
	if got.Code != status {
		t.Errorf("status %d %s, want %d", got.Code, got.Body, status)
	}
	for _, name := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Security-Token", "Content-Disposition"} {
		if v := got.Header().Get(name); v != "" {
			t.Errorf("a refusal carries %s %s", name, v)
		}
	}
	if status == http.StatusNotFound {
		return
	}
	if got.Header().Get("X-Content-Type-Options") != "nosniff" || got.Header().Get("Content-Security-Policy") != "default-src 'none'" {
		t.Errorf("a refusal that a browser may see has %v", got.Header())
	}
}

// Whoever is no proxy of ours gets no signature, whatever he says of himself.
func TestMediaOnlyForTrustedProxies(t *testing.T) {
	t.Parallel()
	for _, proxy := range everyProxy {
		target := strings.TrimSuffix(mediaAuthPath, "/")
		if proxy == Envoy {
			target += mine
		}
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.RemoteAddr = "192.0.2.1:4"
		for _, name := range []string{"X-Original-Url", "X-Forwarded-Uri"} {
			r.Header.Set(name, mine)
		}
		r.Header.Set("X-Forwarded-Method", "GET")
		r.Header.Set("X-Forwarded-For", "10.1.2.3")
		r.Header.Set("X-Real-Ip", "10.1.2.3")
		w := httptest.NewRecorder()
		checker(proxy).ServeHTTP(w, r)
		t.Run(string(proxy), func(t *testing.T) { checkRefusal(t, w, http.StatusForbidden) })
	}
}

// The path of the check reaches the parser as it was sent, through a real server.
func TestMediaEnvoyRaw(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(checker(Envoy))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	t.Cleanup(srv.Close)
	prefix := strings.TrimSuffix(mediaAuthPath, "/")
	for name, target := range map[string]string{
		"absolute":                 srv.URL + prefix + mine,
		"dot segments":             prefix + "/media/../" + mine,
		"check encoded":            "/api/v1.0/recordings/%6dedia-auth" + mine,
		"slash of the check":       "/api/v1.0/recordings/media-auth%2f" + mine[1:],
		"empty segments before":    "//api/v1.0/recordings/media-auth" + mine,
		"fragment":                 prefix + another + "#" + mine,
		"query":                    prefix + another + "?" + mine,
		"back slash":               prefix + strings.ReplaceAll(mine, "/", `\`),
		"NUL":                      prefix + mine + "%00",
		"double-encoded separator": prefix + strings.Replace(mine, "/r", "%252fr", 1),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close() //nolint:errcheck // everything was read
			if _, err := io.WriteString(conn, "GET "+target+" HTTP/1.1\r\nHost: meet.example.org\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(answer), "HTTP/1.1 4") || strings.Contains(string(answer), "X-Amz-") {
				t.Errorf("%s", answer)
			}
		})
	}
}

// Whatever the headers are: a request is read from the family of the proxy
// alone, and only when it is complete and unambiguous.
func FuzzMediaProxy(f *testing.F) {
	f.Add(mine, mine, "GET", "HEAD", "meet.example.org", uint8(1), "/api/v1.0/recordings/media-auth"+mine)
	f.Add(another, mine, "", "PUT", "", uint8(2), "/api/v1.0/recordings/media-auth")
	f.Add("", "https://evil.example"+mine, "GET", "GET", "evil.example", uint8(255), "*")
	f.Fuzz(func(t *testing.T, original, forwarded, originalMethod, forwardedMethod, host string, times uint8, requestURI string) {
		h := http.Header{}
		put := func(shift uint8, name, value string) (n int) {
			n = int(times >> shift & 3)
			for range n {
				h[name] = append(h[name], value)
			}
			return n
		}
		urls, uris, hosts := put(0, "X-Original-Url", original), put(2, "X-Forwarded-Uri", forwarded), put(4, "X-Forwarded-Host", host)
		methods := put(6, "X-Original-Method", originalMethod)
		h["X-Forwarded-Method"] = []string{forwardedMethod}
		r := &http.Request{Method: http.MethodGet, Header: h, RequestURI: requestURI}

		want := map[MediaProxy]media.Request{Nginx: {}, Traefik: {}, Caddy: {}, Envoy: {}}
		if urls == 1 && methods < 2 {
			want[Nginx] = media.Request{Method: slices.Concat(h["X-Original-Method"], []string{http.MethodGet})[0], Target: original}
		}
		if uris == 1 && hosts < 2 && (hosts == 0 || host != "") {
			want[Traefik] = media.Request{Method: forwardedMethod, Target: forwarded}
			if hosts == 1 {
				want[Traefik] = media.Request{Method: forwardedMethod, Host: host, Target: forwarded}
			}
		}
		want[Caddy] = want[Traefik]
		if rest, ok := strings.CutPrefix(requestURI, "/api/v1.0/recordings/media-auth"); ok {
			want[Envoy] = media.Request{Method: http.MethodGet, Target: rest}
		}
		for _, proxy := range everyProxy {
			if got := dialects[proxy].read(r); got != want[proxy] {
				t.Errorf("%s: %+v, want %+v", proxy, got, want[proxy])
			}
		}
	})
}
