//go:build proxies

package deploy_test

import (
	"testing"

	"meetd/adapters/devstack/programs"
)

var caddy = proxy{name: "caddy", run: runCaddy, noRanges: true, refusesBody: true, unavailable: 502, noMethod: 405}

// caddyMain is what stands around the delivered configuration.
const caddyMain = `{
	admin off
	auto_https disable_redirects
	skip_install_trust
	log {
		level WARN
	}
	servers {
		protocols h1
	}
}
import meetd.caddy
`

func runCaddy(t *testing.T, s *setup, address string) *programs.Process {
	t.Helper()
	name := lookFor(t, "caddy", "Caddy of version 2.6 or later, on Debian with `apt-get install caddy`, on macOS with `brew install caddy`")
	store := s.front.Listener.Addr().String()
	port := address[len("127.0.0.1"):]
	s.write(t, "meetd.caddy", adapt(t, "caddy/Caddyfile", map[string]string{
		"https://meet.example.org {":                                  "https://" + serverName + port + " {\n\tbind 127.0.0.1",
		"/etc/ssl/meet.example.org.crt /etc/ssl/meet.example.org.key": "tls.crt tls.key",
		"reverse_proxy 127.0.0.1:8000":                                "reverse_proxy " + s.toService.Addr().String(),
		"rewrite * /meet-media-storage":                               "rewrite * /" + s.Bucket.Bucket,
		"reverse_proxy 127.0.0.1:9000":                                "reverse_proxy " + store,
		"header_up Host 127.0.0.1:9000":                               "header_up Host " + store,
	}))
	s.write(t, "Caddyfile", caddyMain)
	return launch(t, name, s.dir, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
}
