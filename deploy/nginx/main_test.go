//go:build proxies

package nginx_test

import (
	"bytes"
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
	dir, err := os.MkdirTemp("", "meetd-nginx-")
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
		err := filepath.WalkDir(filepath.Join("../..", part), func(name string, _ os.DirEntry, err error) error {
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

// setup is nginx in front of meetd and of a store.
type setup struct {
	URL    string
	DB     *pgxpool.Pool
	Bucket storetest.Store

	dir         string // nginx's own
	client      *http.Client
	keys        *tls.Config
	toService   *watched   // what nginx connects to
	front       *frontDesk // what nginx asks the store
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
	sent     atomic.Int64 // bytes of bodies towards nginx

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
func start(t *testing.T, bucket storetest.Store, env map[string]string) *setup {
	t.Helper()
	s := &setup{Bucket: bucket, front: newFrontDesk(t, bucket.Endpoint), dir: t.TempDir()}
	s.startService(t, env)
	s.startNginx(t)
	return s
}

// startService runs meetd.
func (s *setup) startService(t *testing.T, env map[string]string) {
	t.Helper()
	vars := map[string]string{
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
	p, err := programs.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	s.stopService = sync.OnceFunc(func() {
		if err := p.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.stopService)
	awaitListener(t, "meetd", address, p)
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

// program finds nginx.
func program(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no nginx program on PATH: install one of version 1.22 or later, on Debian with " +
		"`apt-get install nginx-light`, on macOS with `brew install nginx`")
	return ""
}

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

// startNginx runs nginx on the delivered files, adapted at the marked places and
// nowhere else.
func (s *setup) startNginx(t *testing.T) {
	t.Helper()
	address := freeAddress(t)
	s.certificate(t)
	delivered, err := os.ReadFile("meetd.conf")
	if err != nil {
		t.Fatal(err)
	}
	adapted := string(delivered)
	for old, value := range map[string]string{
		"server 127.0.0.1:8000; # ADAPT":                             "server " + s.toService.Addr().String() + ";",
		"server 127.0.0.1:9000; # ADAPT":                             "server " + s.front.Listener.Addr().String() + ";",
		`default "127.0.0.1:9000"; # ADAPT`:                          `default "` + s.front.Listener.Addr().String() + `";`,
		`default "meet-media-storage"; # ADAPT`:                      `default "` + s.Bucket.Bucket + `";`,
		"listen 443 ssl; # ADAPT":                                    "listen " + address + " ssl;",
		"server_name meet.example.org; # ADAPT":                      "server_name " + serverName + ";",
		"ssl_certificate /etc/ssl/meet.example.org.crt; # ADAPT":     "ssl_certificate tls.crt;",
		"ssl_certificate_key /etc/ssl/meet.example.org.key; # ADAPT": "ssl_certificate_key tls.key;",
	} {
		if strings.Count(adapted, old) != 1 {
			t.Fatalf("meetd.conf has %q %d times, want once", old, strings.Count(adapted, old))
		}
		adapted = strings.ReplaceAll(adapted, old, value+" #")
	}
	if strings.Contains(adapted, "; # ADAPT") {
		t.Fatalf("a place to adapt is unknown to this test:\n%s", adapted)
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the folder of the test is closed to others
	}
	s.write(t, "meetd.conf", adapted)
	s.write(t, "nginx.conf", fmt.Sprintf(nginxMain, user))
	part, err := os.ReadFile("meetd_store.inc")
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "meetd_store.inc", string(part))

	args := []string{"-p", s.dir + "/", "-e", "stderr", "-c", "nginx.conf"}
	name := program(t)
	out, err := exec.CommandContext(t.Context(), name, append(args, "-t")...).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("[warn]")) {
		t.Fatalf("nginx does not like the configuration: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	p, err := programs.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if err := p.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	s.URL = "https://" + address
	s.client = &http.Client{
		Timeout:       2 * time.Minute,
		Transport:     &http.Transport{TLSClientConfig: s.keys, DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	awaitListener(t, "nginx", address, p)
}

func (s *setup) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certificate makes one for nginx that the client trusts.
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
		room, room.String())
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
		VALUES ($1, now(), now(), $2, $3, 'screen_recording', '{}')`, id, status, room)
	for a, role := range access {
		s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
			VALUES ($1, now(), now(), '', $2, $3, $4)`, uuid.New(), role, id, a.ID)
	}
	s.Bucket.Put(t, "recordings/"+id.String()+".mp4", contentType, body)
	return id
}

// answer is what nginx said.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// get asks nginx; target is what stands in the request line.
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
