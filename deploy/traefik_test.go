//go:build proxies

package deploy_test

import (
	"os"
	"os/exec"
	"testing"

	"meetd/adapters/devstack/programs"
)

var traefik = proxy{
	name: "traefik", run: runTraefik, nameless: true, noRanges: true, keepsQuery: true, cleans: true, refusesBody: true, freshChecks: true,
	unavailable: 500, noMethod: 404,
}

// findTraefik finds Traefik where there is one: no package of Debian has it, and
// to build it takes longer than all other tests.
func findTraefik() (path string, ok bool) {
	path = os.Getenv("MEETD_TRAEFIK")
	if path == "" {
		path = "traefik"
	}
	path, err := exec.LookPath(path)
	return path, err == nil
}

func runTraefik(t *testing.T, s *setup, address string) *programs.Process {
	t.Helper()
	name, ok := findTraefik()
	if !ok {
		t.Fatal("Traefik has gone")
	}
	store, service := s.front.Listener.Addr().String(), s.toService.Addr().String()
	s.write(t, "meetd.yml", adapt(t, "traefik/meetd.yml", map[string]string{
		"Host(`meet.example.org`)":       "Host(`" + serverName + "`)",
		"address: http://127.0.0.1:8000": "address: http://" + service,
		"url: http://127.0.0.1:8000":     "url: http://" + service,
		"url: http://127.0.0.1:9000":     "url: http://" + store,
		"/meet-media-storage/":           "/" + s.Bucket.Bucket + "/",
		"/etc/ssl/meet.example.org.crt":  s.dir + "/tls.crt",
		"/etc/ssl/meet.example.org.key":  s.dir + "/tls.key",
	}))
	s.write(t, "traefik.yml", adapt(t, "traefik/traefik.yml", map[string]string{
		`":443"`: `"` + address + `"`, "/etc/traefik/meetd.yml": s.dir + "/meetd.yml",
	}))
	return launch(t, name, s.dir, "--configFile=traefik.yml")
}
