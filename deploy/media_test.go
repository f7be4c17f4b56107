//go:build proxies

package deploy_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/devstack/storetest"
	"meetd/adapters/postgres"
)

func path(id uuid.UUID) string { return "/media/recordings/" + id.String() + ".mp4" }

// pattern is a content whose every part is different.
func pattern(size int) []byte {
	b := make([]byte, 0, size+16)
	for i := 0; len(b) < size; i++ {
		b = fmt.Appendf(b, "%08x ", i)
	}
	return b[:size]
}

// named is what a file is called: after its room and time.
var named = regexp.MustCompile(`^attachment; filename="weekly-[0-9a-f-]{36}-20\d\d-\d\d-\d\d-\d\d-\d\d\.mp4"$`)

// checkHarmless checks what every answer on a download has in common.
func (p proxy) checkHarmless(t *testing.T, got answer) {
	t.Helper()
	for name, value := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
	} {
		if v := got.Header.Values(name); len(v) != 1 || v[0] != value {
			t.Errorf("%s %q, want %q once", name, v, value)
		}
	}
	if v := got.Header.Values("Content-Disposition"); got.Status < 300 &&
		(len(v) != 1 || p.nameless && v[0] != "attachment" || !p.nameless && !named.MatchString(v[0])) {
		t.Errorf("Content-Disposition %q", v)
	}
	if names := foreign(got.Header); len(names) > 0 {
		t.Errorf("a browser gets %v", names)
	}
	if got.Status >= 400 && bytes.Contains(got.Body, []byte("<?xml")) {
		t.Errorf("the store's own words: %s", got.Body)
	}
}

func (p proxy) checkRefused(t *testing.T, got answer, status int) {
	t.Helper()
	if got.Status != status {
		t.Errorf("status %d %.300s, want %d", got.Status, got.Body, status)
	}
	p.checkHarmless(t, got)
}

func TestDownload(t *testing.T) {
	t.Parallel()
	eachWithStore(t, func(t *testing.T, p proxy, bucket storetest.Store) {
		s := start(t, p, bucket, nil)
		ada := s.login(t)
		content := pattern(1<<20 + 7)
		id := s.recording(t, "saved", "video/mp4", content, roles{ada: "owner"})
		size := len(content)

		first := s.get(t, ada, path(id), nil)
		tag, modified := first.Header.Get("Etag"), first.Header.Get("Last-Modified")
		if tag == "" || modified == "" || first.Header.Get("Content-Type") != "video/mp4" {
			t.Errorf("headers %v", first.Header)
		}
		at, err := http.ParseTime(modified)
		if err != nil {
			t.Fatal(err)
		}
		past := at.Add(-time.Hour).Format(http.TimeFormat)
		many := "bytes=" + strings.Repeat("0-1,", 999) + "0-1"
		part := func(from, to int) string { return fmt.Sprintf("bytes %d-%d/%d", from, to, size) }
		for _, c := range []struct {
			name   string
			header http.Header
			status int
			body   []byte
			rang   string
		}{
			{"whole", nil, 200, content, ""},
			{"first bytes", http.Header{"Range": {"bytes=0-99"}}, 206, content[:100], part(0, 99)},
			{"middle", http.Header{"Range": {"bytes=500000-700000"}}, 206, content[500000:700001], part(500000, 700000)},
			{"to the end", http.Header{"Range": {"bytes=1000000-"}}, 206, content[1000000:], part(1000000, size-1)},
			{"suffix", http.Header{"Range": {"bytes=-10"}}, 206, content[size-10:], part(size-10, size-1)},
			{"beyond", http.Header{"Range": {fmt.Sprintf("bytes=%d-", size)}}, 416, nil, ""},
			{"two ranges", http.Header{"Range": {"bytes=0-1,4-5"}}, 200, content, ""},
			{"thousand ranges", http.Header{"Range": {many}}, 200, content, ""},
			{"fresh tag", http.Header{"Range": {"bytes=4-6"}, "If-Range": {tag}}, 206, content[4:7], part(4, 6)},
			{"stale tag", http.Header{"Range": {"bytes=4-6"}, "If-Range": {`"stale"`}}, 200, content, ""},
			{"weak tag", http.Header{"Range": {"bytes=4-6"}, "If-Range": {"W/" + tag}}, 200, content, ""},
			{"stale date", http.Header{"Range": {"bytes=4-6"}, "If-Range": {past}}, 200, content, ""},
			{"stale tag, beyond", http.Header{"Range": {"bytes=9999999-"}, "If-Range": {`"stale"`}}, 200, content, ""},
			{"unchanged", http.Header{"If-None-Match": {tag}}, 304, nil, ""},
			{"another expected", http.Header{"If-Match": {`"other"`}}, 412, nil, ""},
			{"expected", http.Header{"If-Match": {tag}}, 200, content, ""},
			{"changed since", http.Header{"If-Unmodified-Since": {past}}, 412, nil, ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				if p.noRanges && c.header.Get("If-Range") != "" {
					c.status, c.body, c.rang = 200, content, ""
				}
				s.front.asked()
				got := s.get(t, ada, path(id), c.header)
				if got.Status != c.status {
					t.Fatalf("status %d %.300s, want %d", got.Status, got.Body, c.status)
				}
				for _, asked := range s.front.asked() {
					if rang := asked.Header.Get("Range"); strings.Contains(rang, ",") {
						t.Errorf("the store was asked for %.100s", rang)
					}
				}
				if c.status < 300 {
					if !bytes.Equal(got.Body, c.body) || got.Header.Get("Content-Length") != strconv.Itoa(len(c.body)) {
						t.Errorf("%d bytes, Content-Length %s, want %d", len(got.Body), got.Header.Get("Content-Length"), len(c.body))
					}
					if rang := got.Header.Get("Content-Range"); rang != c.rang {
						t.Errorf("Content-Range %q, want %q", rang, c.rang)
					}
				}
				p.checkHarmless(t, got)
			})
		}
		t.Run("HEAD", func(t *testing.T) {
			s.front.asked()
			got := s.ask(t, ada, http.MethodHead, path(id), nil)
			if got.Status != http.StatusOK || got.Header.Get("Content-Length") != strconv.Itoa(size) || len(got.Body) > 0 || got.Header.Get("Etag") != tag {
				t.Errorf("%d, Content-Length %s", got.Status, got.Header.Get("Content-Length"))
			}
			p.checkHarmless(t, got)
			if asked := s.front.asked(); len(asked) != 1 || asked[0].Method != http.MethodHead {
				t.Errorf("the store was asked %v, want HEAD once", asked)
			}
			p.checkRefused(t, s.ask(t, ada, http.MethodHead, path(uuid.New()), nil), http.StatusNotFound)
			p.checkRefused(t, s.ask(t, account{}, http.MethodHead, path(id), nil), http.StatusUnauthorized)
		})
		t.Run("query", func(t *testing.T) {
			s.front.asked()
			got := s.get(t, ada, path(id)+"?versionId=null&response-content-type=text/html&response-content-disposition=inline", nil)
			if p.keepsQuery {
				p.checkRefused(t, got, http.StatusBadGateway)
				return
			}
			if got.Status != http.StatusOK || !bytes.Equal(got.Body, content) || got.Header.Get("Content-Type") != "video/mp4" {
				t.Errorf("%d %s", got.Status, got.Header.Get("Content-Type"))
			}
			p.checkHarmless(t, got)
			if asked := s.front.asked(); len(asked) != 1 || asked[0].URL.RawQuery != "" {
				t.Errorf("the store was asked for %v", asked)
			}
		})
		t.Run("page", func(t *testing.T) {
			page := s.recording(t, "saved", "text/html", []byte("<script>alert(1)</script>"), roles{ada: "owner"})
			got := s.get(t, ada, path(page), nil)
			if got.Status != http.StatusOK {
				t.Errorf("status %d", got.Status)
			}
			p.checkHarmless(t, got)
		})
		t.Run("object is missing", func(t *testing.T) {
			gone := s.recording(t, "saved", "video/mp4", []byte("x"), roles{ada: "owner"})
			s.exec(t, `UPDATE meet_recording SET mode = 'transcript' WHERE id = $1`, gone) // an .ogg that nobody stored
			p.checkRefused(t, s.get(t, ada, strings.TrimSuffix(path(gone), "mp4")+"ogg", nil), http.StatusNotFound)
		})
		t.Run("headers to the store", func(t *testing.T) {
			s.front.asked()
			got := s.get(t, ada, path(id), http.Header{
				"Authorization": {"AWS4-HMAC-SHA256 forged"}, "Cookie": {"a=b"}, "X-Amz-Date": {"forged"}, "X-Amz-Security-Token": {"forged"},
				"X-Amz-Content-Sha256": {"forged"}, "X-Amz-Meta-A": {"forged"}, "X-Amz-Server-Side-Encryption-Customer-Key": {"forged"},
				"X-Forwarded-For": {"forged"}, "Origin": {"https://evil.example"}, "Accept-Encoding": {"gzip"}, "X-Original-Url": {"/forged"},
				"Upgrade": {"forged"}, "Te": {"trailers"}, "Expect": {"100-continue"}, "X-Http-Method-Override": {"DELETE"},
			})
			if got.Status != http.StatusOK || !bytes.Equal(got.Body, content) {
				t.Fatalf("%d %.300s", got.Status, got.Body)
			}
			asked := s.front.asked()
			if len(asked) != 1 {
				t.Fatalf("the store was asked %d times", len(asked))
			}
			// Go's own proxies say who they are, and go on with the browser's
			// encodings and chain of proxies.
			extra := map[string]bool{
				"Accept-Encoding": true, "User-Agent": true, "X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Port": true,
				"X-Forwarded-Proto": true, "X-Forwarded-Server": true, "X-Real-Ip": true, "X-Replaced-Path": true,
			}
			var names []string
			for name, v := range asked[0].Header {
				if p.name == "nginx" || !extra[name] {
					names = append(names, name)
				}
				if len(v) != 1 || strings.Contains(v[0], "forged") {
					t.Errorf("%s: %v", name, v)
				}
			}
			slices.Sort(names)
			if diff := cmp.Diff([]string{"Authorization", "X-Amz-Content-Sha256", "X-Amz-Date"}, names); diff != "" {
				t.Errorf("headers to the store (-want +got):\n%s", diff)
			}
			if asked[0].Host != s.front.Listener.Addr().String() {
				t.Errorf("Host %s", asked[0].Host)
			}
		})
		t.Run("several cookies", func(t *testing.T) {
			got := s.get(t, account{}, path(id), http.Header{"Cookie": {"csrftoken=x; meet_sessionid=" + ada.Secret + "; other=y"}})
			if got.Status != http.StatusOK {
				t.Errorf("status %d", got.Status)
			}
		})
		t.Run("what a browser accepts does not matter", func(t *testing.T) {
			if got := s.get(t, ada, path(id), http.Header{"Accept": {"video/mp4"}}); got.Status != http.StatusOK {
				t.Errorf("status %d", got.Status)
			}
		})
		t.Run("body of a GET", func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path(id), strings.NewReader("x=y"))
			if err != nil {
				t.Fatal(err)
			}
			req.Host = serverName
			req.AddCookie(&http.Cookie{Name: "meet_sessionid", Value: ada.Secret})
			resp, err := s.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close() //nolint:errcheck // read to its end
			if p.refusesBody {
				if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode < 400 && !bytes.Equal(body, content) {
					t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(body), err)
				}
				return
			}
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(body, content) {
				t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(body), err)
			}
		})
		t.Run("writes", func(t *testing.T) {
			s.front.asked()
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
				got := s.ask(t, ada, method, path(id), http.Header{"X-Http-Method-Override": {"GET"}})
				if got.Status != p.noMethod || len(foreign(got.Header)) > 0 || bytes.Equal(got.Body, content) {
					t.Errorf("%s: %d %v, want %d", method, got.Status, got.Header, p.noMethod)
				}
			}
			if asked := s.front.asked(); len(asked) > 0 {
				t.Errorf("the store was asked %v", asked)
			}
		})
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	eachWithStore(t, func(t *testing.T, p proxy, bucket storetest.Store) {
		s := start(t, p, bucket, map[string]string{"RECORDING_EXPIRATION_DAYS": "7"})
		owner, admin, member, other, off := s.login(t), s.login(t), s.login(t), s.login(t), s.login(t)
		everybody := roles{owner: "owner", admin: "administrator", member: "member", off: "owner"}
		film := func(status string) uuid.UUID { return s.recording(t, status, "video/mp4", []byte("film"), everybody) }
		saved, expired := film("saved"), film("saved")
		s.exec(t, `UPDATE meet_recording SET created_at = now() - interval '8 days' WHERE id = $1`, expired)
		s.exec(t, `UPDATE meet_user SET is_active = false WHERE id = $1`, off.ID)
		s.front.asked()
		stem := strings.TrimSuffix(path(saved), "mp4")
		for _, c := range []struct {
			name   string
			as     account
			target string
			status int
		}{
			{"anonymous", account{}, path(saved), 401},
			{"guessed session", account{Secret: "guess"}, path(saved), 401},
			{"disabled account", off, path(saved), 401},
			{"other user", other, path(saved), 403},
			{"member", member, path(saved), 403},
			{"expired", owner, path(expired), 403},
			{"initiated", owner, path(film("initiated")), 403},
			{"active", owner, path(film("active")), 403},
			{"stopped", owner, path(film("stopped")), 403},
			{"aborted", owner, path(film("aborted")), 403},
			{"failed to start", owner, path(film("failed_to_start")), 403},
			{"failed to stop", owner, path(film("failed_to_stop")), 403},
			{"unknown", owner, path(uuid.New()), 404},
			{"wrong extension", owner, stem + "ogg", 404},
			{"unsupported extension", owner, stem + "exe", 400},
			{"no recording", owner, "/media/recordings/x", 403},
			{"other folder", owner, "/media/files/" + saved.String() + ".mp4", 403},
			{"the bucket", owner, "/media/", 403},
		} {
			t.Run(c.name, func(t *testing.T) {
				got := s.get(t, c.as, c.target, nil)
				p.checkRefused(t, got, c.status)
				if challenge := got.Header.Get("Www-Authenticate"); (challenge != "") != (c.status == http.StatusUnauthorized) {
					t.Errorf("WWW-Authenticate %q", challenge)
				}
			})
		}
		if asked := s.front.asked(); len(asked) > 0 {
			t.Errorf("the store was asked %v", asked)
		}
		t.Run("revoked a moment ago", func(t *testing.T) {
			if got := s.get(t, admin, path(saved), nil); got.Status != http.StatusOK || string(got.Body) != "film" {
				t.Fatalf("before: %d", got.Status)
			}
			s.exec(t, `DELETE FROM meet_recording_access WHERE recording_id = $1 AND user_id = $2`, saved, admin.ID)
			p.checkRefused(t, s.get(t, admin, path(saved), nil), http.StatusForbidden)
		})
		t.Run("logged out a moment ago", func(t *testing.T) {
			if got := s.get(t, owner, path(saved), nil); got.Status != http.StatusOK {
				t.Fatalf("before: %d", got.Status)
			}
			s.exec(t, `DELETE FROM meetd.session WHERE user_id = $1`, owner.ID)
			p.checkRefused(t, s.get(t, owner, path(saved), nil), http.StatusUnauthorized)
		})
	})
}

// raw sends exactly this request line and these headers.
func (s *setup) raw(t *testing.T, as account, line string, headers ...string) answer {
	t.Helper()
	conn, err := (&tls.Dialer{Config: s.keys}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // everything was read
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	headers = append([]string{line + " HTTP/1.1", "Host: " + serverName, "Connection: close", "Cookie: meet_sessionid=" + as.Secret}, headers...)
	_, werr := io.WriteString(conn, strings.Join(headers, "\r\n")+"\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.100s: %v (sent: %v)", line, err, werr)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.100s: %v", line, err)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// A proxy reads a path in its own way; what it then asks the store for must be
// what was authorised, or nothing.
func TestAddresses(t *testing.T) {
	t.Parallel()
	eachWithStore(t, func(t *testing.T, p proxy, bucket storetest.Store) {
		s := start(t, p, bucket, nil)
		ada, eve := s.login(t), s.login(t)
		victim := s.recording(t, "saved", "video/mp4", []byte("the victim's film"), roles{ada: "owner"})
		own := s.recording(t, "saved", "video/mp4", []byte("my own film"), roles{eve: "owner"})
		bucket.Put(t, "secret.txt", "text/plain", []byte("the victim's note"))
		mine, other := own.String(), victim.String()
		good := path(own)
		for name, target := range map[string]string{
			"dot segment":                "/media/./recordings/" + mine + ".mp4",
			"dot segments":               "/media/x/../recordings/" + mine + ".mp4",
			"from outside":               "/x/../media/recordings/" + mine + ".mp4",
			"to the victim":              good + "/../" + other + ".mp4",
			"to the victim, encoded":     good + "/%2e%2e/" + other + ".mp4",
			"to the victim, one segment": "/media/recordings/" + mine + ".mp4%2f..%2f" + other + ".mp4",
			"to the victim, twice":       "/media/recordings/" + mine + ".mp4%252f..%252f" + other + ".mp4",
			"out of the bucket":          "/media/../" + bucket.Bucket + "/secret.txt",
			"out of the folder":          "/media/recordings/../secret.txt",
			"out of the folder, encoded": "/media/recordings/%2e%2e/secret.txt",
			"out, one segment":           "/media/recordings/..%2fsecret.txt",
			"another object":             "/media/secret.txt",
			"separator encoded":          "/media/recordings%2f" + mine + ".mp4",
			"separator encoded twice":    "/media/recordings%252f" + mine + ".mp4",
			"letter encoded twice":       fmt.Sprintf("/media/recordings/%%25%x%s.mp4", mine[0], mine[1:]),
			"empty segment":              "/media//recordings/" + mine + ".mp4",
			"empty first segment":        "//media/recordings/" + mine + ".mp4",
			"back slash":                 `/media/recordings\` + mine + ".mp4",
			"back slash encoded":         "/media/recordings%5c" + mine + ".mp4",
			"parameter":                  good + ";x=y",
			"upper case":                 "/media/recordings/" + strings.ToUpper(mine) + ".mp4",
			"query encoded":              good + "%3fversionId=1",
			"fragment with the victim":   "/media/recordings/" + other + ".mp4#" + good,
			"query with mine":            "/media/recordings/" + other + ".mp4?" + good,
			"line end encoded":           good + "%0d%0aX-Amz-Date:x",
			"line feed at the end":       good + "%0a",
			"trailing slash":             good + "/",
			"suffix":                     good + "-x",
			"broken escape":              good + "%zz",
			"NUL encoded":                good + "%00",
			"NUL":                        good + "\x00",
			"space":                      good + " x",
			"UTF-8":                      good + "é",
			"overlong":                   "/media/recordings%c0%af" + mine + ".mp4",
			"absolute, foreign host":     "https://evil.example/media/recordings/" + other + ".mp4",
			"no slash":                   "media/recordings/" + mine + ".mp4",
			"two addresses":              good + "," + path(victim),
			"long":                       good + "?" + strings.Repeat("x", 7000),
			"longer":                     good + "?" + strings.Repeat("x", 64<<10),
		} {
			t.Run(name, func(t *testing.T) {
				got := s.raw(t, eve, "GET "+target)
				switch {
				case p.cleans && got.Status == http.StatusOK && string(got.Body) == "my own film": // by another name
				case p.name == "caddy" && got.Status == http.StatusOK && len(got.Body) == 0 && name == "absolute, foreign host":
				// meetd refuses and hangs up before it has read all, which Caddy may take for a fault.
				case p.name == "caddy" && got.Status == http.StatusBadGateway && len(got.Body) == 0 && name == "longer":
				case got.Status < 400 || got.Status >= 500 || bytes.Contains(got.Body, []byte("victim")) || bytes.Contains(got.Body, []byte("film")):
					t.Errorf("%d %.300s", got.Status, got.Body)
				}
				if names := foreign(got.Header); len(names) > 0 {
					t.Errorf("a refusal carries %v", names)
				}
			})
		}
		for name, target := range map[string]string{
			"plain": good, "fragment": good + "#" + path(victim), "query": good + "?" + path(victim), "absolute": "https://" + serverName + good,
			"letter encoded": fmt.Sprintf("/media/recordings/%%%x%s.mp4", mine[0], mine[1:]), "folder encoded": "/media/%72ecordings/" + mine + ".mp4",
		} {
			t.Run(name, func(t *testing.T) {
				got := s.raw(t, eve, "GET "+target)
				if p.name != "nginx" && name == "fragment" || p.keepsQuery && name == "query" {
					if got.Status < 400 || bytes.Contains(got.Body, []byte("film")) {
						t.Errorf("%d %.300s", got.Status, got.Body)
					}
					return
				}
				if got.Status != http.StatusOK || string(got.Body) != "my own film" {
					t.Errorf("%d %.300s", got.Status, got.Body)
				}
			})
		}
		t.Run("forged headers of the proxy", func(t *testing.T) {
			for _, name := range []string{"X-Original-URL", "X-Forwarded-Uri", "X-Rewrite-URL", "X_Original_URL", "X_Forwarded_Uri", "X-Original-URI", "X-Accel-Redirect"} {
				if got := s.raw(t, eve, "GET "+path(victim), name+": "+good); got.Status != http.StatusForbidden {
					t.Errorf("%s: %d %.300s", name, got.Status, got.Body)
				}
				if got := s.raw(t, eve, "GET "+good, name+": "+path(victim), name+": "+path(victim)); got.Status != http.StatusOK || string(got.Body) != "my own film" {
					t.Errorf("%s: %d %.300s", name, got.Status, got.Body)
				}
			}
			if got := s.raw(t, eve, "GET "+path(victim), "Connection: X-Forwarded-Uri, X-Original-URL", "X-Forwarded-Host: evil.example"); got.Status != http.StatusForbidden {
				t.Errorf("Connection: %d %.300s", got.Status, got.Body)
			}
			if got := s.raw(t, eve, "GET "+good, "X-Original-Method: DELETE", "X-Forwarded-Method: DELETE", "X-Forwarded-Host: evil.example"); got.Status != http.StatusOK {
				t.Errorf("method: %d", got.Status)
			}
		})
	})
}

// Whoever may download must not get the keys to the store into the hand.
func TestChecksAreNotReachable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		s := start(t, p, storetest.Embedded(t, storetest.Hook{}), nil)
		ada := s.login(t)
		id := s.recording(t, "saved", "video/mp4", []byte("film"), roles{ada: "owner"})
		for _, target := range []string{
			"/api/v1.0/recordings/media-auth/", "/api/v1.0/recordings/media-auth", "/api/v1.0/files/media-auth/", "/api/v1.0/files/media-auth",
			"//api/v1.0/recordings/media-auth/", "/api//v1.0/recordings//media-auth/", "/api/v1.0/x/../recordings/media-auth/",
			"/api/v1.0/recordings/%6dedia-auth/", "/api/v1.0/recordings/media%2dauth/", "/api/v1.0/recordings%2fmedia-auth/",
			"/api/v1.0/recordings/media-auth/?a=b", "/api/v1.0/recordings/media-auth%3f", "/api/v1.0/recordings/media-auth/%2e/",
			"/api/v1.0/recordings/%252e%252e/recordings/media-auth/", "/static/../api/v1.0/recordings/media-auth/",
			"/static/..%2fapi/v1.0/recordings/media-auth/", "/api/v1.0/recordings/MEDIA-AUTH/", "/api/v1.0/recordings/media-auth;/",
			"https://" + serverName + "/api/v1.0/recordings/media-auth/", "/_media_check", "/media/../_media_check", "/@media_changed",
			"/external-api/../api/v1.0/recordings/media-auth/", "/api/v1.0/x#/../recordings/media-auth/", `/api/v1.0/recordings\media-auth/`,
		} {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				got := s.raw(t, ada, method+" "+target, "X-Original-URL: "+path(id), "X-Original-Method: GET", "Content-Length: 0",
					"X-Forwarded-Uri: "+path(id), "X-Forwarded-Method: GET")
				if got.Status < 400 || got.Status >= 500 || len(foreign(got.Header)) > 0 {
					t.Errorf("%s %s: %d with %v", method, target, got.Status, foreign(got.Header))
				}
			}
		}
		if asked := s.front.asked(); len(asked) > 0 {
			t.Errorf("the store was asked %v", asked)
		}
	})
}

func TestAPI(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		s := start(t, p, storetest.Embedded(t, storetest.Hook{}), map[string]string{
			"DJANGO_CONFIGURATION": "Production", "DJANGO_SECRET_KEY": strings.Repeat("key", 12), "DJANGO_ALLOWED_HOSTS": serverName + ",127.0.0.1",
		})
		ada := s.login(t)
		session := http.Header{"Cookie": {"sessionid=" + ada.Secret}}
		for _, c := range []struct {
			name, target string
			header       http.Header
			status       int
		}{
			// Not 301: the service knows that the browser came by https.
			{"API", "/api/v1.0/users/me/", session, 200},
			{"API, anonymous", "/api/v1.0/users/me/", nil, 401},
			{"forged scheme", "/api/v1.0/users/me/", http.Header{"Cookie": session["Cookie"], "X-Forwarded-Proto": {"http"}}, 200},
			{"external API", "/external-api/v1.0/rooms/", nil, 404},
			{"admin", "/admin", nil, 301},
			{"login to the admin", "/admin/login/", nil, 200},
			{"static files", "/static/x.css", nil, 404},
			{"keys", "/jwks", nil, 500}, // none is configured
			{"heartbeat", "/__heartbeat__", nil, 200},
			{"heartbeat for load balancers", "/__lbheartbeat__", nil, 200},
		} {
			t.Run(c.name, func(t *testing.T) {
				got := s.get(t, account{}, c.target, c.header)
				if got.Status != c.status || got.Header.Get("X-Request-Id") == "" {
					t.Errorf("%d %.300s, want %d from the service", got.Status, got.Body, c.status)
				}
				if hsts := got.Header.Get("Strict-Transport-Security"); hsts == "" {
					t.Error("the service thinks that the browser came by http")
				}
			})
		}
		t.Run("style of the admin", func(t *testing.T) {
			page := s.get(t, account{}, "/admin/login/", nil)
			style := regexp.MustCompile(`href="(/static/[^"]+\.css)"`).FindSubmatch(page.Body)
			if style == nil {
				t.Fatalf("the login has no style: %.300s", page.Body)
			}
			if got := s.get(t, account{}, string(style[1]), nil); got.Status != http.StatusOK || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/css") {
				t.Errorf("%s: %d", style[1], got.Status)
			}
		})
		t.Run("the rest is the front end's", func(t *testing.T) {
			for _, target := range []string{"/", "/administrator", "/apis/", "/room-name"} {
				if got := s.get(t, account{}, target, nil); got.Status != http.StatusNotFound || got.Header.Get("X-Request-Id") != "" {
					t.Errorf("%s: %d from the service", target, got.Status)
				}
			}
		})
		t.Run("download in production", func(t *testing.T) {
			id := s.recording(t, "saved", "video/mp4", []byte("film"), roles{ada: "owner"})
			if got := s.get(t, account{}, path(id), session); got.Status != http.StatusOK || string(got.Body) != "film" {
				t.Errorf("%d %.300s", got.Status, got.Body)
			}
		})
	})
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	eachWithStore(t, func(t *testing.T, p proxy, bucket storetest.Store) {
		s := start(t, p, bucket, nil)
		ada := s.login(t)
		id := s.recording(t, "saved", "video/mp4", []byte("film"), roles{ada: "owner"})
		const checks, browsers, most = 1000, 8, 20
		var wg sync.WaitGroup
		for range browsers {
			wg.Go(func() {
				for i := range checks / browsers {
					want, as := http.StatusOK, ada
					if i%10 == 9 {
						want, as = http.StatusUnauthorized, account{}
					}
					if got := s.get(t, as, path(id), nil); got.Status != want {
						t.Errorf("status %d, want %d", got.Status, want)
						return
					}
				}
			})
		}
		wg.Wait()
		service, store := s.toService.accepted.Load(), s.front.listener.accepted.Load()
		t.Logf("%d checks: %d connections to the service, %d to the store", checks, service, store)
		if service > most && !p.freshChecks || store > most {
			t.Errorf("%d checks took %d connections to the service and %d to the store, want at most %d each", checks, service, store, most)
		}
	})
}

// A browser that reads slowly holds back the store, and fills neither memory nor
// disk.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		s := start(t, p, storetest.Embedded(t, storetest.Hook{}), nil)
		ada := s.login(t)
		const size = 96 << 20
		content := pattern(size)
		id := s.recording(t, "saved", "video/mp4", content, roles{ada: "owner"})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path(id), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = serverName
		req.AddCookie(&http.Cookie{Name: "meet_sessionid", Value: ada.Secret})
		resp, err := s.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read to its end
		// Not reading: what is under way fills the buffers of the sockets, and stops.
		var last int64
		same := 0
		eventually(t, "the store is held back", func() bool {
			n := s.front.sent.Load()
			if same++; n != last || n == 0 {
				last, same = n, 0
			}
			return same >= 25
		})
		t.Logf("%d of %d bytes were taken from the store", last, size)
		if last > size/2 {
			t.Errorf("%d of %d bytes were taken from the store for a browser that reads nothing", last, size)
		}
		err = filepath.WalkDir(s.dir, func(name string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				if info, ierr := d.Info(); ierr == nil && info.Size() > size/100 {
					t.Errorf("the proxy keeps the file on disk: %s", name)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, content) {
			t.Errorf("in the end %d bytes, %v", len(got), err)
		}
	})
}

func TestServersDown(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p proxy) {
		server := pgtest.Server(t)
		if err := postgres.Migrate(t.Context(), server.DSN("postgres"), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		s := start(t, p, storetest.Embedded(t, storetest.Hook{}), map[string]string{"DATABASE_URL": server.DSN("postgres")})
		ada := s.login(t)
		id := s.recording(t, "saved", "video/mp4", []byte("film"), roles{ada: "owner"})
		if got := s.get(t, ada, path(id), nil); got.Status != http.StatusOK {
			t.Fatalf("all up: %d", got.Status)
		}

		// The database: nothing can be decided, and nothing is allowed.
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		s.front.asked()
		p.checkRefused(t, s.get(t, ada, path(id), nil), http.StatusServiceUnavailable)
		p.checkRefused(t, s.get(t, account{}, path(id), nil), http.StatusServiceUnavailable)
		if asked := s.front.asked(); len(asked) > 0 {
			t.Errorf("the store was asked %v", asked)
		}
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.get(t, ada, path(id), nil); got.Status != http.StatusOK {
			t.Errorf("database up again: %d", got.Status)
		}

		// The store: who may not have the file still learns it.
		s.front.CloseClientConnections()
		s.front.Close()
		p.checkRefused(t, s.get(t, ada, path(id), nil), http.StatusBadGateway)
		p.checkRefused(t, s.get(t, account{}, path(id), nil), http.StatusUnauthorized)
		p.checkRefused(t, s.get(t, ada, path(uuid.New()), nil), http.StatusNotFound)

		// The service.
		s.stopService()
		p.checkRefused(t, s.get(t, ada, path(id), nil), p.unavailable)
	})
}

// A store with other keys refuses; that is no refusal of ours.
func TestStoreRefuses(t *testing.T) {
	t.Parallel()
	eachWithStore(t, func(t *testing.T, p proxy, bucket storetest.Store) {
		s := start(t, p, bucket, map[string]string{"AWS_S3_SECRET_ACCESS_KEY": "guess-guess-guess"})
		ada := s.login(t)
		id := s.recording(t, "saved", "video/mp4", []byte("film"), roles{ada: "owner"})
		p.checkRefused(t, s.get(t, ada, path(id), nil), http.StatusBadGateway)
	})
}

// temporary asks the store for keys that work for a while.
func temporary(t *testing.T, bucket storetest.Store) *ststypes.Credentials {
	t.Helper()
	client := sts.New(sts.Options{
		Region: bucket.Region, BaseEndpoint: aws.String(bucket.Endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(bucket.AccessKey, bucket.SecretKey, ""),
	})
	out, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/meetd"), RoleSessionName: aws.String("meetd"), DurationSeconds: aws.Int32(900),
	})
	if err != nil {
		t.Fatalf("ask %s for temporary keys: %v", bucket.Name, err)
	}
	return out.Credentials
}

// Temporary keys work, whether they are told to meetd, in files, or found by the
// AWS SDK; the token that goes with them is meetd's, and not the browser's.
func TestTemporaryKeys(t *testing.T) {
	t.Parallel()
	eachWithStore(t, func(t *testing.T, p proxy, bucket storetest.Store) {
		if bucket.Name != "minio" {
			return // has none
		}
		keys, dir := temporary(t, bucket), t.TempDir()
		file := func(name string, value *string) string {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(*value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		for how, env := range map[string]map[string]string{
			"told": {
				"AWS_S3_ACCESS_KEY_ID": *keys.AccessKeyId, "AWS_S3_SECRET_ACCESS_KEY": *keys.SecretAccessKey,
				"MEETD_AWS_SESSION_TOKEN": *keys.SessionToken,
			},
			"in files": {
				"AWS_S3_ACCESS_KEY_ID_FILE": file("id", keys.AccessKeyId), "AWS_S3_SECRET_ACCESS_KEY_FILE": file("secret", keys.SecretAccessKey),
				"MEETD_AWS_SESSION_TOKEN_FILE": file("token", keys.SessionToken),
			},
			"of the SDK": {
				"AWS_S3_ACCESS_KEY_ID": "", "AWS_S3_SECRET_ACCESS_KEY": "",
				"AWS_ACCESS_KEY_ID": *keys.AccessKeyId, "AWS_SECRET_ACCESS_KEY": *keys.SecretAccessKey, "AWS_SESSION_TOKEN": *keys.SessionToken,
			},
		} {
			t.Run(how, func(t *testing.T) {
				s := start(t, p, bucket, env)
				ada := s.login(t)
				id := s.recording(t, "saved", "video/mp4", []byte("film"), roles{ada: "owner"})
				for _, header := range []http.Header{nil, {"X-Amz-Security-Token": {"forged"}, "Authorization": {"forged"}}} {
					s.front.asked()
					got := s.get(t, ada, path(id), header)
					if got.Status != http.StatusOK || string(got.Body) != "film" {
						t.Errorf("%d %.300s", got.Status, got.Body)
					}
					p.checkHarmless(t, got)
					if asked := s.front.asked(); len(asked) != 1 || !slices.Equal(asked[0].Header["X-Amz-Security-Token"], []string{*keys.SessionToken}) {
						t.Errorf("the store was asked %v", asked)
					}
				}
				if got := s.ask(t, ada, http.MethodHead, path(id), nil); got.Status != http.StatusOK {
					t.Errorf("HEAD: %d", got.Status)
				}
				if got := s.get(t, account{}, path(id), nil); got.Status != http.StatusUnauthorized {
					t.Errorf("anonymous: %d", got.Status)
				}
			})
		}
	})
}
