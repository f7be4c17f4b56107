package http

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// mask hides a secret behind a mask, letter by letter.
func mask(secret, with string) string {
	masked := []byte(with)
	for i := range with {
		at := strings.IndexByte(csrfLetters, secret[i]) + strings.IndexByte(csrfLetters, with[i])
		masked = append(masked, csrfLetters[at%len(csrfLetters)])
	}
	return string(masked)
}

const (
	csrfSecret = "0123456789abcdefghijABCDEFGHIJKL"
	csrfMask   = "zyxwvutsrqponmlkjihgfedcbaZYXWVU"
)

func TestUnmask(t *testing.T) {
	t.Parallel()
	for token, want := range map[string][2]string{
		csrfSecret:                          {csrfSecret, ""},
		mask(csrfSecret, csrfMask):          {csrfSecret, ""},
		"":                                  {"", "has incorrect length."},
		csrfSecret + "x":                    {"", "has incorrect length."},
		strings.Repeat("-", 64):             {"", "has invalid characters."},
		"0" + strings.Repeat("é", 15) + "1": {"", "has invalid characters."},
	} {
		if secret, why := unmask(token); secret != want[0] || why != want[1] {
			t.Errorf("%q: %q %q, want %q", token, secret, why, want)
		}
	}
}

// Whatever stands in the cookies and the header: a write passes only with the
// secret shown in both, and the session's secret is taken as it was sent.
func FuzzCookies(f *testing.F) {
	for _, seed := range []string{
		csrfSecret, mask(csrfSecret, csrfMask), "", "a=b", `sessionid="quoted"; csrftoken=` + csrfSecret,
		"sessionid=a; sessionid=b", "sessionid=\x00", "csrftoken=" + csrfSecret + "; csrftoken=x", strings.Repeat("x", 5000),
	} {
		f.Add(seed, csrfSecret)
		f.Add("sessionid=s; csrftoken="+seed, seed)
	}
	s := &Server{Config: Config{SessionCookie: "sessionid"}}
	f.Fuzz(func(t *testing.T, cookies, header string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://meet/api/v1.0/rooms/", nil)
		r.Header["Cookie"] = []string{cookies}
		r.Header["X-Csrftoken"] = []string{header}
		c := echo.New().NewContext(r, httptest.NewRecorder())
		if secret := s.secret(c); !strings.Contains(cookies, secret) {
			t.Errorf("%q gave the session %q", cookies, secret)
		}
		err := s.checkCSRF(c)
		shown, why := unmask(header)
		if err != nil {
			return
		}
		cookie, cookieErr := c.Cookie(csrfCookie)
		if cookieErr != nil || why != "" || len(shown) != csrfLength {
			t.Fatalf("%q and %q passed", cookies, header)
		}
		if kept, _ := unmask(cookie.Value); kept != shown {
			t.Errorf("%q passed with %q", cookies, header)
		}
	})
}

// The address to count by: only what trusted proxies say counts.
func FuzzClientAddress(f *testing.F) {
	s := &Server{}
	behind := &Server{Config: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	for _, seed := range []string{"", "1.2.3.4", "1.2.3.4, 5.6.7.8", "::1", "[::1]:80", "x", ",,,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, forwarded string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://meet/", nil)
		r.RemoteAddr = "192.0.2.1:1234"
		r.Header["X-Forwarded-For"] = []string{forwarded}
		if got := s.clientAddress(r); got != "192.0.2.1" {
			t.Errorf("%q made it %q", forwarded, got)
		}
		got := behind.clientAddress(r)
		if _, err := netip.ParseAddr(got); err != nil {
			if network, err := netip.ParsePrefix(got); err != nil || network.Bits() != 64 {
				t.Errorf("behind a proxy %q made it %q", forwarded, got)
			}
		}
	})
}
