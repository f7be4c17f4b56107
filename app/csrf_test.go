package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Every row of http-overview.md §3.2, on a write of somebody who is logged in.
func TestCSRF(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{
		"DJANGO_CONFIGURATION": "Production", "DJANGO_SECRET_KEY": "k", "DJANGO_ALLOWED_HOSTS": "meet.example.org",
		"DJANGO_CSRF_TRUSTED_ORIGINS": "https://front.example.org,https://*.trusted.org",
	})
	ada := s.login(t, "ada")
	const (
		other  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
		zero   = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" // a mask that shifts by nothing
		origin = "https://meet.example.org"
		header = "CSRF token from the 'X-Csrftoken' HTTP header "
	)
	for name, c := range map[string]struct {
		cookie, token, origin, referer string
		method                         string // PATCH, unless it says so
		want                           string // what the 403 says; empty: it is done
	}{
		"good":                    {cookie: token, token: token, origin: origin},
		"good by referer":         {cookie: token, token: token, referer: origin + "/x?y"},
		"masked header":           {cookie: token, token: zero + token, origin: origin},
		"masked cookie":           {cookie: zero + token, token: token, origin: origin},
		"other mask":              {cookie: token, token: strings.Repeat("b", 32) + "bcdefghijklmnopqrstuvwxyzABCDEFG", origin: origin},
		"trusted origin":          {cookie: token, token: token, origin: "https://front.example.org"},
		"trusted subdomain":       {cookie: token, token: token, origin: "https://a.b.trusted.org"},
		"trusted referer":         {cookie: token, token: token, referer: "https://front.example.org/"},
		"reading needs nothing":   {method: http.MethodGet, origin: "https://evil.com"},
		"heading needs nothing":   {method: http.MethodHead},
		"asking needs nothing":    {method: http.MethodOptions},
		"no cookie":               {token: token, origin: origin, want: "CSRF cookie not set."},
		"short cookie":            {cookie: "short", token: token, origin: origin, want: "CSRF cookie has incorrect length."},
		"odd cookie":              {cookie: strings.Repeat("!", 32), token: token, origin: origin, want: "CSRF cookie has invalid characters."},
		"no header":               {cookie: token, origin: origin, want: "CSRF token missing."},
		"other token":             {cookie: token, token: other, origin: origin, want: header + "incorrect."},
		"short header":            {cookie: token, token: "abc", origin: origin, want: header + "has incorrect length."},
		"odd header":              {cookie: token, token: strings.Repeat("a", 31) + "-", origin: origin, want: header + "has invalid characters."},
		"odd inside":              {cookie: token, token: "a-" + strings.Repeat("a", 30), origin: origin, want: header + "has invalid characters."},
		"other origin":            {cookie: token, token: token, origin: "https://evil.com", want: "Origin checking failed - https://evil.com does not match any trusted origins."},
		"no origin":               {cookie: token, token: token, origin: "null", want: "Origin checking failed - null does not match any trusted origins."},
		"plain origin":            {cookie: token, token: token, origin: "http://meet.example.org", want: "Origin checking failed - http://meet.example.org does not match any trusted origins."},
		"origin with another end": {cookie: token, token: token, origin: origin + ".evil.com", want: "Origin checking failed - " + origin + ".evil.com does not match any trusted origins."},
		"parent of the trusted":   {cookie: token, token: token, origin: "https://trusted.org", want: "Origin checking failed - https://trusted.org does not match any trusted origins."},
		"good referer, bad origin": {
			cookie: token, token: token, origin: "https://evil.com", referer: origin,
			want: "Origin checking failed - https://evil.com does not match any trusted origins.",
		},
		"nothing":          {cookie: token, token: token, want: "Referer checking failed - no Referer."},
		"other referer":    {cookie: token, token: token, referer: "https://evil.com/", want: "Referer checking failed - https://evil.com/ does not match any trusted origins."},
		"plain referer":    {cookie: token, token: token, referer: "http://meet.example.org/", want: "Referer checking failed - Referer is insecure while host is secure."},
		"nonsense referer": {cookie: token, token: token, referer: "meet.example.org", want: "Referer checking failed - Referer is malformed."},
	} {
		method := c.method
		if method == "" {
			method = http.MethodPatch
		}
		path := "/api/v1.0/users/" + ada.ID.String() + "/"
		if method != http.MethodPatch {
			path = "/api/v1.0/users/me/"
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(`{"language":"fr-fr"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "meet.example.org"
		req.AddCookie(&http.Cookie{Name: s.cookie, Value: ada.Secret})
		for name, value := range map[string]string{
			"X-CSRFToken": c.token, "Origin": c.origin, "Referer": c.referer, "Content-Type": "application/json",
			"X-Forwarded-Proto": "https",
		} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		if c.cookie != "" {
			req.AddCookie(&http.Cookie{Name: "csrftoken", Value: c.cookie})
		}
		before := s.dump(t)
		got := s.send(t, req)
		switch {
		case c.want == "" && got.Status >= 300:
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		case c.want != "" && (got.Status != 403 || string(got.Body) != `{"detail":"CSRF Failed: `+c.want+`"}`):
			t.Errorf("%s: %d %s, want %s", name, got.Status, got.Body, c.want)
		case c.want != "" && s.dump(t) != before:
			t.Errorf("%s: refused, yet something changed", name)
		}
	}
}

// Who is not logged in has nothing to forge, except on pages that browsers post
// forms to.
func TestCSRFOfStrangers(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"LOGOUT_REDIRECT_URL": "/bye"})
	if got := s.request(t, account{}, http.MethodPost, "/api/v1.0/rooms/", "{}", http.Header{"Origin": {"https://evil.com"}}); got.Status != 401 {
		t.Errorf("anonymous write: %d %s", got.Status, got.Body)
	}
	bearer := http.Header{"Authorization": {"Bearer storage-hook-token"}, "Origin": {"https://evil.com"}, "Content-Type": {"application/json"}}
	if got := s.request(t, account{}, http.MethodPost, "/api/v1.0/recordings/storage-hook/", "{}", bearer); got.Status == 403 && strings.Contains(string(got.Body), "CSRF") {
		t.Errorf("bearer: %d %s", got.Status, got.Body)
	}
	ada := s.login(t, "ada")
	post := func(as account, cookie, header, field string) answer {
		h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
		if header != "" {
			h.Set("X-CSRFToken", header)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1.0/logout/", strings.NewReader(url.Values{"csrfmiddlewaretoken": {field}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = h
		if as.Secret != "" {
			req.AddCookie(&http.Cookie{Name: s.cookie, Value: as.Secret})
		}
		if cookie != "" {
			req.AddCookie(&http.Cookie{Name: "csrftoken", Value: cookie})
		}
		return s.send(t, req)
	}
	for name, got := range map[string]answer{
		"anonymous": post(account{}, "", "", ""), "somebody": post(ada, "", "", ""),
		"no token": post(ada, token, "", ""), "wrong field": post(ada, token, "", strings.Repeat("x", 32)),
	} {
		if got.Status != 403 || got.Header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(got.Body), "CSRF verification failed") {
			t.Errorf("logout of %s: %d %s", name, got.Status, got.Body)
		}
	}
	if got := s.request(t, ada, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != 200 {
		t.Errorf("a forged logout worked: %d", got.Status)
	}
	if got := post(account{}, token, token, ""); got.Status != 302 || got.Header.Get("Location") != "/bye" {
		t.Errorf("anonymous with token: %d to %s", got.Status, got.Header.Get("Location"))
	}
	if got := post(ada, token, "", token); got.Status != 302 || got.Header.Get("Location") != "/bye" {
		t.Errorf("with the field of a form: %d to %s", got.Status, got.Header.Get("Location"))
	}
	if got := s.request(t, ada, http.MethodGet, "/api/v1.0/users/me/", "", nil); got.Status != 401 {
		t.Errorf("after the logout: %d", got.Status)
	}
}
