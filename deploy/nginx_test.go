//go:build proxies

package deploy_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"meetd/adapters/devstack/programs"
)

var nginx = proxy{name: "nginx", run: runNginx, unavailable: 503, noMethod: 405}

// nginxMain is what stands around the delivered configuration.
const nginxMain = `daemon off;
%s
worker_processes 2;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    default_type application/octet-stream;
    include meetd.conf;
}
`

func runNginx(t *testing.T, s *setup, address string) *programs.Process {
	t.Helper()
	name := lookFor(t, "nginx", "nginx of version 1.22 or later, on Debian with `apt-get install nginx-light`, on macOS with `brew install nginx`")
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folder of the test is closed to others
	}
	store := s.front.Listener.Addr().String()
	s.write(t, "meetd.conf", adapt(t, "nginx/meetd.conf", map[string]string{
		"server 127.0.0.1:8000;":                             "server " + s.toService.Addr().String() + ";",
		"server 127.0.0.1:9000;":                             "server " + store + ";",
		`default "127.0.0.1:9000";`:                          `default "` + store + `";`,
		`default "meet-media-storage";`:                      `default "` + s.Bucket.Bucket + `";`,
		"listen 443 ssl;":                                    "listen " + address + " ssl;",
		"server_name meet.example.org;":                      "server_name " + serverName + ";",
		"ssl_certificate /etc/ssl/meet.example.org.crt;":     "ssl_certificate tls.crt;",
		"ssl_certificate_key /etc/ssl/meet.example.org.key;": "ssl_certificate_key tls.key;",
	}))
	s.write(t, "meetd_store.inc", adapt(t, "nginx/meetd_store.inc", nil))
	s.write(t, "nginx.conf", fmt.Sprintf(nginxMain, user))
	args := []string{"-p", s.dir + "/", "-e", "stderr", "-c", "nginx.conf"}
	out, err := exec.CommandContext(t.Context(), name, append(args, "-t")...).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("[warn]")) {
		t.Fatalf("nginx does not like the configuration: %v\n%s", err, out)
	}
	return launch(t, name, s.dir, args...)
}

// lookFor finds a program that must be there.
func lookFor(t *testing.T, name, install string) string {
	t.Helper()
	for _, name := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("there is no %s program on PATH: install %s", name, install)
	return ""
}
