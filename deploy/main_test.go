//go:build proxies

package deploy_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/devstack/programs"
	"meetd/adapters/devstack/store"
	"meetd/adapters/devstack/storetest"
)

// meetd is the program, built for this test.
var meetd string

func TestMain(m *testing.M) {
	store.Child()
	dir, err := os.MkdirTemp("", "meetd-deploy-")
	if err == nil {
		meetd, err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build meetd:", err)
		os.Exit(1)
	}
	pgtest.Main(m)
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// build reads the sources of the program too, so that an old result of these
// tests is not reused when they change.
func build(dir string) (path string, err error) {
	for _, part := range []string{"adapters", "app", "cmd/meetd", "domain", "ports", "sql"} {
		err := filepath.WalkDir(filepath.Join("..", part), func(name string, _ os.DirEntry, err error) error {
			if ext := filepath.Ext(name); err == nil && (ext == ".go" || ext == ".sql") {
				_, err = os.ReadFile(name)
			}
			return err
		})
		if err != nil {
			return "", err
		}
	}
	path = filepath.Join(dir, "meetd")
	out, err := exec.Command("go", "build", "-o", path, "meetd/cmd/meetd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
}

const serverName = "meet.example.org"

// proxy is one of the proxies, and what is special about it.
type proxy struct {
	name string // of MEETD_MEDIA_PROXY
	// run starts it on the delivered files, listening at address.
	run func(t *testing.T, s *setup, address string) *programs.Process

	// nameless: files are attachments, and the browser finds a name.
	nameless bool
	// noRanges: with If-Range all of the file is sent, always.
	noRanges bool
	// keepsQuery: the store sees it and refuses, since it is not signed.
	keepsQuery bool
	// cleans: dot segments are resolved before anything else.
	cleans bool
	// refusesBody: a GET with a body need not be answered.
	refusesBody bool
	// freshChecks: connections to the service are not all kept.
	freshChecks bool
	// unavailable is the status when meetd cannot be asked.
	unavailable int
	// noMethod is the status for other methods than GET and HEAD.
	noMethod int
}

// each runs fn with every proxy that can be had.
func each(t *testing.T, fn func(t *testing.T, p proxy)) {
	t.Helper()
	proxies := []proxy{nginx, caddy}
	if _, ok := findTraefik(); ok {
		proxies = append(proxies, traefik)
	} else {
		t.Log("there is no traefik program on PATH and in MEETD_TRAEFIK: its real tests do not run")
	}
	for _, p := range proxies {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			fn(t, p)
		})
	}
}

// eachWithStore runs fn with every proxy before every store.
func eachWithStore(t *testing.T, fn func(t *testing.T, p proxy, bucket storetest.Store)) {
	t.Helper()
	each(t, func(t *testing.T, p proxy) {
		storetest.Each(t, storetest.Hook{}, func(t *testing.T, bucket storetest.Store) { fn(t, p, bucket) })
	})
}

// setup is a proxy in front of meetd and of a store.
type setup struct {
	URL    string
	DB     *pgxpool.Pool
	Bucket storetest.Store

	dir         string // the proxy's own
	client      *http.Client
	keys        *tls.Config
	toService   *watched   // what the proxy connects to
	front       *frontDesk // what the proxy asks the store
	stopService func()
}

// watched counts the connections that are accepted.
type watched struct {
	net.Listener
	accepted atomic.Int64
}

func (w *watched) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err == nil {
		w.accepted.Add(1)
	}
	return c, err
}

func listen(t *testing.T) *watched {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &watched{Listener: l}
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l := listen(t)
	defer l.Close() //nolint:errcheck // held nothing
	return l.Addr().String()
}

// relay passes connections on, one for one.
func relay(t *testing.T, to string) *watched {
	t.Helper()
	w := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			in, err := w.Accept()
			if err != nil {
				return // the test is over
			}
			wg.Go(func() {
				defer in.Close() //nolint:errcheck // one end has gone
				out, err := (&net.Dialer{}).DialContext(context.WithoutCancel(t.Context()), "tcp", to)
				if err != nil {
					return // whoever connected sees it too
				}
				wg.Go(func() {
					_, _ = io.Copy(out, in)
					_ = out.Close()
				})
				_, _ = io.Copy(in, out)
			})
		}
	})
	t.Cleanup(func() {
		_ = w.Close()
		wg.Wait()
	})
	return w
}

// frontDesk stands before a store and remembers what it was asked.
type frontDesk struct {
	*httptest.Server
	listener *watched
	sent     atomic.Int64 // bytes of bodies towards the proxy

	mu   sync.Mutex
	seen []*http.Request
}

func newFrontDesk(t *testing.T, endpoint string) *frontDesk {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	d := &frontDesk{listener: listen(t)}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	proxy := &httputil.ReverseProxy{
		// The name of the host is signed: it stays.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", target.Host, r.In.Host
		},
		Transport: transport,
	}
	d.Server = &httptest.Server{Listener: d.listener, Config: &http.Server{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d.mu.Lock()
			d.seen = append(d.seen, r.Clone(context.WithoutCancel(r.Context())))
			d.mu.Unlock()
			proxy.ServeHTTP(&counting{w, &d.sent}, r)
		}),
	}}
	d.Start()
	t.Cleanup(func() {
		d.CloseClientConnections()
		d.Close()
		transport.CloseIdleConnections()
	})
	return d
}

// asked returns what was asked since the last call.
func (d *frontDesk) asked() []*http.Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// start runs everything. env is added to the configuration of the service.
func start(t *testing.T, p proxy, bucket storetest.Store, env map[string]string) *setup {
	t.Helper()
	s := &setup{Bucket: bucket, front: newFrontDesk(t, bucket.Endpoint), dir: t.TempDir()}
	s.startService(t, p, env)
	s.certificate(t)
	address := freeAddress(t)
	s.URL = "https://" + address
	s.client = &http.Client{
		Timeout:       2 * time.Minute,
		Transport:     &http.Transport{TLSClientConfig: s.keys, DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	process := p.run(t, s, address)
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if err := process.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	awaitListener(t, p.name, address, process)
	// Some listen before they know where to.
	eventually(t, p.name+" serves", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/__lbheartbeat__", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = serverName
		resp, err := s.client.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

// startService runs meetd.
func (s *setup) startService(t *testing.T, p proxy, env map[string]string) {
	t.Helper()
	vars := map[string]string{
		"MEETD_MEDIA_PROXY":        p.name,
		"DJANGO_CONFIGURATION":     "Development",
		"AWS_S3_ENDPOINT_URL":      s.front.URL,
		"AWS_S3_REGION_NAME":       s.Bucket.Region,
		"AWS_S3_ACCESS_KEY_ID":     s.Bucket.AccessKey,
		"AWS_S3_SECRET_ACCESS_KEY": s.Bucket.SecretKey,
		"AWS_STORAGE_BUCKET_NAME":  s.Bucket.Bucket,
	}
	maps.Copy(vars, env)
	if vars["DATABASE_URL"] == "" {
		vars["DATABASE_URL"] = pgtest.DSN(t)
	}
	address := freeAddress(t)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), meetd, "serve", "--listen", address)
	for name, value := range vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	process, err := programs.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	s.stopService = sync.OnceFunc(func() {
		if err := process.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stopService)
	awaitListener(t, "meetd", address, process)
	s.toService = relay(t, address)
	if s.DB, err = pgxpool.New(t.Context(), vars["DATABASE_URL"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.DB.Close)
}

func awaitListener(t *testing.T, name, address string, p *programs.Process) {
	t.Helper()
	eventually(t, name+" listens", func() bool {
		select {
		case <-p.Exited():
			t.Fatal(name + " has ended")
		default:
		}
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

// adapt reads a delivered file and puts values into the places that it marks,
// and nowhere else.
func adapt(t *testing.T, file string, values map[string]string) string {
	t.Helper()
	delivered, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(delivered)) {
		text, note, marked := strings.Cut(line, " # ADAPT")
		if !marked {
			lines = append(lines, line)
			continue
		}
		found := false
		for old, value := range values {
			if strings.Count(text, old) == 1 {
				text, found = strings.Replace(text, old, value, 1), true
				break
			}
		}
		if !found {
			t.Fatalf("%s has a place to adapt that this test does not know: %s", file, line)
		}
		lines = append(lines, text+" #"+note)
	}
	return strings.Join(lines, "")
}

// launch starts a program whose words are the test's.
func launch(t *testing.T, name string, dir string, args ...string) *programs.Process {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	p, err := programs.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s *setup) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate makes one for the proxy that the client trusts.
func (s *setup) certificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{serverName}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.write(t, "tls.crt", string(public))
	s.write(t, "tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	s.keys = &tls.Config{RootCAs: roots, ServerName: serverName, MinVersion: tls.VersionTLS12}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("in vain: %s", what)
		case <-tick.C:
		}
	}
}

func (s *setup) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := s.DB.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// account is somebody with a live session; the zero account is anonymous.
type account struct {
	ID     uuid.UUID
	Secret string
}

func (s *setup) login(t *testing.T) account {
	t.Helper()
	a := account{ID: uuid.New(), Secret: rand.Text()}
	s.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, language, timezone,
			is_device, is_staff, is_active, default_room_configuration)
		VALUES ($1, '!', false, now(), now(), $2, 'en-us', 'UTC', false, false, true, '{}')`, a.ID, "sub-"+a.ID.String())
	hash := sha256.Sum256([]byte(a.Secret))
	s.exec(t, `INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at)
		VALUES ($1, $2, '{}', now(), now() + interval '12 hours')`, hash[:], a.ID)
	return a
}

type roles map[account]string

// recording makes a recording with its object.
func (s *setup) recording(t *testing.T, status, contentType string, body []byte, access roles) uuid.UUID {
	t.Helper()
	room, id := uuid.New(), uuid.New()
	s.exec(t, `INSERT INTO meet_resource (id, created_at, updated_at) VALUES ($1, now(), now())`, room)
	s.exec(t, `INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) VALUES ($1, $2, $2, '{}', 'restricted')`,
		room, "weekly-"+room.String())
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
		VALUES ($1, now(), now(), $2, $3, 'screen_recording', '{}')`, id, status, room)
	for a, role := range access {
		s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
			VALUES ($1, now(), now(), '', $2, $3, $4)`, uuid.New(), role, id, a.ID)
	}
	s.Bucket.Put(t, "recordings/"+id.String()+".mp4", contentType, body)
	return id
}

// answer is what the proxy said.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// get asks the proxy; target is what stands in the request line.
func (s *setup) get(t *testing.T, as account, target string, header http.Header) answer {
	t.Helper()
	return s.ask(t, as, http.MethodGet, target, header)
}

func (s *setup) ask(t *testing.T, as account, method, target string, header http.Header) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque, req.Host = target, serverName
	if as.Secret != "" {
		req.AddCookie(&http.Cookie{Name: "meet_sessionid", Value: as.Secret})
	}
	for name, v := range header {
		req.Header[name] = append(req.Header[name], v...)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %.200s: %v", method, target, err)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// foreign are the headers that must never reach a browser.
func foreign(h http.Header) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(h)), func(name string) bool {
		return name != "Authorization" && name != "Set-Cookie" && !strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, "X-Minio-") &&
			!strings.HasPrefix(name, "X-Ratelimit-")
	})
}
