package app_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/devstack/storetest"
	"meetd/adapters/postgres"
)

const (
	mediaAuth = "/api/v1.0/recordings/media-auth/"
	content   = "the bytes of a film"
)

var fileName = regexp.MustCompile(`^attachment; filename="room-[0-9a-f]{8}-20\d\d-\d\d-\d\d-\d\d-\d\d\.(mp4|ogg)"$`)

func filmPath(id uuid.UUID) string { return "/media/recordings/" + id.String() + ".mp4" }

// raw asks with exactly these bytes: neither the target nor the header lines are
// checked or put right.
func (s *service) raw(t *testing.T, as account, method, target string, lines ...string) answer {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // everything was read
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	lines = append([]string{method + " " + target + " HTTP/1.1", "Host: 127.0.0.1", "Connection: close"}, lines...)
	if as.Secret != "" {
		lines = append(lines, "Cookie: "+s.cookie+"="+as.Secret)
	}
	// A server that refuses early may close before it has read all.
	_, werr := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.80s: %v (sent: %v)", lines[0], err, werr)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.80s: %v", lines[0], err)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// A door is a way to a file: the check for a proxy, or the file itself.
type door struct {
	name string
	ask  func(t *testing.T, s *service, as account, method, target string) answer
}

var doors = []door{
	{"check", func(t *testing.T, s *service, as account, method, target string) answer {
		t.Helper()
		return s.raw(t, as, http.MethodGet, mediaAuth, "X-Original-URL: "+target, "X-Original-Method: "+method)
	}},
	{"file", func(t *testing.T, s *service, as account, method, target string) answer {
		t.Helper()
		return s.raw(t, as, method, target)
	}},
}

// signatures are the headers that open the store.
func signatures(h http.Header) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h)), func(name string) bool {
		return name != "Authorization" && !strings.HasPrefix(name, "X-Amz-")
	})
}

// checkRefused checks an answer that must not help anybody.
func checkRefused(t *testing.T, got answer, status int) {
	t.Helper()
	if got.Status != status {
		t.Errorf("status %d %.200s, want %d", got.Status, got.Body, status)
	}
	if names := signatures(got.Header); len(names) > 0 {
		t.Errorf("a refusal carries %v", names)
	}
	if cache := got.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control %q", cache)
	}
	if bytes.Contains(got.Body, []byte(content)) {
		t.Error("the refusal is the film")
	}
}

// checkAllowed checks a check that said yes.
func checkAllowed(t *testing.T, got answer) {
	t.Helper()
	want := []string{"Authorization", "X-Amz-Content-Sha256", "X-Amz-Date"}
	if got.Status != http.StatusOK || !slices.Equal(signatures(got.Header), want) {
		t.Errorf("status %d %s with %v", got.Status, got.Body, signatures(got.Header))
	}
	if length := got.Header.Get("Content-Length"); length != "0" || len(got.Body) > 0 {
		t.Errorf("Content-Length %q, body %q: nginx would drop the connection", length, got.Body)
	}
	if cache := got.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control %q", cache)
	}
	if name := got.Header.Values("Content-Disposition"); len(name) != 1 || !fileName.MatchString(name[0]) {
		t.Errorf("Content-Disposition %q", name)
	}
}

// unchanged checks at the end of the test that nothing was stored since.
func (s *service) unchanged(t *testing.T) {
	t.Helper()
	before := s.dump(t)
	t.Cleanup(func() {
		t.Helper()
		if s.dump(t) != before {
			t.Error("the database was changed")
		}
	})
}

// startWithFilms runs the program with a store; film makes recordings in it.
func startWithFilms(t *testing.T, env map[string]string) (s *service, film func(t *testing.T, mode, status string, access roles) uuid.UUID) {
	t.Helper()
	bucket := storetest.Embedded(t, storetest.Hook{})
	vars := storeEnv(bucket)
	maps.Copy(vars, env)
	s = startService(t, vars)
	return s, func(t *testing.T, mode, status string, access roles) uuid.UUID {
		t.Helper()
		id := s.recording(t, mode, status, access)
		putFilm(t, bucket, id)
		return id
	}
}

// putFilm stores the object of a recording under both names it could have.
func putFilm(t *testing.T, bucket storetest.Store, id uuid.UUID) {
	t.Helper()
	bucket.Put(t, "recordings/"+id.String()+".mp4", "video/mp4", []byte(content))
	bucket.Put(t, "recordings/"+id.String()+".ogg", "audio/ogg", []byte(content))
}

// The service's own tables decide, not the bucket, where every file is.
func TestMediaDecision(t *testing.T) {
	t.Parallel()
	s, film := startWithFilms(t, map[string]string{"RECORDING_EXPIRATION_DAYS": "7"})
	owner, admin, member, other := s.login(t, "owner"), s.login(t, "admin"), s.login(t, "member"), s.login(t, "other")
	// At its start the service forgets sessions that are over; this one is to stay.
	eventually(t, "the start is done", func() bool { return s.jobs(t, "purge_sessions") == "completed" })
	disabled, over := s.login(t, "disabled"), s.login(t, "over")
	everybody := roles{owner: "owner", admin: "administrator", member: "member", disabled: "owner", over: "owner"}
	saved := film(t, screen, "saved", everybody)
	sound := film(t, transcript, "saved", everybody)
	expired, young := film(t, screen, "saved", everybody), film(t, screen, "saved", everybody)
	s.exec(t, `UPDATE meet_recording SET created_at = now() - interval '7 days 1 minute' WHERE id = $1`, expired)
	s.exec(t, `UPDATE meet_recording SET created_at = now() - interval '6 days 23 hours' WHERE id = $1`, young)
	s.exec(t, `UPDATE meet_user SET is_active = false WHERE id = $1`, disabled.ID)
	s.exec(t, `UPDATE meetd.session SET expires_at = now() - interval '1 second' WHERE user_id = $1`, over.ID)
	others := film(t, screen, "saved", roles{other: "owner"})

	ogg := func(id uuid.UUID) string { return strings.TrimSuffix(filmPath(id), "mp4") + "ogg" }
	exe := func(id uuid.UUID) string { return strings.TrimSuffix(filmPath(id), "mp4") + "exe" }
	type check struct {
		name   string
		as     account
		target string
		status int
	}
	checks := []check{
		{"owner", owner, filmPath(saved), 200},
		{"administrator", admin, filmPath(saved), 200},
		{"sound", owner, ogg(sound), 200},
		{"not yet expired", owner, filmPath(young), 200},
		{"with a query", owner, filmPath(saved) + "?a=b", 200},

		{"anonymous", account{}, filmPath(saved), 401},
		{"unknown session", account{Secret: "guess"}, filmPath(saved), 401},
		{"session that is over", over, filmPath(saved), 401},
		{"disabled account", disabled, filmPath(saved), 401},
		{"session hash as secret", account{Secret: strings.Repeat("0", 64)}, filmPath(saved), 401},
		{"anonymous, bad address", account{}, "/media/nothing", 401},
		{"anonymous, unknown recording", account{}, filmPath(uuid.New()), 401},

		{"other user", other, filmPath(saved), 403},
		{"member", member, filmPath(saved), 403},
		{"owner of another", owner, filmPath(others), 403},
		{"expired", owner, filmPath(expired), 403},
		{"bad address", owner, "/media/nothing", 403},

		{"unknown", owner, filmPath(uuid.New()), 404},
		{"zero id", owner, filmPath(uuid.Nil), 404},
		{"sound of a film", owner, ogg(saved), 404},
		{"film of a sound", owner, filmPath(sound), 404},
		{"unsupported extension", owner, exe(saved), 400},
		{"upper-case extension", owner, strings.TrimSuffix(filmPath(saved), "mp4") + "MP4", 400},

		// Which refusal wins.
		{"other user, unsupported extension", other, exe(saved), 400},
		{"unknown, unsupported extension", owner, exe(uuid.New()), 400},
		{"other user, wrong extension", other, ogg(saved), 404},
		{"expired, wrong extension", owner, ogg(expired), 404},
		{"expired, other user", other, filmPath(expired), 403},
	}
	for _, status := range []string{"initiated", "active", "stopped", "aborted", "failed_to_start", "failed_to_stop", "no such state"} {
		checks = append(checks, check{status, owner, filmPath(film(t, screen, status, roles{owner: "owner"})), 403})
	}
	for _, status := range []string{"notification_succeeded", "external_process_successful", "external_process_failed"} {
		checks = append(checks, check{status, owner, filmPath(film(t, screen, status, roles{owner: "owner"})), 200})
	}
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			s.unchanged(t)
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) {
					for _, method := range []string{http.MethodGet, http.MethodHead} {
						got := d.ask(t, s, c.as, method, c.target)
						switch {
						case c.status != http.StatusOK:
							checkRefused(t, got, c.status)
						case d.name == "check":
							checkAllowed(t, got)
						default:
							checkFilm(t, method, got)
						}
					}
				})
			}
		})
	}
}

// checkFilm checks the whole file and the headers that keep it harmless.
func checkFilm(t *testing.T, method string, got answer) {
	t.Helper()
	want := content
	if method == http.MethodHead {
		want = ""
	}
	if got.Status != http.StatusOK || string(got.Body) != want || got.Header.Get("Content-Length") != strconv.Itoa(len(content)) {
		t.Errorf("%s: status %d, %q, Content-Length %s", method, got.Status, got.Body, got.Header.Get("Content-Length"))
	}
	checkHarmless(t, got)
}

func checkHarmless(t *testing.T, got answer) {
	t.Helper()
	if v := got.Header.Values("Content-Disposition"); len(v) != 1 || !fileName.MatchString(v[0]) {
		t.Errorf("Content-Disposition %q, want the name of a file once", v)
	}
	for name, value := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff",
	} {
		if v := got.Header.Values(name); len(v) != 1 || v[0] != value {
			t.Errorf("%s %q, want %q once", name, v, value)
		}
	}
	if cache := got.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control %q", cache)
	}
	if names := signatures(got.Header); len(names) > 0 {
		t.Errorf("the answer carries %v", names)
	}
	if cookie := got.Header.Get("Set-Cookie"); cookie != "" {
		t.Errorf("Set-Cookie %s", cookie)
	}
}

// Whatever is not exactly the address of a recording is refused, also for its
// owner, and never leads to a recording of somebody else.
func TestMediaAddresses(t *testing.T) {
	t.Parallel()
	s, film := startWithFilms(t, map[string]string{"DJANGO_CONFIGURATION": "Base", "DJANGO_ALLOWED_HOSTS": "127.0.0.1,meet.example.org"})
	ada, eve := s.login(t, "ada"), s.login(t, "eve")
	victim, own := film(t, screen, "saved", roles{ada: "owner"}), film(t, screen, "saved", roles{eve: "owner"})
	id, mine := victim.String(), own.String()
	good := filmPath(own)
	s.unchanged(t)

	for _, target := range []string{
		good, good + "?x=y", good + "#top", "http://meet.example.org" + good, "https://meet.example.org:8443" + good,
		"/media/recordings/%" + hex.EncodeToString([]byte(mine[:1])) + mine[1:] + ".mp4", // decoded once, exactly this
	} {
		checkAllowed(t, doors[0].ask(t, s, eve, http.MethodGet, target))
	}

	hostile := map[string]string{
		"empty":                         "",
		"root":                          "/",
		"folder":                        "/media/recordings/",
		"no extension":                  "/media/recordings/" + mine,
		"dot without extension":         "/media/recordings/" + mine + ".",
		"two extensions":                "/media/recordings/" + mine + ".mp4.mp4",
		"long extension":                "/media/recordings/" + mine + ".mp4mp4mp4mp4",
		"dot segment":                   "/media/./recordings/" + mine + ".mp4",
		"dot segments":                  "/media/x/../recordings/" + mine + ".mp4",
		"dot segments to the victim":    "/media/recordings/" + mine + ".mp4/../" + id + ".mp4",
		"encoded dot segments":          "/media/x/%2e%2e/recordings/" + mine + ".mp4",
		"encoded to the victim":         "/media/recordings/" + mine + ".mp4/%2e%2e/" + id + ".mp4",
		"encoded separator":             "/media%2Frecordings/" + mine + ".mp4",
		"encoded separator after":       "/media/recordings%2f" + mine + ".mp4",
		"encoded all the way":           "/media/recordings/" + mine + ".mp4%2F..%2F" + id + ".mp4",
		"double-encoded separator":      "/media/recordings%252F" + mine + ".mp4",
		"double-encoded letter":         "/media/recordings/%25" + hex.EncodeToString([]byte(mine[:1])) + mine[1:] + ".mp4",
		"encoded percent":               "/media/recordings/" + mine + ".mp4%25",
		"broken escape":                 "/media/recordings/" + mine + ".mp4%",
		"no hexadecimal":                "/media/recordings/" + mine + ".mp4%zz",
		"overlong UTF-8":                "/media/recordings%c0%af" + mine + ".mp4",
		"back slash":                    `/media\recordings\` + mine + ".mp4",
		"back slash to the victim":      "/media/recordings/" + mine + `.mp4\..\` + id + ".mp4",
		"encoded back slash":            "/media/recordings%5C" + mine + ".mp4",
		"empty segment":                 "/media//recordings/" + mine + ".mp4",
		"empty segment at the start":    "//media/recordings/" + mine + ".mp4",
		"trailing slash":                good + "/",
		"parameter":                     good + ";a=b",
		"parameter before":              "/media;a=b/recordings/" + mine + ".mp4",
		"parameter with the victim":     good + ";/media/recordings/" + id + ".mp4",
		"prefix":                        "/x" + good,
		"host as prefix":                "meet.example.org" + good,
		"suffix":                        good + "-x",
		"suffix path":                   good + "/x",
		"both, mine first":              good + filmPath(victim),
		"both, the victim first":        filmPath(victim) + good,
		"list":                          good + "," + filmPath(victim),
		"hidden in the query":           "/media/x?" + good,
		"hidden in the fragment":        "/media/x#" + good,
		"hidden in the encoded query":   "/media/x%3F" + good,
		"query encoded after":           good + "%3Fx",
		"encoded NUL":                   good + "%00",
		"encoded NUL and victim":        "/media/recordings/" + mine + "%00.mp4",
		"encoded CR LF":                 good + "%0d%0aX-Amz-Date:%20x",
		"encoded space":                 good + "%20",
		"upper-case id":                 "/media/recordings/" + strings.ToUpper(mine) + ".mp4",
		"braced id":                     "/media/recordings/{" + mine + "}.mp4",
		"urn id":                        "/media/recordings/urn:uuid:" + mine + ".mp4",
		"id without dashes":             "/media/recordings/" + strings.ReplaceAll(mine, "-", "") + ".mp4",
		"look-alike digits":             "/media/recordings/" + "%ef%bc%91" + mine[1:] + ".mp4",
		"soft hyphen":                   "/media/recordings/" + mine[:8] + "%c2%ad" + mine[8:] + ".mp4",
		"wildcard":                      "/media/recordings/%.mp4",
		"other folder":                  "/media/files/" + mine + ".mp4",
		"other case":                    "/Media/Recordings/" + mine + ".mp4",
		"folder as prefix of another":   "/media/recordings2/" + mine + ".mp4",
		"foreign host":                  "http://evil.example" + good,
		"foreign host with our name":    "http://meet.example.org.evil.example" + good,
		"our name as user":              "http://meet.example.org@evil.example" + good,
		"user at our host":              "http://eve@meet.example.org" + good,
		"no host":                       "http://" + good,
		"other scheme":                  "file://" + good,
		"scheme in capitals":            "HTTP://evil.example" + good,
		"scheme-relative":               "//evil.example" + good,
		"long":                          good + "?" + strings.Repeat("x", 8<<10),
		"a thousand segments":           strings.Repeat("/media/recordings", 200) + "/" + mine + ".mp4",
		"SQL":                           "/media/recordings/" + mine + "'--.mp4",
		"full-width solidus":            "/media%ef%bc%8frecordings%ef%bc%8f" + mine + ".mp4",
		"plus for space":                good + "+",
		"address of the check":          mediaAuth,
		"tab between, encoded":          "/media/recordings/%09" + mine + ".mp4",
		"delete character":              good + "%7f",
		"unicode right-to-left":         good + "%e2%80%ae",
		"matrix between name and dot":   "/media/recordings/" + mine + ";.mp4",
		"query before the extension":    "/media/recordings/" + mine + "?.mp4",
		"fragment before the extension": "/media/recordings/" + mine + "#.mp4",
	}
	for name, target := range hostile {
		t.Run(name, func(t *testing.T) {
			checkRefused(t, doors[0].ask(t, s, eve, http.MethodGet, target), http.StatusForbidden)
			checkRefused(t, doors[0].ask(t, s, account{}, http.MethodGet, target), http.StatusUnauthorized)
			if target == "" {
				return // cannot be asked for
			}
			// The router and net/http have refusals of their own.
			got := doors[1].ask(t, s, eve, http.MethodGet, strings.ReplaceAll(target, "#", "%23"))
			if got.Status < 400 || got.Status >= 500 || bytes.Contains(got.Body, []byte(content)) || len(signatures(got.Header)) > 0 {
				t.Errorf("file: status %d with %v: %s", got.Status, signatures(got.Header), got.Body)
			}
		})
	}
	// Bytes that no HTTP message may have are refused before anybody looks.
	for name, target := range map[string]string{
		"NUL": good + "\x00", "bare CR": good + "\rX-Original-Method: GET", "escape": good + "\x1b", "too long": "/" + strings.Repeat("x", 128<<10),
	} {
		t.Run(name, func(t *testing.T) {
			got := doors[0].ask(t, s, eve, http.MethodGet, target)
			if got.Status != http.StatusBadRequest && got.Status != http.StatusRequestHeaderFieldsTooLarge || len(signatures(got.Header)) > 0 {
				t.Errorf("status %d with %v", got.Status, signatures(got.Header))
			}
		})
	}
	// Allowed in HTTP, but in no address.
	for name, target := range map[string]string{
		"space": good + " x", "tab": good + "\tx", "UTF-8": good + "é", "Latin-1": good + "\xe9", "look-alike letter": "/media/recordings/\u0430" + mine[1:] + ".mp4",
	} {
		t.Run(name, func(t *testing.T) {
			checkRefused(t, doors[0].ask(t, s, eve, http.MethodGet, target), http.StatusForbidden)
		})
	}
}

// Only what the configured proxy sets is believed.
func TestMediaProxyHeaders(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada, eve := s.login(t, "ada"), s.login(t, "eve")
	victim, own := s.recording(t, screen, "saved", roles{ada: "owner"}), s.recording(t, screen, "saved", roles{eve: "owner"})
	good, bad := filmPath(own), filmPath(victim)
	s.unchanged(t)
	const original = "X-Original-URL: "
	for _, c := range []struct {
		name   string
		method string
		lines  []string
		status int
	}{
		{"missing", "GET", nil, 403},
		{"empty", "GET", []string{original}, 403},
		{"sent twice, alike", "GET", []string{original + good, original + good}, 403},
		{"sent twice, mine first", "GET", []string{original + good, original + bad}, 403},
		{"sent twice, mine last", "GET", []string{original + bad, original + good}, 403},
		{"sent twice, one empty", "GET", []string{original, original + good}, 403},
		{"sent twice in two cases", "GET", []string{original + good, "x-original-url: " + good}, 403},
		{"list in one header", "GET", []string{original + good + ", " + bad}, 403},

		{"Traefik's header alone", "GET", []string{"X-Forwarded-Uri: " + good}, 403},
		{"Envoy's header alone", "GET", []string{"X-Envoy-Original-Path: " + good}, 403},
		{"IIS's header alone", "GET", []string{"X-Rewrite-URL: " + good}, 403},
		{"URI for URL", "GET", []string{"X-Original-URI: " + good}, 403},
		{"Forwarded alone", "GET", []string{"Forwarded: for=127.0.0.1;host=127.0.0.1;proto=http;path=" + good}, 403},
		{"Referer alone", "GET", []string{"Referer: " + good}, 403},
		{"underscores alone", "GET", []string{"X_Original_URL: " + good}, 403},
		{"target in the query", "GET", nil, 403},
		{"the wrong one among them", "GET", []string{original + bad, "X-Forwarded-Uri: " + good, "X-Rewrite-URL: " + good, "X_Original_URL: " + good}, 403},
		{"underscores beside", "GET", []string{original + good, "X_Original_URL: " + bad}, 200},
		{"all others beside", "GET", []string{
			original + good, "X-Forwarded-Uri: " + bad, "X-Rewrite-URL: " + bad, "X-Envoy-Original-Path: " + bad, "X-Original-URI: " + bad,
			"Forwarded: path=" + bad, "X-Forwarded-Host: evil.example", "X-Real-IP: 1.2.3.4", "X-Forwarded-For: 1.2.3.4",
		}, 200},
		{"credentials of the client", "GET", []string{
			original + good, "Authorization: AWS4-HMAC-SHA256 forged", "X-Amz-Date: forged", "X-Amz-Security-Token: forged", "X-Amz-Content-Sha256: forged",
		}, 200},

		{"GET", "GET", []string{original + good, "X-Original-Method: GET"}, 200},
		{"HEAD", "GET", []string{original + good, "X-Original-Method: HEAD"}, 200},
		{"HEAD of the check", "HEAD", []string{original + good}, 200},
		{"POST", "GET", []string{original + good, "X-Original-Method: POST"}, 403},
		{"PUT", "GET", []string{original + good, "X-Original-Method: PUT"}, 403},
		{"DELETE", "GET", []string{original + good, "X-Original-Method: DELETE"}, 403},
		{"OPTIONS", "GET", []string{original + good, "X-Original-Method: OPTIONS"}, 403},
		{"lower case", "GET", []string{original + good, "X-Original-Method: get"}, 403},
		{"empty method", "GET", []string{original + good, "X-Original-Method:"}, 403},
		{"method sent twice", "GET", []string{original + good, "X-Original-Method: GET", "X-Original-Method: DELETE"}, 403},
		{"override ignored", "GET", []string{original + good, "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE"}, 200},
		{"other family's method ignored", "GET", []string{original + good, "X-Forwarded-Method: DELETE", "X_Original_Method: DELETE"}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := mediaAuth
			if c.name == "target in the query" {
				target += "?X-Original-URL=" + good
			}
			got := s.raw(t, eve, c.method, target, c.lines...)
			if c.status != http.StatusOK {
				checkRefused(t, got, c.status)
			} else if checkAllowed(t, got); strings.Contains(strings.Join(got.Header.Values("Authorization"), ""), "forged") {
				t.Error("the client's own credentials came back")
			}
			checkRefused(t, s.raw(t, account{}, c.method, target, c.lines...), http.StatusUnauthorized)
		})
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace} {
		got := s.raw(t, eve, method, mediaAuth, original+good, "X-HTTP-Method-Override: GET", "Content-Length: 0")
		if got.Status != http.StatusMethodNotAllowed || len(signatures(got.Header)) > 0 {
			t.Errorf("%s: status %d with %v, want 405", method, got.Status, signatures(got.Header))
		}
	}
}

// A browser that reaches the program past the proxy gets no keys to the store.
func TestMediaSignaturesAreForProxies(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_TRUSTED_PROXIES": "192.0.2.0/24"})
	ada := s.login(t, "ada")
	saved := s.recording(t, screen, "saved", roles{ada: "owner"})
	s.unchanged(t)
	for _, line := range []string{"X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1"} {
		checkRefused(t, s.raw(t, ada, http.MethodGet, mediaAuth, "X-Original-URL: "+filmPath(saved), line), http.StatusForbidden)
	}
}

// What changes between two requests counts for the second.
func TestMediaAccessEndsAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string // $1 is the account, $2 the recording
		shift  time.Duration
		status int
	}{
		"access revoked":    {`DELETE FROM meet_recording_access WHERE user_id = $1 AND recording_id = $2`, 0, 403},
		"role taken":        {`UPDATE meet_recording_access SET role = 'member' WHERE user_id = $1 AND recording_id = $2`, 0, 403},
		"account disabled":  {`UPDATE meet_user SET is_active = false WHERE id = $1 AND $2::uuid IS NOT NULL`, 0, 401},
		"session ended":     {`DELETE FROM meetd.session WHERE user_id = $1 AND $2::uuid IS NOT NULL`, 0, 401},
		"session too old":   {``, 13 * time.Hour, 401},
		"recording expired": {`UPDATE meetd.session SET expires_at = now() + interval '1 year' WHERE user_id = $1 AND $2::uuid IS NOT NULL`, 49 * time.Hour, 403},
		"recording deleted": {`WITH a AS (DELETE FROM meet_recording_access WHERE recording_id = $2 AND $1::uuid IS NOT NULL) DELETE FROM meet_recording WHERE id = $2`, 0, 404},
		"saved no longer":   {`UPDATE meet_recording SET status = 'aborted' WHERE id = $2 AND $1::uuid IS NOT NULL`, 0, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, film := startWithFilms(t, map[string]string{"RECORDING_EXPIRATION_DAYS": "2"})
			ada := s.login(t, "ada")
			saved := film(t, screen, "saved", roles{ada: "owner"})
			checkAllowed(t, doors[0].ask(t, s, ada, http.MethodGet, filmPath(saved)))
			checkFilm(t, http.MethodGet, doors[1].ask(t, s, ada, http.MethodGet, filmPath(saved)))
			if c.change != "" {
				s.exec(t, c.change, ada.ID, saved)
			}
			s.shiftClock(c.shift)
			for _, d := range doors {
				checkRefused(t, d.ask(t, s, ada, http.MethodGet, filmPath(saved)), c.status)
			}
		})
	}
}

// The headers of an allowed check open one object for some minutes.
func TestMediaSignatureOpensOneObject(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, bucket storetest.Store) {
		s := startService(t, storeEnv(bucket))
		ada := s.login(t, "ada")
		saved, other := s.recording(t, screen, "saved", roles{ada: "owner"}), s.recording(t, screen, "saved", roles{ada: "owner"})
		putFilm(t, bucket, saved)
		putFilm(t, bucket, other)
		signed := func(method string) http.Header {
			t.Helper()
			got := doors[0].ask(t, s, ada, method, filmPath(saved)+"?versionId=1&response-content-type=text/html")
			checkAllowed(t, got)
			h := http.Header{}
			for _, name := range signatures(got.Header) {
				h[name] = got.Header[name]
			}
			return h
		}
		present := func(method, object string, h http.Header) answer {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, bucket.Endpoint+"/"+bucket.Bucket+"/"+object, nil)
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(req.Header, h)
			return s.send(t, req)
		}
		object := "recordings/" + saved.String() + ".mp4"
		if got := present(http.MethodGet, object, signed(http.MethodGet)); got.Status != http.StatusOK || string(got.Body) != content {
			t.Errorf("GET: %d %s", got.Status, got.Body)
		}
		if got := present(http.MethodHead, object, signed(http.MethodHead)); got.Status != http.StatusOK || got.Header.Get("Content-Length") != strconv.Itoa(len(content)) {
			t.Errorf("HEAD: %d, Content-Length %s", got.Status, got.Header.Get("Content-Length"))
		}
		part := signed(http.MethodGet)
		part.Set("Range", "bytes=4-8")
		if got := present(http.MethodGet, object, part); got.Status != http.StatusPartialContent || string(got.Body) != content[4:9] {
			t.Errorf("range: %d %s", got.Status, got.Body)
		}
		now := signed(http.MethodGet)
		s.shiftClock(-16 * time.Minute)
		old := signed(http.MethodGet)
		for name, c := range map[string]struct {
			method, object string
			header         http.Header
		}{
			"another recording":       {http.MethodGet, "recordings/" + other.String() + ".mp4", now},
			"another extension":       {http.MethodGet, "recordings/" + saved.String() + ".ogg", now},
			"the list of the bucket":  {http.MethodGet, "", now},
			"another version":         {http.MethodGet, object + "?versionId=null", now},
			"another type":            {http.MethodGet, object + "?response-content-type=text/html", now},
			"deletion":                {http.MethodDelete, object, now},
			"replacement":             {http.MethodPut, object, now},
			"HEAD with GET's headers": {http.MethodHead, object, now},
			"after 16 minutes":        {http.MethodGet, object, old},
		} {
			if got := present(c.method, c.object, c.header); got.Status < 400 || got.Status >= 500 || strings.Contains(string(got.Body), content) {
				t.Errorf("%s: %d %s, want a refusal", name, got.Status, got.Body)
			}
		}
	})
}

// The file as sent by the program itself.
func TestMediaStream(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, bucket storetest.Store) {
		s := startService(t, storeEnv(bucket))
		ada := s.login(t, "ada")
		saved, page := s.recording(t, screen, "saved", roles{ada: "owner"}), s.recording(t, screen, "saved", roles{ada: "owner"})
		missing := s.recording(t, screen, "saved", roles{ada: "owner"})
		putFilm(t, bucket, saved)
		const script = "<svg onload=alert(1)>"
		bucket.Put(t, "recordings/"+page.String()+".mp4", "text/html", []byte(script))
		s.unchanged(t)

		whole := s.request(t, ada, http.MethodGet, filmPath(saved), "", nil)
		checkFilm(t, http.MethodGet, whole)
		tag := whole.Header.Get("Etag")
		many := "bytes=" + strings.Repeat("0-0,", 999) + "0-0"
		for _, c := range []struct {
			name   string
			header http.Header
			status int
			body   string
		}{
			{"first", http.Header{"Range": {"bytes=0-2"}}, 206, content[:3]},
			{"middle", http.Header{"Range": {"bytes=4-8"}}, 206, content[4:9]},
			{"suffix", http.Header{"Range": {"bytes=-4"}}, 206, content[len(content)-4:]},
			{"beyond", http.Header{"Range": {"bytes=1000-"}}, 416, ""},
			{"thousand ranges", http.Header{"Range": {many}}, 200, content},
			{"overlapping ranges", http.Header{"Range": {"bytes=0-5,0-5"}}, 200, content},
			{"range of nothing known", http.Header{"Range": {"lines=1-2"}}, 200, content},
			{"stale If-Range", http.Header{"Range": {"bytes=0-2"}, "If-Range": {`"stale"`}}, 200, content},
			{"fresh If-Range", http.Header{"Range": {"bytes=0-2"}, "If-Range": {tag}}, 206, content[:3]},
			{"not changed", http.Header{"If-None-Match": {tag}}, 304, ""},
			{"no match", http.Header{"If-Match": {`"other"`}}, 412, ""},
			{"credentials", http.Header{"Authorization": {"AWS4-HMAC-SHA256 forged"}, "X-Amz-Date": {"forged"}}, 200, content},
		} {
			t.Run(c.name, func(t *testing.T) {
				got := s.request(t, ada, http.MethodGet, filmPath(saved), "", c.header)
				if got.Status != c.status || string(got.Body) != c.body {
					t.Errorf("%d %s, want %d %s", got.Status, got.Body, c.status, c.body)
				}
				checkHarmless(t, got)
			})
		}
		t.Run("inverted range", func(t *testing.T) {
			got := s.request(t, ada, http.MethodGet, filmPath(saved), "", http.Header{"Range": {"bytes=9-1"}})
			if (got.Status != 200 || string(got.Body) != content) && (got.Status != 416 || len(got.Body) > 0) {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
		t.Run("query", func(t *testing.T) {
			got := s.request(t, ada, http.MethodGet, filmPath(saved)+"?versionId=1&response-content-type=text/html&response-content-disposition=inline", "", nil)
			checkFilm(t, http.MethodGet, got)
			if kind := got.Header.Get("Content-Type"); kind != "video/mp4" {
				t.Errorf("Content-Type %s", kind)
			}
		})
		t.Run("page", func(t *testing.T) {
			got := s.request(t, ada, http.MethodGet, filmPath(page), "", nil)
			if got.Status != http.StatusOK || string(got.Body) != script {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			checkHarmless(t, got)
		})
		t.Run("object is missing", func(t *testing.T) {
			checkRefused(t, s.request(t, ada, http.MethodGet, filmPath(missing), "", nil), http.StatusNotFound)
		})
		t.Run("writes", func(t *testing.T) {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
				got := s.request(t, ada, method, filmPath(saved), "x", http.Header{"X-Http-Method-Override": {"GET"}})
				if got.Status != http.StatusMethodNotAllowed {
					t.Errorf("%s: %d, want 405", method, got.Status)
				}
			}
			checkFilm(t, http.MethodGet, s.request(t, ada, http.MethodGet, filmPath(saved), "", nil))
		})
	})
}

// Nobody but the store is asked about objects, so the check needs it not.
func TestMediaWithoutStore(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	saved := s.recording(t, screen, "saved", roles{ada: "owner"})
	s.unchanged(t)
	checkAllowed(t, doors[0].ask(t, s, ada, http.MethodGet, filmPath(saved)))
	checkRefused(t, doors[1].ask(t, s, ada, http.MethodGet, filmPath(saved)), http.StatusServiceUnavailable)
	checkRefused(t, doors[1].ask(t, s, account{}, http.MethodGet, filmPath(saved)), http.StatusUnauthorized)
}

// Without the database nothing can be decided, and nothing is allowed.
func TestMediaWithoutDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Server(t)
	if err := postgres.Migrate(t.Context(), server.DSN("postgres"), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	s, film := startWithFilms(t, map[string]string{"DATABASE_URL": server.DSN("postgres")})
	ada := s.login(t, "ada")
	saved := film(t, screen, "saved", roles{ada: "owner"})
	checkAllowed(t, doors[0].ask(t, s, ada, http.MethodGet, filmPath(saved)))
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, d := range doors {
		for _, as := range []account{ada, {}} {
			checkRefused(t, d.ask(t, s, as, http.MethodGet, filmPath(saved)), http.StatusServiceUnavailable)
			checkRefused(t, d.ask(t, s, as, http.MethodGet, "/media/nothing"), http.StatusServiceUnavailable)
		}
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkAllowed(t, doors[0].ask(t, s, ada, http.MethodGet, filmPath(saved)))
}

// Instead of the file the browser gets a link, after the same decision.
func TestMediaRedirect(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, bucket storetest.Store) {
		env := storeEnv(bucket)
		// Another name of the store, which browsers use.
		env["AWS_S3_DOMAIN_REPLACE"] = strings.Replace(bucket.Endpoint, "127.0.0.1", "localhost", 1)
		env["MEETD_MEDIA_DELIVERY"], env["MEETD_MEDIA_REDIRECT_EXPIRY"] = "redirect", "90"
		s := startService(t, env)
		ada, eve := s.login(t, "ada"), s.login(t, "eve")
		saved := s.recording(t, screen, "saved", roles{ada: "owner", eve: "member"})
		bucket.Put(t, "recordings/"+saved.String()+".mp4", "text/html", []byte(content))
		s.unchanged(t)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			got := s.raw(t, ada, method, filmPath(saved)+"?response-content-type=text/html&versionId=1")
			link, err := url.Parse(got.Header.Get("Location"))
			if err != nil || got.Status != http.StatusFound || got.Header.Get("Cache-Control") != "no-store" || len(signatures(got.Header)) > 0 {
				t.Fatalf("%d %s %v", got.Status, got.Body, got.Header)
			}
			if !strings.HasPrefix(link.String(), env["AWS_S3_DOMAIN_REPLACE"]+"/") || link.Query().Get("X-Amz-Expires") != "90" || link.Query().Has("versionId") {
				t.Errorf("the link is %s", link)
			}
			req, err := http.NewRequestWithContext(t.Context(), method, link.String(), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(content)) || method == http.MethodGet && string(body) != content {
				t.Errorf("%s: %d %s, %v", method, resp.StatusCode, body, err)
			}
			if name := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(name, "attachment; filename=room-") || resp.Header.Get("Content-Type") != "video/mp4" {
				t.Errorf("%s: %s, %s", method, name, resp.Header.Get("Content-Type"))
			}
		}
		for name, c := range map[string]struct {
			as     account
			target string
			status int
		}{
			"anonymous": {account{}, filmPath(saved), 401}, "member": {eve, filmPath(saved), 403}, "unknown": {ada, filmPath(uuid.New()), 404},
			"dot segments": {ada, "/media/x/.." + filmPath(saved)[6:], 403},
		} {
			got := s.raw(t, c.as, http.MethodGet, c.target)
			checkRefused(t, got, c.status)
			if link := got.Header.Get("Location"); link != "" {
				t.Errorf("%s: a link %s", name, link)
			}
		}
	})
}

// With a proxy in front the program need not serve downloads.
func TestMediaNoDelivery(t *testing.T) {
	t.Parallel()
	s, film := startWithFilms(t, map[string]string{"MEETD_MEDIA_DELIVERY": "none"})
	ada := s.login(t, "ada")
	saved := film(t, screen, "saved", roles{ada: "owner"})
	checkAllowed(t, doors[0].ask(t, s, ada, http.MethodGet, filmPath(saved)))
	checkRefused(t, doors[1].ask(t, s, ada, http.MethodGet, filmPath(saved)), http.StatusNotFound)
}
