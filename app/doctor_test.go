package app_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"meetd/adapters/devstack/mailbox"
	"meetd/adapters/devstack/op"
	"meetd/adapters/devstack/storetest"
	"meetd/app"
	"meetd/app/doctor"
)

// examined runs the doctor and returns its lines by what they are about.
func (s *service) examined(t *testing.T, public string, env map[string]string) (lines map[string]string, err error) {
	t.Helper()
	all := map[string]string{"DATABASE_URL": s.conf.Database.DSN()}
	maps.Copy(all, env)
	vars := settings(t, all)
	c, err := app.Load(func(name string) (string, bool) { v, ok := vars[name]; return v, ok }, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = app.Doctor(t.Context(), c, public, 5*time.Second, time.Now, &out)
	lines = map[string]string{}
	for line := range strings.Lines(out.String()) {
		parts := regexp.MustCompile(`^(\S+) +(\S+) +(.*)\n$`).FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("what is %q", line)
		}
		lines[parts[2]] = parts[1] + " " + parts[3]
	}
	return lines, err
}

func wantLines(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if !strings.HasPrefix(got[name], text) {
			t.Errorf("%s: %s\nwant %s…", name, got[name], text)
		}
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, bucket storetest.Store) {
		conference, env := startLiveKit(t)
		maps.Copy(env, storeEnv(bucket))
		_, mail := mailServer(t, mailbox.Options{})
		maps.Copy(env, mail)
		_, login := provider(t, op.Options{})
		maps.Copy(env, login)
		s := startService(t, env)
		told := make(chan struct{})
		go func() { // as LiveKit does
			defer close(told)
			eventually(t, "a room is closed", func() bool { return conference.closedRoom() != "" })
			s.webhook(t, map[string]any{"event": "room_finished", "id": "EV_1", "room": map[string]any{"name": conference.closedRoom(), "sid": "RM_1"}})
		}()
		lines, err := s.examined(t, "", env)
		<-told
		if err != nil {
			t.Error(err)
		}
		wantLines(t, lines, map[string]string{
			"database": "ok it answers", "login": "ok the provider has usable keys and does not refuse our secret", "livekit": "ok it takes our key, and its webhook came back",
			"store": "ok it can be written, read and deleted with our keys only", "mail": "ok the mail server lets us in", "media": "- say --url",
		})
		if strings.Contains(lines["login"], "OIDC_OP_URL") {
			t.Errorf("the provider was not compared: %s", lines["login"])
		}
		left, err := bucket.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket.Bucket})
		if err != nil || len(left.Contents) > 0 {
			t.Errorf("left in the bucket: %v, %v", left, err)
		}
	})
}

// closedRoom is the first room that was closed.
func (m *meeting) closedRoom() string {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, asked := range m.asked {
		if room, ok := strings.CutPrefix(asked, "close "); ok {
			return room
		}
	}
	return ""
}

// What is wrong is named, with the variable that has to do with it.
func TestDoctorFindsIllness(t *testing.T) {
	t.Parallel()
	_, conference := startLiveKit(t)
	_, login := provider(t, op.Options{})
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error": "invalid_client"}`)
	}))
	t.Cleanup(refusing.Close)
	s := startService(t, nil)
	for name, c := range map[string]struct {
		env  map[string]string
		want map[string]string
	}{
		"nothing there": {nil, map[string]string{
			"database": "ok ", "login": "FAIL the provider: ", "livekit": "FAIL ", "store": "FAIL ", "mail": "- DJANGO_EMAIL_HOST is not set",
		}},
		"no webhook":          {conference, map[string]string{"livekit": "FAIL it takes our key, but its webhook did not arrive"}},
		"wrong secret":        {with(login, "OIDC_OP_TOKEN_ENDPOINT", refusing.URL+"/token", "OIDC_OP_URL", ""), map[string]string{"login": "FAIL the provider refuses OIDC_RP_CLIENT_ID"}},
		"other algorithm":     {with(login, "OIDC_RP_SIGN_ALGO", "ES512"), map[string]string{"login": "FAIL OIDC_RP_SIGN_ALGO is ES512"}},
		"no key":              {with(login, "OIDC_RP_SIGN_ALGO", "ES512", "OIDC_OP_URL", ""), map[string]string{"login": "FAIL the provider has no key"}},
		"other address":       {with(login, "OIDC_OP_USER_ENDPOINT", "http://x/other"), map[string]string{"login": "FAIL OIDC_OP_USER_ENDPOINT is http://x/other here"}},
		"a name for browsers": {with(login, "OIDC_OP_URL", "http://127.0.0.1:1"), map[string]string{"login": "ok the provider has usable keys"}},
		"gone with its endpoints": {
			with(login, "OIDC_OP_URL", "http://127.0.0.1:1", "OIDC_OP_TOKEN_ENDPOINT", "http://127.0.0.1:2/token"),
			map[string]string{"login": "FAIL the provider: Get"},
		},
		"no token endpoint": {with(login, "OIDC_OP_TOKEN_ENDPOINT", s.URL+"/__lbheartbeat__", "OIDC_OP_URL", ""), map[string]string{"login": "FAIL what answers there is no token endpoint"}},
		"mail":              {map[string]string{"DJANGO_EMAIL_HOST": "127.0.0.1", "DJANGO_EMAIL_PORT": "1"}, map[string]string{"mail": "FAIL the mail server: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, err := s.examined(t, "", c.env)
			if !errors.Is(err, doctor.ErrIll) {
				t.Errorf("ended with %v", err)
			}
			wantLines(t, lines, c.want)
		})
	}
}

func with(env map[string]string, pairs ...string) map[string]string {
	out := maps.Clone(env)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// A bucket that everybody may read, and keys that may not write.
func TestDoctorOfBadStores(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	kept := map[string][]byte{}
	for name, c := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request)
		want  string
	}{
		"open objects": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("list-type") != "" {
				w.WriteHeader(http.StatusForbidden)
			}
		}, "FAIL everybody can read recordings without a signature"},
		"open list": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "" && r.Header.Get("Authorization") == "" {
				w.WriteHeader(http.StatusForbidden)
			}
		}, "FAIL everybody can list the bucket without a signature"},
		"read only": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
			}
		}, "FAIL the store refuses to write (403 AccessDenied)"},
		"wrong clock": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		}, "FAIL the store: its clock and ours differ by "},
		"other content": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.Header.Get("Authorization") != "" {
				_, _ = io.WriteString(w, "something else")
			}
		}, `FAIL what was written comes back as "something else`},
	} {
		store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := httptest.NewRecorder()
			c.serve(answer, r)
			maps.Copy(w.Header(), answer.Header())
			switch {
			case answer.Code != http.StatusOK || answer.Body.Len() > 0:
			case r.Method == http.MethodPut:
				kept[r.URL.Path], _ = io.ReadAll(r.Body)
			case r.Method == http.MethodGet:
				answer.Body = bytes.NewBuffer(kept[r.URL.Path])
			}
			w.WriteHeader(answer.Code)
			_, _ = w.Write(answer.Body.Bytes())
		}))
		lines, err := s.examined(t, "", map[string]string{"AWS_S3_ENDPOINT_URL": store.URL})
		store.Close()
		if !errors.Is(err, doctor.ErrIll) || !strings.HasPrefix(lines["store"], c.want) {
			t.Errorf("%s: %s, %v", name, lines["store"], err)
		}
	}
}

// front stands for a proxy in front of the service, which closes the media check
// and speaks TLS, unless it is told otherwise.
func front(t *testing.T, s *service, serve func(http.Handler) http.HandlerFunc) string {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Forwarded-Proto", "https")
	}}
	srv := httptest.NewServer(serve(pass))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestDoctorFromOutside(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"DJANGO_CONFIGURATION": "Production", "DJANGO_SECRET_KEY": strings.Repeat("k", 50), "DJANGO_ALLOWED_HOSTS": "127.0.0.1"})
	wide := startService(t, map[string]string{"RECORDING_ENABLE_STORAGE_EVENT_AUTH": "false"})
	closed := func(next http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "media-auth") {
				http.Error(w, "nothing here", http.StatusNotFound)
				return
			}
			next.ServeHTTP(w, r)
		}
	}
	for name, c := range map[string]struct {
		url  string
		want map[string]string
	}{
		"sound, but for TLS": {front(t, s, closed), map[string]string{
			"reachable": "ok the API answers", "https": "FAIL it is not served over TLS", "host": "ok requests for other hosts are refused",
			"media": "ok the check is closed", "hooks": "ok hooks refuse strangers",
		}},
		"nobody there": {"http://127.0.0.1:1", map[string]string{"reachable": "FAIL ", "media": "FAIL "}},
		"something else": {front(t, s, func(http.Handler) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "welcome") }
		}), map[string]string{"reachable": "FAIL /api/v1.0/config/ is not answered by us", "hooks": "FAIL /api/v1.0/recordings/storage-hook/ answers a stranger with 200"}},
		"check open": {front(t, s, func(next http.Handler) http.HandlerFunc { return next.ServeHTTP }), map[string]string{"media": "FAIL /api/v1.0/recordings/media-auth/ can be asked from outside (401)"}},
		"every host": {front(t, wide, closed), map[string]string{"host": "FAIL requests for other hosts are served"}},
		"no media": {front(t, s, func(next http.Handler) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/media/") {
					http.NotFound(w, r)
					return
				}
				closed(next)(w, r)
			}
		}), map[string]string{"media": "FAIL /media/ leads nowhere"}},
		"another name": {strings.Replace(front(t, s, closed), "127.0.0.1", "localhost", 1), map[string]string{"reachable": "FAIL the service does not know this host"}},
		"no proto":     {s.URL, map[string]string{"reachable": "FAIL the service thinks that the request came by plain HTTP"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines, err := s.examined(t, c.url, nil)
			if !errors.Is(err, doctor.ErrIll) {
				t.Errorf("ended with %v", err)
			}
			wantLines(t, lines, c.want)
		})
	}
}
