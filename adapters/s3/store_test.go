package s3_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"meetd/adapters/devstack/store"
	"meetd/adapters/devstack/storetest"
	"meetd/adapters/s3"
	"meetd/domain/fault"
	"meetd/ports"
)

func TestMain(m *testing.M) {
	store.Child()
	os.Exit(m.Run())
}

// open is the bucket of a store, seen with a clock.
func open(t *testing.T, s storetest.Store, now func() time.Time) *s3.Bucket {
	t.Helper()
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Config{
		Endpoint: u, Region: s.Region, Bucket: s.Bucket, Now: now, Client: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
}

// Names that are escaped in URLs, each in its own way.
var awkward = []string{"recordings/plain.mp4", "recordings/sp ace.mp4", "recordings/a+b.mp4", "recordings/é.mp4", "recordings/a%2Fb&c=d;~.mp4"}

func TestStat(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, s storetest.Store) {
		b := open(t, s, time.Now)
		s.Put(t, "recordings/empty.mp4", "video/mp4", nil)
		if got, err := b.Stat(t.Context(), "recordings/empty.mp4"); err != nil || got != (ports.Object{ContentType: "video/mp4"}) {
			t.Errorf("empty object: %+v, %v", got, err)
		}
		for _, key := range awkward {
			if _, err := b.Stat(t.Context(), key); !errors.Is(err, fault.NotFound) {
				t.Errorf("%s before it is there: %v, want not found", key, err)
			}
			s.Put(t, key, "audio/ogg", []byte(key))
			want := ports.Object{Size: int64(len(key)), ContentType: "audio/ogg"}
			if got, err := b.Stat(t.Context(), key); err != nil || got != want {
				t.Errorf("%s: %+v (%v), want %+v", key, got, err, want)
			}
		}
	})
}

func TestFetch(t *testing.T) {
	t.Parallel()
	const key, whole = "recordings/film.mp4", "0123456789"
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, s storetest.Store) {
		s.Put(t, key, "video/mp4", []byte(whole))
		b := open(t, s, time.Now)
		first, err := b.Fetch(t.Context(), http.MethodGet, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = first.Body.Close()
		tag, modified := first.Header.Get("Etag"), first.Header.Get("Last-Modified")
		at, err := http.ParseTime(modified)
		if err != nil {
			t.Fatal(err)
		}
		past, later := at.Add(-time.Hour).Format(http.TimeFormat), at.Add(time.Second).Format(http.TimeFormat)
		many := "bytes=" + strings.Repeat("0-1,", 999) + "0-1"
		for _, c := range []struct {
			name   string
			method string
			header http.Header
			status int
			body   string
			rang   string // Content-Range
		}{
			{"whole", "GET", nil, 200, whole, ""},
			{"first bytes", "GET", http.Header{"Range": {"bytes=0-2"}}, 206, "012", "bytes 0-2/10"},
			{"middle", "GET", http.Header{"Range": {"bytes=4-6"}}, 206, "456", "bytes 4-6/10"},
			{"to the end", "GET", http.Header{"Range": {"bytes=7-"}}, 206, "789", "bytes 7-9/10"},
			{"past the end", "GET", http.Header{"Range": {"bytes=7-99"}}, 206, "789", "bytes 7-9/10"},
			{"suffix", "GET", http.Header{"Range": {"bytes=-4"}}, 206, "6789", "bytes 6-9/10"},
			{"beyond", "GET", http.Header{"Range": {"bytes=10-"}}, 416, "", ""},
			{"two ranges", "GET", http.Header{"Range": {"bytes=0-1,4-5"}}, 200, whole, ""},
			{"a thousand ranges", "GET", http.Header{"Range": {many}}, 200, whole, ""},
			{"range sent twice", "GET", http.Header{"Range": {"bytes=0-1", "bytes=4-5"}}, 200, whole, ""},

			{"fresh tag", "GET", http.Header{"Range": {"bytes=4-6"}, "If-Range": {tag}}, 206, "456", "bytes 4-6/10"},
			{"stale tag", "GET", http.Header{"Range": {"bytes=4-6"}, "If-Range": {`"stale"`}}, 200, whole, ""},
			{"weak tag", "GET", http.Header{"Range": {"bytes=4-6"}, "If-Range": {"W/" + tag}}, 200, whole, ""},
			{"fresh date", "GET", http.Header{"Range": {"bytes=4-6"}, "If-Range": {modified}}, 206, "456", "bytes 4-6/10"},
			{"stale date", "GET", http.Header{"Range": {"bytes=4-6"}, "If-Range": {past}}, 200, whole, ""},
			{"a later date", "GET", http.Header{"Range": {"bytes=4-6"}, "If-Range": {later}}, 200, whole, ""},
			{"If-Range alone", "GET", http.Header{"If-Range": {`"stale"`}}, 200, whole, ""},
			{"stale tag, two ranges", "GET", http.Header{"Range": {"bytes=0-1,4-5"}, "If-Range": {`"stale"`}}, 200, whole, ""},

			{"fresh tag of something else", "GET", http.Header{"Range": {"bytes=4-6"}, "If-Range": {tag}, "If-Match": {`"other"`}}, 412, "", ""},

			{"unchanged by tag", "GET", http.Header{"If-None-Match": {tag}}, 304, "", ""},
			{"changed by tag", "GET", http.Header{"If-None-Match": {`"other"`}}, 200, whole, ""},
			{"changed by date", "GET", http.Header{"If-Modified-Since": {past}}, 200, whole, ""},
			{"changed, by the condition of date", "GET", http.Header{"If-Unmodified-Since": {past}}, 412, "", ""},
			{"not this one", "GET", http.Header{"If-Match": {`"other"`}}, 412, "", ""},
			{"this one", "GET", http.Header{"If-Match": {tag}}, 200, whole, ""},

			{"HEAD", "HEAD", nil, 200, "", ""},
			{"HEAD unchanged", "HEAD", http.Header{"If-None-Match": {tag}}, 304, "", ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				f, err := b.Fetch(t.Context(), c.method, key, c.header)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Body.Close() //nolint:errcheck // read to its end
				body, err := io.ReadAll(f.Body)
				if err != nil {
					t.Fatal(err)
				}
				if f.Status != c.status {
					t.Fatalf("status %d %s, want %d", f.Status, body, c.status)
				}
				if c.status >= 400 {
					return // the body is an explanation
				}
				if string(body) != c.body || f.Header.Get("Content-Range") != c.rang {
					t.Errorf("body %q, Content-Range %q; want %q, %q", body, f.Header.Get("Content-Range"), c.body, c.rang)
				}
				if c.status == http.StatusNotModified {
					return
				}
				length := len(c.body)
				if c.method == http.MethodHead {
					length = len(whole)
				}
				if got := f.Header.Get("Content-Length"); got != strconv.Itoa(length) || f.Header.Get("Etag") != tag {
					t.Errorf("Content-Length %s, tag %s; want %d, %s", got, f.Header.Get("Etag"), length, tag)
				}
			})
		}
		if _, err := b.Fetch(t.Context(), http.MethodGet, "recordings/absent.mp4", nil); !errors.Is(err, fault.NotFound) {
			t.Errorf("absent object: %v, want not found", err)
		}
	})
}

// What a browser sends must not become a request of our account.
func TestFetchPassesOnFewHeaders(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
	t.Cleanup(srv.Close)
	b := open(t, storetest.Store{Endpoint: srv.URL, Bucket: "meet", AccessKey: "mine", SecretKey: "s"}, time.Now)
	many := "bytes=0-1," + strings.Repeat("0-1,", 998) + "0-1"
	f, err := b.Fetch(t.Context(), http.MethodGet, "a.mp4", http.Header{
		"Authorization": {"AWS4-HMAC-SHA256 forged"}, "Cookie": {"a=b"}, "X-Amz-Date": {"forged"}, "X-Amz-Security-Token": {"forged"},
		"X-Amz-Server-Side-Encryption-Customer-Key": {"forged"}, "Accept-Encoding": {"gzip"}, "X-Forwarded-For": {"1.2.3.4"},
		"Host": {"forged"}, "Range": {many}, "If-Match": {`"a"`, `"b"`}, "If-None-Match": {`"c"`},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Body.Close()
	r := <-seen
	if auth := r.Header.Get("Authorization"); !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=mine/") || r.Host != strings.TrimPrefix(srv.URL, "http://") {
		t.Errorf("Authorization %s, Host %s", auth, r.Host)
	}
	for _, own := range []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "User-Agent"} {
		if strings.Contains(r.Header.Get(own), "forged") {
			t.Errorf("%s came through", own)
		}
		r.Header.Del(own)
	}
	want := http.Header{"If-None-Match": {`"c"`}, "Accept-Encoding": {"identity"}}
	if diff := cmp.Diff(want, r.Header); diff != "" {
		t.Errorf("headers to the store (-want +got):\n%s", diff)
	}
}

func TestStoreThatRefusesIsUnavailable(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, s storetest.Store) {
		s.Put(t, "a.mp4", "video/mp4", []byte("a"))
		s.SecretKey = "guess-guess-guess"
		isUnavailable(t, open(t, s, time.Now), "a.mp4")
	})
}

func TestStoreThatIsDownIsUnavailable(t *testing.T) {
	t.Parallel()
	up, err := store.Start(t.Context(), store.Options{
		Dir: t.TempDir(), AccessKey: "key", SecretKey: "secret-secret", Buckets: []string{"meet"}, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(up.Kill)
	b := open(t, storetest.Store{Endpoint: up.Endpoint, Bucket: "meet", AccessKey: "key", SecretKey: "secret-secret"}, time.Now)
	if _, err := b.Stat(t.Context(), "a.mp4"); !errors.Is(err, fault.NotFound) {
		t.Fatalf("while it is up: %v, want not found", err)
	}
	up.Kill()
	isUnavailable(t, b, "a.mp4")
}

// A store whose answer makes no sense is no reason to believe that an object is
// there, or is not.
func TestStoreThatAnswersNonsenseIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"server error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"slow down":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"forbidden":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"created":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) },
		"hangs up":     func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(answer)
			t.Cleanup(srv.Close)
			isUnavailable(t, open(t, storetest.Store{Endpoint: srv.URL, Bucket: "meet", AccessKey: "k", SecretKey: "s"}, time.Now), "a.mp4")
		})
	}
}

func isUnavailable(t *testing.T, b *s3.Bucket, key string) {
	t.Helper()
	if _, err := b.Stat(t.Context(), key); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Stat: %v, want unavailable", err)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		if f, err := b.Fetch(t.Context(), method, key, http.Header{"Range": {"bytes=0-1"}, "If-Range": {`"x"`}}); !errors.Is(err, fault.Unavailable) {
			t.Errorf("Fetch %s: %+v, %v, want unavailable", method, f, err)
		}
	}
}

// What is signed for a proxy must open this one object, in this one way, for
// some minutes.
func TestSignedHeaders(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, s storetest.Store) {
		b := open(t, s, time.Now)
		for _, key := range append(awkward, "other.mp4") {
			s.Put(t, key, "video/mp4", []byte(key))
		}
		for _, key := range awkward {
			signed := sign(t, b, http.MethodGet, key, time.Now())
			if status, body := present(t, s, signed, http.MethodGet, key, nil); status != http.StatusOK || body != key {
				t.Errorf("%s: %d %s", key, status, body)
			}
			if status, body := present(t, s, signed, http.MethodGet, key, http.Header{"Range": {"bytes=0-3"}}); status != http.StatusPartialContent || body != key[:4] {
				t.Errorf("first bytes of %s: %d %s", key, status, body)
			}
			signed = sign(t, b, http.MethodHead, key, time.Now())
			if status, _ := present(t, s, signed, http.MethodHead, key, nil); status != http.StatusOK {
				t.Errorf("HEAD of %s: %d", key, status)
			}
		}
		key, now := awkward[0], time.Now()
		get, head := sign(t, b, http.MethodGet, key, now), sign(t, b, http.MethodHead, key, now)
		forged := get
		forged.Date = now.Add(time.Second).UTC().Format("20060102T150405Z")
		for name, c := range map[string]struct {
			signed      ports.SignedHeaders
			method, key string
		}{
			"another object":          {get, http.MethodGet, "other.mp4"},
			"the bucket":              {get, http.MethodGet, ""},
			"a query":                 {get, http.MethodGet, key + "?versionId=null"},
			"another type by query":   {get, http.MethodGet, key + "?response-content-type=text/html"},
			"GET with HEAD's":         {head, http.MethodGet, key},
			"PUT with GET's":          {get, http.MethodPut, key},
			"DELETE with GET's":       {get, http.MethodDelete, key},
			"another date":            {forged, http.MethodGet, key},
			"after 16 minutes":        {sign(t, b, http.MethodGet, key, now.Add(-16*time.Minute)), http.MethodGet, key},
			"16 minutes in advance":   {sign(t, b, http.MethodGet, key, now.Add(16*time.Minute)), http.MethodGet, key},
			"without any":             {ports.SignedHeaders{}, http.MethodGet, key},
			"of yesterday":            {sign(t, b, http.MethodGet, key, now.Add(-24*time.Hour)), http.MethodGet, key},
			"after 16 minutes (HEAD)": {sign(t, b, http.MethodHead, key, now.Add(-16*time.Minute)), http.MethodHead, key},
		} {
			if status, body := present(t, s, c.signed, c.method, c.key, nil); status < 400 || status >= 500 {
				t.Errorf("%s: %d %s, want a refusal", name, status, body)
			}
		}
		if status, body := present(t, s, sign(t, b, http.MethodGet, key, now.Add(-14*time.Minute)), http.MethodGet, key, nil); status != http.StatusOK {
			t.Errorf("after 14 minutes: %d %s", status, body)
		}
		if got, err := b.Stat(t.Context(), key); err != nil || got.Size != int64(len(key)) {
			t.Errorf("afterwards: %+v, %v", got, err)
		}
	})
}

func sign(t *testing.T, b *s3.Bucket, method, key string, at time.Time) ports.SignedHeaders {
	t.Helper()
	signed, err := b.Sign(t.Context(), method, key, at)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// present does with signed headers what a proxy does. key may have a query.
func present(t *testing.T, s storetest.Store, signed ports.SignedHeaders, method, key string, extra http.Header) (status int, body string) {
	t.Helper()
	name, query, _ := strings.Cut(key, "?")
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	u.Path, u.RawQuery = "/"+s.Bucket+"/"+name, query
	u.RawPath = strings.NewReplacer("%", "%25", " ", "%20", "+", "%2B", "é", "%C3%A9", "&", "%26", "=", "%3D", ";", "%3B").Replace(u.Path)
	req, err := http.NewRequestWithContext(t.Context(), method, u.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range extra {
		req.Header[name] = v
	}
	if signed.Authorization != "" {
		req.Header.Set("Authorization", signed.Authorization)
		req.Header.Set("X-Amz-Date", signed.Date)
		req.Header.Set("X-Amz-Content-Sha256", signed.ContentSHA256)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// A presigned URL opens this one object, in this one way, until it expires.
func TestPresignedURLs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, s storetest.Store) {
		b := open(t, s, time.Now)
		presign := func(p ports.PresignRequest) string {
			t.Helper()
			if p.At.IsZero() {
				p.At = time.Now()
			}
			p.Expires = time.Minute
			signed, err := b.Presign(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			return signed
		}
		send := func(method, address, body string, header http.Header) *http.Response {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range header {
				req.Header[name] = v
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
			return resp
		}
		s.Put(t, "other.mp4", "text/html", []byte("other"))
		for _, key := range awkward {
			s.Put(t, key, "text/html", []byte(key))
			get := presign(ports.PresignRequest{Method: http.MethodGet, Key: key, FileName: "weekly.mp4", ContentType: "video/mp4"})
			resp := send(http.MethodGet, get, "", http.Header{"Range": {"bytes=0-3"}})
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusPartialContent || string(body) != key[:4] {
				t.Errorf("%s: %d %s, %v", key, resp.StatusCode, body, err)
			}
			if kind, name := resp.Header.Get("Content-Type"), resp.Header.Values("Content-Disposition"); kind != "video/mp4" ||
				len(name) != 1 || name[0] != "attachment; filename=weekly.mp4" {
				t.Errorf("%s: %s, %q", key, kind, name)
			}
			head := presign(ports.PresignRequest{Method: http.MethodHead, Key: key})
			if resp := send(http.MethodHead, head, "", nil); resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(key)) {
				t.Errorf("HEAD of %s: %d, %d bytes", key, resp.StatusCode, resp.ContentLength)
			}
		}
		put := ports.PresignRequest{Method: http.MethodPut, Key: "tmp/new.png", Header: map[string]string{"x-amz-acl": "private"}}
		if resp := send(http.MethodPut, presign(put), "new", http.Header{"X-Amz-Acl": {"private"}}); resp.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(resp.Body)
			t.Errorf("upload: %d %s", resp.StatusCode, body)
		}
		if got, err := b.Stat(t.Context(), "tmp/new.png"); err != nil || got.Size != 3 {
			t.Errorf("uploaded %+v, %v", got, err)
		}
		get := presign(ports.PresignRequest{Method: http.MethodGet, Key: awkward[0], ContentType: "video/mp4"})
		old := presign(ports.PresignRequest{Method: http.MethodGet, Key: awkward[0], At: time.Now().Add(-2 * time.Minute)})
		for name, c := range map[string]struct {
			method, address string
			header          http.Header
		}{
			"another object":         {http.MethodGet, strings.Replace(get, awkward[0], "other.mp4", 1), nil},
			"another type":           {http.MethodGet, strings.Replace(get, "video%2Fmp4", "text%2Fhtml", 1), nil},
			"one parameter more":     {http.MethodGet, get + "&versionId=null", nil},
			"HEAD of GET's":          {http.MethodHead, get, nil},
			"DELETE of GET's":        {http.MethodDelete, get, nil},
			"longer":                 {http.MethodGet, strings.Replace(get, "X-Amz-Expires=60", "X-Amz-Expires=600", 1), nil},
			"too late":               {http.MethodGet, old, nil},
			"upload without its ACL": {http.MethodPut, presign(put), nil},
			"upload, public":         {http.MethodPut, presign(put), http.Header{"X-Amz-Acl": {"public-read"}}},
		} {
			if resp := send(c.method, c.address, "", c.header); resp.StatusCode < 400 || resp.StatusCode >= 500 {
				t.Errorf("%s: %d, want a refusal", name, resp.StatusCode)
			}
		}
	})
}
