package http

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
)

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	some := Config{AllowedHosts: []string{"meet.example.org", ".example.com", "10.1.2.3", "[fd00::7]"}}
	all := Config{AllowedHosts: []string{"*"}}
	for host, want := range map[string]struct{ some, all bool }{
		"meet.example.org":      {true, true},
		"MEET.example.org.:443": {true, true},
		"a.example.com:8080":    {true, true},
		"example.com":           {true, true},
		"10.1.2.3:80":           {true, true},
		"[fd00::7]":             {true, true},
		"[FD00::7]:8443":        {true, true},
		"evil.example":          {false, true},
		"badexample.com":        {false, true},
		"back_end:8000":         {false, true},
		"meet.example.org:evil": {},
		"meet.example.org:":     {},
		"meet.example.org:1:2":  {},
		"[meet.example.org]":    {},
		"[10.1.2.3]":            {},
		"[fd00::7":              {},
		"fd00::7":               {},
		"[fd00::7]x":            {},
		"[fd00::7]:":            {},
		"meet.example.org@evil": {},
		"x@meet.example.org":    {},
		"meet.example.org/x":    {},
		"[]":                    {},
		".":                     {},
		"":                      {false, true}, // HTTP/1.0
	} {
		if got := some.isAllowedHost(host); got != want.some {
			t.Errorf("%s: %t", host, got)
		}
		if got := all.isAllowedHost(host); got != want.all {
			t.Errorf("%s, with all allowed: %t", host, got)
		}
	}
}

// Whatever is answered has the headers that browsers need.
func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := &Server{
		Config: Config{AllowedHosts: []string{"meet"}, RedirectToHTTPS: true, TrustProto: true, CORSOrigins: []string{"https://friend"}},
		Now:    time.Now, Log: slog.New(slog.DiscardHandler),
	}
	h := s.Handler()
	for name, c := range map[string]struct {
		method, host, proto, target, origin string
		status                              int
		allow                               string // Access-Control-Allow-Origin
	}{
		"unknown host":            {http.MethodGet, "evil", "https", "/", "", 400, ""},
		"no path":                 {http.MethodGet, "meet", "http", "x:@evil", "", 400, ""},
		"to https":                {http.MethodGet, "meet", "http", "/a?b=c", "", 301, ""},
		"unknown path":            {http.MethodGet, "meet", "https", "/nowhere", "", 404, ""},
		"friend":                  {http.MethodGet, "meet", "https", "/nowhere", "https://friend", 404, "https://friend"},
		"foreigner":               {http.MethodGet, "meet", "https", "/nowhere", "https://evil", 404, ""},
		"preflight of a friend":   {http.MethodOptions, "meet", "https", "/nowhere", "https://friend", 200, "https://friend"},
		"preflight of foreigners": {http.MethodOptions, "meet", "https", "/api/v1.0/rooms/", "https://evil", 200, ""},
		"preflight, no route":     {http.MethodOptions, "meet", "https", "/nowhere", "https://evil", 200, ""},
		"preflight of nobody":     {http.MethodOptions, "meet", "https", "/nowhere", "", 200, ""},
	} {
		r := httptest.NewRequest(c.method, "/", http.NoBody)
		r.Host = c.host
		target, err := r.URL.Parse(c.target)
		if err != nil {
			t.Fatal(err)
		}
		r.URL = target
		r.Header.Set("X-Forwarded-Proto", c.proto)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		got := w.Header()
		if w.Code != c.status || got.Get("Access-Control-Allow-Origin") != c.allow || c.method == http.MethodOptions && w.Body.Len() > 0 {
			t.Errorf("%s: %d %v %s", name, w.Code, got, w.Body)
		}
		if (got.Get("Access-Control-Allow-Methods") != "") != (c.method == http.MethodOptions && c.allow != "") {
			t.Errorf("%s: allowed methods: %s", name, got.Get("Access-Control-Allow-Methods"))
		}
		if got.Get("X-Frame-Options") != "DENY" || got.Get("X-Content-Type-Options") != "nosniff" ||
			got.Get("Referrer-Policy") != "same-origin" || got.Get("Cross-Origin-Opener-Policy") != "same-origin" || got.Values("Vary")[0] != "origin" {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A query is read as Django reads it.
func TestQuery(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                        "",
		"x=1":                     "",
		"username=A;B":            "A;B",
		"username=A;username=B":   "A;username=B",
		"username=100%":           "100%",
		"username=100%&x=1":       "100%",
		"username=%zz%41%4":       "%zzA%4",
		"username=A&username=B":   "B",
		"username=A&username=":    "",
		"username=A+B%2BC%3b%26D": "A B+C;&D",
		"username=%c3%a9%ff":      "é\ufffd",
		"user%6eame=A":            "A",
	} {
		e := echo.New()
		e.Pre(plainQuery)
		got := ""
		e.GET("/", func(c echo.Context) error {
			got = queryParam(c, "username")
			return nil
		})
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.URL.RawQuery = query
		e.ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}
