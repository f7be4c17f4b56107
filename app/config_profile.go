package app

import (
	"context"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Profile is what DJANGO_CONFIGURATION decides.
type Profile struct {
	Name        string // the class, e.g. Production
	Environment string // the same in lower case

	Debug              bool
	Testing            bool     // Test or ContinuousIntegration: what can be switched on is
	AllowedHosts       []string // without port, leading dot = any subdomain, * = all; IPv6 in brackets
	CSRFTrustedOrigins []string
	CORS               CORS
	SecretKey          Secret // never empty
	SilencedChecks     []string

	SessionCookieName   string
	SecureCookies       bool   // session and CSRF cookie
	SSLRedirect         bool   // to https, except for the two heartbeats
	TrustForwardedProto bool   // X-Forwarded-Proto decides whether a request is secure
	HSTS                string // header value for secure responses, empty = no header
}

// CORS says which origins may read answers; credentials are always allowed.
type CORS struct {
	AllowAll       bool
	Origins        []string
	OriginPatterns []*regexp.Regexp // anchored at the start only
}

// The classes of DJANGO_CONFIGURATION.
const (
	profileBuild       = "Build"
	profileDevelopment = "Development"
)

var (
	productionProfiles = []string{"Production", "Feature", "Staging", "Sandbox", "PreProduction", "Demo"}
	otherProfiles      = []string{"Base", profileBuild, profileDevelopment, "Test", "ContinuousIntegration"}
)

// loadProfile knows what each class changes. Outside of Production the secret
// key has a default, which everybody knows; Production and its children refuse
// to start without a key of their own.
func loadProfile(r *reader, podAddress func() []string) Profile {
	p := Profile{
		Name:              r.text("DJANGO_CONFIGURATION", profileDevelopment),
		SessionCookieName: "sessionid",
	}
	p.Environment = strings.ToLower(p.Name)
	p.Testing = p.Name == "Test" || p.Name == "ContinuousIntegration"
	production := slices.Contains(productionProfiles, p.Name)
	if !production {
		r.oneOf("DJANGO_CONFIGURATION", p.Name, slices.Concat(otherProfiles, productionProfiles)...)
	}

	var key Secret
	if !production {
		key = "DummyKey"
	}
	if p.SecretKey = r.secret("DJANGO_SECRET_KEY", key); p.SecretKey == "" {
		r.faultf("DJANGO_SECRET_KEY: it is empty; set it or DJANGO_SECRET_KEY_FILE to a long random text")
	}
	p.SilencedChecks = r.list("DJANGO_SILENCED_SYSTEM_CHECKS")
	p.AllowedHosts = r.list("DJANGO_ALLOWED_HOSTS")
	switch {
	case production:
		if own := hostNames(podAddress()); len(own) > 0 {
			p.AllowedHosts = append(p.AllowedHosts, own...)
			r.override(showList(p.AllowedHosts))
		}
	case p.Name == profileDevelopment:
		p.AllowedHosts = []string{"*"}
		r.override(showList(p.AllowedHosts))
	}
	origins := r.list("DJANGO_CSRF_TRUSTED_ORIGINS")
	switch {
	case production:
		p.CSRFTrustedOrigins = origins
		for _, o := range origins {
			if !strings.Contains(o, "://") {
				r.warnf("DJANGO_CSRF_TRUSTED_ORIGINS: %s never matches; write it with its scheme, as https://host", quote(o))
			}
		}
	case p.Name == profileDevelopment:
		p.CSRFTrustedOrigins = []string{"http://localhost:8072", "http://localhost:3000"}
		r.override(showList(p.CSRFTrustedOrigins))
	default:
		r.override("")
	}
	p.CORS.AllowAll = r.boolean("DJANGO_CORS_ALLOW_ALL_ORIGINS", false)
	if p.Name == profileDevelopment {
		p.CORS.AllowAll = true
		r.override("true")
	}
	p.CORS.Origins = r.list("DJANGO_CORS_ALLOWED_ORIGINS")
	p.CORS.OriginPatterns = compileAll(r, "DJANGO_CORS_ALLOWED_ORIGIN_REGEXES")

	switch {
	case production:
		p.SecureCookies = true
		p.SSLRedirect = true
		p.TrustForwardedProto = true
		p.HSTS = "max-age=60; includeSubDomains; preload"
	case p.Name == profileDevelopment:
		p.Debug = true
		p.SessionCookieName = "meet_sessionid"
	}
	return p
}

// hostNames writes addresses as they stand in a Host header.
func hostNames(addresses []string) []string {
	names := make([]string, len(addresses))
	for i, a := range addresses {
		if strings.Contains(a, ":") {
			a = "[" + a + "]"
		}
		names[i] = a
	}
	return names
}

// compileAll reads a list of patterns, anchored at the start only.
func compileAll(r *reader, name string) []*regexp.Regexp {
	var patterns []*regexp.Regexp
	for _, text := range r.list(name) {
		if _, err := regexp.Compile(text); err != nil {
			r.faultf("%s: %s is not a regular expression (RE2 syntax): %w", name, quote(text), err)
			continue
		}
		patterns = append(patterns, regexp.MustCompile(`\A(?:`+text+`)`))
	}
	return patterns
}

// ownAddresses returns the addresses of this machine's name, nothing if it has
// none: probes of the orchestrator name them as host.
func ownAddresses() []string {
	host, err := os.Hostname()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) //nolint:forbidigo // bounded, before the program has a context
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil
	}
	return addrs
}
