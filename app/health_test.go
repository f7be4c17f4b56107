package app_test

import (
	"strings"
	"testing"

	"meetd/app"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, hosts := range []string{"meet.example.org", ".example.org,other", "*", "*,meet.example.org"} {
		s := startService(t, map[string]string{"DJANGO_CONFIGURATION": "Production", "DJANGO_SECRET_KEY": strings.Repeat("k", 50), "DJANGO_ALLOWED_HOSTS": hosts})
		_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
		for _, listen := range []string{":" + port, "0.0.0.0:" + port, "[::]:" + port, "127.0.0.1:" + port} {
			s.conf.Server.Listen = listen
			if err := app.Health(t.Context(), s.conf); err != nil {
				t.Errorf("%s on %s: %v", hosts, listen, err)
			}
		}
		s.conf.Server.Listen = "127.0.0.1:1"
		if err := app.Health(t.Context(), s.conf); err == nil {
			t.Error("nobody is well")
		}
		s.conf.Server.Listen, s.conf.Profile.AllowedHosts = "127.0.0.1:"+port, []string{"evil.example"}
		if err := app.Health(t.Context(), s.conf); hosts != "*" && hosts != "*,meet.example.org" && (err == nil || !strings.Contains(err.Error(), "400")) {
			t.Errorf("%s: refused with %v", hosts, err)
		}
	}
}
