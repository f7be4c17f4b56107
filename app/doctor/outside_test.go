package doctor

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, headers ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(""))}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func TestHTTPS(t *testing.T) {
	t.Parallel()
	secure := func(*http.Request) (*http.Response, error) {
		return answer(http.StatusOK, "Strict-Transport-Security", "max-age=60"), nil
	}
	redirect := func(*http.Request) (*http.Response, error) { return answer(http.StatusMovedPermanently), nil }
	for name, c := range map[string]struct {
		secure, plain transport
		want          string
	}{
		"redirected":   {secure, redirect, "ok    https      TLS, and plain HTTP is redirected"},
		"not served":   {secure, func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") }, "ok    https      TLS, and plain HTTP is not served"},
		"served":       {secure, secure, "FAIL  https      it is also served over plain HTTP; redirect that"},
		"without HSTS": {redirect, redirect, "FAIL  https      browsers are not told to come by HTTPS only"},
		"spoofed": {secure, func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("X-Forwarded-Proto") == "https" {
				return answer(http.StatusOK), nil
			}
			return redirect(r)
		}, "FAIL  https      who says X-Forwarded-Proto: https is served over plain HTTP"},
	} {
		o := Outside{URL: "https://meet.example.org:8443", Client: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			switch r.URL.Scheme + " " + r.URL.Host {
			case "https meet.example.org:8443":
				return c.secure(r)
			case "http meet.example.org":
				return c.plain(r)
			}
			return nil, errors.New("what is " + r.URL.String())
		})}}
		var out bytes.Buffer
		err := Examine(t.Context(), &out, time.Minute, Probe{"https", o.https})
		if !strings.HasPrefix(out.String(), c.want) || (err == nil) != strings.HasPrefix(c.want, "ok") {
			t.Errorf("%s: %s, %v", name, out.String(), err)
		}
	}
}

func TestSameTime(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		theirs, within time.Duration
		ok             bool
	}{
		{0, 0, true},
		{10 * time.Second, 0, true},
		{-10 * time.Second, 0, true},
		{11 * time.Second, 0, false},
		{-11 * time.Second, 0, false},
		{15 * time.Second, 5 * time.Second, true},
		{16 * time.Second, 5 * time.Second, false},
		{-11 * time.Second, 5 * time.Second, false},
	} {
		if err := sameTime(asked.Add(c.theirs), asked, c.within); (err == nil) != c.ok {
			t.Errorf("%s within %s: %v", c.theirs, c.within, err)
		}
	}
}
