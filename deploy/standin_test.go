//go:build proxies

package deploy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"meetd/adapters/devstack/storetest"
)

// Proxies that cannot be had everywhere are stood in for: what is below asks
// meetd as their documentation says that they do, and does with the answer what
// the delivered configuration says. That they understand the configuration is
// not tested by this.
var standIns = map[string]func(r *http.Request, service string) *http.Request{
	// ForwardAuth: a GET at a fixed address, with headers of its own for the rest.
	"traefik": func(r *http.Request, service string) *http.Request {
		check := newCheck(r, http.MethodGet, service+"/api/v1.0/recordings/media-auth/")
		check.Header.Set("X-Forwarded-Method", r.Method)
		check.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
		check.Header.Set("X-Forwarded-Host", r.Host)
		return check
	},
	// ext_authz over HTTP: the request itself without its body, behind a prefix.
	"envoy": func(r *http.Request, service string) *http.Request {
		check := newCheck(r, r.Method, service)
		check.Host = r.Host
		check.URL.Opaque = "/api/v1.0/recordings/media-auth" + r.RequestURI
		return check
	},
}

func newCheck(r *http.Request, method, address string) *http.Request {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	check := (&http.Request{Method: method, URL: u, Header: http.Header{}}).WithContext(r.Context())
	check.Header["Cookie"] = r.Header["Cookie"]
	return check
}

// standIn runs one before the service and the store of s.
func standIn(t *testing.T, s *setup, ask func(r *http.Request, service string) *http.Request) *httptest.Server {
	t.Helper()
	store, err := url.Parse(s.front.URL)
	if err != nil {
		t.Fatal(err)
	}
	type signed struct{}
	objects := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Path, r.Out.URL.RawPath = "/"+s.Bucket.Bucket+strings.TrimPrefix(r.In.URL.Path, "/media"), ""
			r.SetURL(store)
			maps.DeleteFunc(r.Out.Header, func(name string, _ []string) bool { return isKey(name) || name == "Cookie" })
			for name, v := range r.In.Context().Value(signed{}).(http.Header) {
				if isKey(name) {
					r.Out.Header[name] = v
				}
			}
		},
		ModifyResponse: func(resp *http.Response) error {
			maps.DeleteFunc(resp.Header, func(name string, _ []string) bool { return isKey(name) })
			resp.Header["Content-Disposition"] = resp.Request.Context().Value(signed{}).(http.Header)["Content-Disposition"]
			return nil
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := client.Do(ask(r, "http://"+s.toService.Addr().String()))
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer resp.Body.Close() //nolint:errcheck // read to its end
		if resp.StatusCode == http.StatusOK {
			objects.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), signed{}, resp.Header)))
			return
		}
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(func() {
		srv.Close()
		client.CloseIdleConnections()
	})
	return srv
}

func isKey(name string) bool { return name == "Authorization" || strings.HasPrefix(name, "X-Amz-") }

// The contract of headers between meetd and proxies that are not here.
func TestStandIns(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(standIns)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := storetest.Embedded(t, storetest.Hook{})
			s := &setup{Bucket: bucket, front: newFrontDesk(t, bucket.Endpoint), dir: t.TempDir()}
			s.startService(t, proxy{name: name}, nil)
			srv := standIn(t, s, standIns[name])
			s.URL, s.client = srv.URL, srv.Client()
			ada, eve := s.login(t), s.login(t)
			id := s.recording(t, "saved", "video/mp4", []byte("film of the victim"), roles{ada: "owner", eve: "member"})
			own := s.recording(t, "saved", "video/mp4", []byte("my own"), roles{eve: "owner"})
			for _, c := range []struct {
				name   string
				as     account
				method string
				target string
				header http.Header
				status int
				body   string
			}{
				{"whole", ada, "GET", path(id), nil, 200, "film of the victim"},
				{"HEAD", ada, "HEAD", path(id), nil, 200, ""},
				{"part", ada, "GET", path(id), http.Header{"Range": {"bytes=0-3"}}, 206, "film"},
				{"letter encoded", ada, "GET", strings.Replace(path(id), "recordings", "%72ecordings", 1), nil, 200, "film of the victim"},
				{"keys of a browser", ada, "GET", path(id), http.Header{
					"Authorization": {"forged"}, "X-Amz-Date": {"forged"}, "X-Amz-Security-Token": {"forged"}, "X-Amz-Content-Sha256": {"forged"},
				}, 200, "film of the victim"},
				{"anonymous", account{}, "GET", path(id), nil, 401, ""},
				{"member", eve, "GET", path(id), nil, 403, ""},
				{"unknown", ada, "GET", path(uuid.New()), nil, 404, ""},
				{"unsupported extension", ada, "GET", strings.TrimSuffix(path(id), "mp4") + "exe", nil, 400, ""},
				{"DELETE", ada, "DELETE", path(id), nil, 403, ""},
				{"OPTIONS", ada, "OPTIONS", path(id), http.Header{"Origin": {"https://evil.example"}, "Access-Control-Request-Method": {"GET"}}, 403, ""},
				{"headers of proxies", eve, "GET", path(id), http.Header{
					"X-Forwarded-Uri": {path(own)}, "X-Forwarded-Method": {"GET"}, "X-Original-Url": {path(own)}, "X-Envoy-Original-Path": {path(own)},
				}, 403, ""},
				{"dot segments", eve, "GET", path(own) + "/../" + id.String() + ".mp4", nil, 403, ""},
				{"dot segments encoded", eve, "GET", path(own) + "/%2e%2e/" + id.String() + ".mp4", nil, 403, ""},
				{"encoded separator", eve, "GET", "/media/recordings%2f" + own.String() + ".mp4", nil, 403, ""},
				{"empty segment", eve, "GET", "/media//recordings/" + own.String() + ".mp4", nil, 403, ""},
				{"query with mine", eve, "GET", path(id) + "?" + path(own), nil, 403, ""},
			} {
				t.Run(c.name, func(t *testing.T) {
					s.front.asked()
					got := s.ask(t, c.as, c.method, c.target, c.header)
					if got.Status != c.status || c.body != "" && string(got.Body) != c.body || c.status >= 400 && bytes.Contains(got.Body, []byte("film")) {
						t.Errorf("%d %s, want %d %s", got.Status, got.Body, c.status, c.body)
					}
					if names := foreign(got.Header); len(names) > 0 {
						t.Errorf("a browser gets %v", names)
					}
					name := got.Header.Values("Content-Disposition")
					asked := s.front.asked()
					if c.status < 400 && (len(name) != 1 || !named.MatchString(name[0])) {
						t.Errorf("Content-Disposition %q", name)
					}
					if c.status >= 400 && len(asked) > 0 {
						t.Errorf("the store was asked %v", asked)
					}
					for _, r := range asked {
						if strings.Contains(fmt.Sprint(r.Header), "forged") {
							t.Errorf("the store was asked with %v", r.Header)
						}
					}
				})
			}
			t.Run("revoked", func(t *testing.T) {
				s.exec(t, `DELETE FROM meet_recording_access WHERE recording_id = $1 AND user_id = $2`, own, eve.ID)
				if got := s.get(t, eve, path(own), nil); got.Status != http.StatusForbidden {
					t.Errorf("status %d", got.Status)
				}
			})
		})
	}
}
