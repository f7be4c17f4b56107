package accounts

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	absolute = regexp.MustCompile(`(?i)^https?:/*([^/?#]*)`)
	network  = regexp.MustCompile(`^//+([^/?#]*)`)
	scheme   = regexp.MustCompile(`(?i)^[a-z][a-z0-9+.-]*:`)
)

// leadsTo is the host a browser goes to, reading as generously as browsers do;
// empty for a page of the host it is on, "?" for what is no web page.
func leadsTo(target string) string {
	target = strings.TrimFunc(target, func(r rune) bool { return r <= ' ' })
	target = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(target)
	var authority string
	switch {
	case absolute.MatchString(target):
		authority = absolute.FindStringSubmatch(target)[1]
	case network.MatchString(target):
		authority = network.FindStringSubmatch(target)[1]
	case scheme.MatchString(target):
		return "?"
	default:
		return ""
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:]
	}
	return authority
}

// No target that is let through leads a browser away.
func FuzzSafeTarget(f *testing.F) {
	for _, seed := range []string{
		"/room/abc", "http://localhost:3000/x?y=1", "https://front/q", "//evil.com", `/\evil.com`, "https:evil.com", "https:///evil.com",
		"javascript:alert(1)", "/\t/evil.com", "\x01//evil.com", "https://front@evil.com", `https://front\@evil.com`, "http://front:80/",
		"https://front%40evil.com", "https://[::1]/", "/%2f/evil.com", " https://evil.com", "HTTPS://EVIL.com", "https://evil.com#@front/",
	} {
		f.Add(seed)
	}
	c := Config{ReturnHosts: []string{"localhost:3000", "front"}}
	hosts := append(slices.Clone(c.ReturnHosts), "meet.example.org", "")
	f.Fuzz(func(t *testing.T, target string) {
		safe := c.safeTarget(target, "meet.example.org")
		if safe == "" {
			return
		}
		if safe != target {
			t.Errorf("%q became %q", target, safe)
		}
		if host := leadsTo(safe); !slices.Contains(hosts, host) {
			t.Errorf("%q leads to %q", safe, host)
		}
		if strings.ContainsAny(safe, "\r\n\x00") {
			t.Errorf("%q would break a header", safe)
		}
		c := Config{ReturnHosts: c.ReturnHosts, ReturnHTTPS: true}
		if u, err := url.Parse(safe); err == nil && u.Scheme == "http" && c.safeTarget(target, "meet.example.org") != "" {
			t.Errorf("%q is plain http", safe)
		}
	})
}

// What is kept of strangers who begin to log in is bounded.
func TestLongTarget(t *testing.T) {
	t.Parallel()
	longest := "/" + strings.Repeat("a", maxTarget-1)
	if got := (Config{}).safeTarget(longest, "front"); got != longest {
		t.Errorf("%d bytes are not kept", len(longest))
	}
	if got := (Config{}).safeTarget(longest+"a", "front"); got != "" {
		t.Errorf("%d bytes are kept", len(got))
	}
}
