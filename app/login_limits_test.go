package app_test

import (
	"net/http"
	"testing"
	"time"
)

// What strangers have stored by beginning a login lives an hour after the last
// time they did, and no login is lost in between.
func TestSessionBeforeLogin(t *testing.T) {
	t.Parallel()
	s := signIn(t, nil)
	lives := func(want time.Duration) {
		t.Helper()
		var left float64
		if err := s.DB.QueryRow(t.Context(), `SELECT extract(epoch FROM expires_at - $1) FROM meetd.session`, s.now()).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if got := time.Duration(left * float64(time.Second)).Round(time.Minute); got != want {
			t.Errorf("the session lives for %v, want %v", got, want)
		}
	}
	v := s.visitor(t)
	secret := func() string {
		t.Helper()
		resp, _ := v.get("/api/v1.0/authenticate/?silent=true&returnTo=/room")
		if resp.StatusCode != http.StatusFound || len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge != 43200 {
			t.Fatalf("start: %d with %v", resp.StatusCode, resp.Cookies())
		}
		return resp.Cookies()[0].Value
	}
	first := secret()
	lives(time.Hour)
	s.shiftClock(50 * time.Minute)
	lives(10 * time.Minute)
	if again := secret(); again != first {
		t.Errorf("the session %s became %s", first, again)
	}
	lives(time.Hour)
	_, address := v.start("?returnTo=/room")
	back := v.atProvider(address, "ada")
	s.shiftClock(59 * time.Minute)
	if resp, body := v.get(back); resp.Header.Get("Location") != "/room" {
		t.Errorf("login: %d to %s: %s", resp.StatusCode, resp.Header.Get("Location"), body)
	}
	lives(12 * time.Hour)
	// Somebody who is logged in gains nothing by another login, unless it ends.
	s.shiftClock(time.Hour)
	if resp, _ := v.get("/api/v1.0/authenticate/"); len(resp.Cookies()) != 0 {
		t.Errorf("cookies for who is logged in: %v", resp.Cookies())
	}
	lives(11 * time.Hour)
}

// Browsers that were not seen before are counted by their address.
func TestLoginStartsAreBounded(t *testing.T) {
	t.Parallel()
	s := signIn(t, map[string]string{"MEETD_LOGIN_START_THROTTLE_RATES": "3/minute"})
	known := s.visitor(t)
	known.start("")
	for range 2 {
		s.visitor(t).start("?silent=true")
	}
	for query, to := range map[string]string{
		"?silent=true&returnTo=/room":                "/room",
		"?silent=true&returnTo=https://evil.example": "/home",
		"?returnTo=/room":                            "",
		"":                                           "",
	} {
		resp, _ := s.visitor(t).get("/api/v1.0/authenticate/" + query)
		want := http.StatusFound
		if to == "" {
			want = http.StatusTooManyRequests
		}
		if resp.StatusCode != want || resp.Header.Get("Location") != to || len(resp.Cookies()) != 0 || (to == "") != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("%s: %d to %q with %v, want %d to %q", query, resp.StatusCode, resp.Header.Get("Location"), resp.Cookies(), want, to)
		}
	}
	known.start("?silent=true")
	var n int
	if err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meetd.session`).Scan(&n); err != nil || n != 3 {
		t.Errorf("%d sessions, %v", n, err)
	}
	s.shiftClock(61 * time.Second)
	s.visitor(t).start("")
}
