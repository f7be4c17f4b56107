package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"meetd/adapters/devstack/programs"
	"meetd/adapters/devstack/store"
	"meetd/adapters/s3"
)

const bucketName = "meet-media-storage"

// site is meetd, a store and nginx in front of both; and a second nginx that
// asks nobody, with headers signed beforehand.
type site struct {
	data    *data
	store   *store.Store
	meetd   *process
	checked string // address of the nginx that asks meetd
	free    string // address of the nginx that asks nobody
	nginx   []*programs.Process
}

func (s *site) close() {
	for _, p := range s.nginx {
		_ = p.Stop(2 * time.Second)
	}
	if s.meetd != nil {
		s.meetd.stop()
	}
	if s.store != nil {
		_ = s.store.Close()
	}
	if s.data != nil {
		_ = s.data.server.Close()
	}
}

// object is a file of one size; number i is recording i.
type object struct {
	name string
	size int
}

var objects = []object{{"1 KiB", 1 << 10}, {"1 MiB", 1 << 20}, {"64 MiB", 64 << 20}}

func openSite(ctx context.Context, b *bench) (*site, error) {
	s := &site{}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		return s, errors.New("nginx is not found: install it (on Debian: apt-get install nginx-light) or leave out b with -only")
	}
	if s.data, err = seed(ctx, b); err != nil {
		return s, err
	}
	if s.store, err = store.Start(ctx, store.Options{
		Dir: filepath.Join(b.dir, "store"), AccessKey: "meetdev", SecretKey: "meetdevsecret", Buckets: []string{bucketName},
	}); err != nil {
		return s, fmt.Errorf("object store: %w", err)
	}
	for i, o := range objects {
		content := make([]byte, o.size)
		_, _ = rand.Read(content) // never fails
		if _, err := s.store.Client().PutObject(ctx, &awss3.PutObjectInput{
			Bucket: aws.String(bucketName), Key: aws.String(s.key(i)), ContentType: aws.String("video/mp4"), Body: bytes.NewReader(content),
		}); err != nil {
			return s, fmt.Errorf("upload: %w", err)
		}
	}
	env := s.data.env()
	env["AWS_S3_ENDPOINT_URL"] = s.store.Endpoint
	if s.meetd, err = launch(ctx, b.meetd, []string{"serve"}, env); err != nil {
		return s, err
	}
	if s.checked, err = s.startNginx(ctx, b, nginx, "checked", nil); err != nil {
		return s, err
	}
	signed, err := s.signed(ctx)
	if err != nil {
		return s, err
	}
	s.free, err = s.startNginx(ctx, b, nginx, "free", signed)
	return s, err
}

func (s *site) key(i int) string { return "recordings/" + s.data.ids[i].String() + ".mp4" }

// signed is the part of the second nginx's configuration that replaces the
// question to meetd: headers that are good for some minutes.
func (s *site) signed(ctx context.Context) ([]string, error) {
	endpoint, err := url.Parse(s.store.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("store address: %w", err)
	}
	bucket := s3.New(s3.Config{
		Endpoint: endpoint, Bucket: bucketName, Now: time.Now,
		Credentials: credentials.NewStaticCredentialsProvider(s.store.AccessKey, s.store.SecretKey, ""),
	})
	var locations []string
	for i := range objects {
		get, err := bucket.Sign(ctx, http.MethodGet, s.key(i), time.Now())
		if err != nil {
			return nil, err //nolint:wrapcheck // our own
		}
		head, err := bucket.Sign(ctx, http.MethodHead, s.key(i), time.Now())
		if err != nil {
			return nil, err //nolint:wrapcheck // our own
		}
		locations = append(locations, fmt.Sprintf(`
    location = /media/%s {
        set $meet_verdict "200";
        set $meet_authorization "%s";
        if ($request_method = HEAD) { set $meet_authorization "%s"; }
        set $meet_date "%s";
        set $meet_content_sha256 "%s";
        set $meet_security_token "";
        rewrite ^/media/(.*)$ /$meet_bucket/$1? break;
        proxy_set_header Range $meet_range;
        include meetd_store.inc;
        proxy_pass http://objects;
    }`, s.key(i), get.Authorization, head.Authorization, get.Date, get.ContentSHA256))
	}
	return locations, nil
}

// startNginx runs deploy/nginx/meetd.conf on a free port, adapted as its
// comments say. locations, if any, come first and leave meetd out.
func (s *site) startNginx(ctx context.Context, b *bench, program, name string, locations []string) (string, error) {
	root, err := programs.ModuleRoot()
	if err != nil {
		return "", err //nolint:wrapcheck // says what to do
	}
	source := filepath.Join(root, "deploy", "nginx")
	conf, err := os.ReadFile(filepath.Join(source, "meetd.conf")) //nolint:gosec // of this module
	if err != nil {
		return "", fmt.Errorf("nginx configuration: %w", err)
	}
	include, err := os.ReadFile(filepath.Join(source, "meetd_store.inc")) //nolint:gosec // of this module
	if err != nil {
		return "", fmt.Errorf("nginx configuration: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("no free port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("free port: %w", err)
	}
	storeHost := strings.TrimPrefix(s.store.Endpoint, "http://")
	text := strings.NewReplacer(
		"127.0.0.1:8000", s.meetd.address, "127.0.0.1:9000", storeHost,
		"listen 443 ssl;", "listen "+address+";",
		"ssl_certificate ", "# ssl_certificate ", "ssl_certificate_key ", "# ssl_certificate_key ",
		"server_name meet.example.org;", "server_name _;"+strings.Join(locations, ""),
	).Replace(string(conf))
	dir := filepath.Join(b.dir, "nginx-"+name)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // nginx's workers must get through it
		return "", fmt.Errorf("nginx folder: %w", err)
	}
	main := `daemon off;
worker_processes 2;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000;
  proxy_headers_hash_max_size 1024; proxy_headers_hash_bucket_size 128;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  include meetd.conf;
}
`
	for file, content := range map[string]string{"nginx.conf": main, "meetd.conf": text, "meetd_store.inc": string(include)} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil { //nolint:gosec // nothing secret
			return "", fmt.Errorf("nginx configuration: %w", err)
		}
	}
	var stderr bytes.Buffer
	cmd := exec.Command(program, "-p", dir, "-c", "nginx.conf") //nolint:gosec,noctx // stopped by us
	cmd.Stderr = &stderr
	p, err := programs.Start(cmd)
	if err != nil {
		return "", fmt.Errorf("start nginx: %w", err)
	}
	s.nginx = append(s.nginx, p)
	for range 200 {
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address); err == nil {
			return address, c.Close()
		}
		select {
		case <-p.Exited():
			return "", fmt.Errorf("nginx ended: %s", stderr.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return "", errors.New("nginx does not answer")
}

// downloads is benchmark b: through nginx with the check, and by the built-in
// stream, against nginx without a check.
func downloads(ctx context.Context, b *bench) error {
	s, err := openSite(ctx, b)
	defer s.close()
	if err != nil {
		return err
	}
	type way struct {
		name   string
		object int
		method string
		header string
		status int
	}
	big := len(objects) - 1
	ways := []way{
		{"1 KiB", 0, http.MethodGet, "", 200},
		{"1 MiB", 1, http.MethodGet, "", 200},
		{"64 MiB", big, http.MethodGet, "", 200},
		{"first 1 MiB of 64", big, http.MethodGet, "Range: bytes=0-1048575\r\n", 206},
		{"middle 1 MiB of 64", big, http.MethodGet, "Range: bytes=33554432-34603007\r\n", 206},
		{"last 1 MiB of 64", big, http.MethodGet, "Range: bytes=-1048576\r\n", 206},
		{"HEAD", 1, http.MethodHead, "", 200},
	}
	for _, subject := range []struct{ name, address string }{
		{"nginx and meetd", s.checked}, {"built-in stream", s.meetd.address},
	} {
		for _, w := range ways {
			err := b.compare("b", w.name, subject.name, "nginx without a check", []string{"req/s"}, func(isSubject bool) ([]float64, error) {
				address := s.free
				if isSubject {
					address = subject.address
				}
				raw := fmt.Appendf(nil, "%s /media/%s HTTP/1.1\r\nHost: localhost\r\nCookie: meet_sessionid=%s\r\n%s\r\n",
					w.method, s.key(w.object), s.data.secrets[w.object%users], w.header)
				l, err := hammer(ctx, address, 8, b.period, func(int, int) request {
					return request{raw: raw, method: w.method, status: w.status}
				})
				return []float64{l.perSecond}, err
			})
			if err != nil {
				return err
			}
		}
	}
	return b.slowReaders(ctx, s)
}

// slowReaders asks for a large file many times and hardly reads: what does the
// built-in stream hold for each?
func (b *bench) slowReaders(ctx context.Context, s *site) error {
	const readers = 500
	return b.compare("b", "500 slow readers", "built-in stream", "64 KiB", []string{"KiB each"}, func(isSubject bool) ([]float64, error) {
		if !isSubject {
			return []float64{64}, nil
		}
		before := rss(s.meetd.pid)
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				_ = c.Close()
			}
		}()
		for range readers {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.meetd.address)
			if err != nil {
				return nil, fmt.Errorf("connect: %w", err)
			}
			conns = append(conns, c)
			big := len(objects) - 1
			if _, err := fmt.Fprintf(c, "GET /media/%s HTTP/1.1\r\nHost: localhost\r\nCookie: meet_sessionid=%s\r\n\r\n",
				s.key(big), s.data.secrets[big]); err != nil {
				return nil, fmt.Errorf("send: %w", err)
			}
			if _, err := c.Read(make([]byte, 512)); err != nil {
				return nil, fmt.Errorf("receive: %w", err)
			}
		}
		select { // let the buffers fill
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(2 * time.Second):
		}
		return []float64{max(0.1, (rss(s.meetd.pid)-before)*1024/readers)}, nil
	})
}
