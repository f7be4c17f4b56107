package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"meetd/domain/fault"
	"meetd/ports"
)

// emptySHA256 is the payload hash of a request without body.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Config says where the bucket is and who asks.
type Config struct {
	Endpoint    *url.URL // scheme, host and port; default ports are left out of the signature
	Public      *url.URL // the same store as browsers reach it; nil: Endpoint
	Region      string   // empty: us-east-1
	Bucket      string
	Credentials aws.CredentialsProvider
	Now         func() time.Time
	Client      *http.Client
}

// Bucket is one bucket.
type Bucket struct {
	c      Config
	host   string
	signer *v4.Signer
	day    atomic.Pointer[dayKey]
}

var (
	_ ports.Objects         = (*Bucket)(nil)
	_ ports.ObjectSigner    = (*Bucket)(nil)
	_ ports.ObjectPresigner = (*Bucket)(nil)
)

// New prepares the bucket; it does not connect.
func New(c Config) *Bucket {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Public == nil {
		c.Public = c.Endpoint
	}
	return &Bucket{c: c, host: signedHost(c.Endpoint), signer: v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping, o.DisableHeaderHoisting = true, true
	})}
}

// signedHost is the host as clients send it: without a default port.
func signedHost(u *url.URL) string {
	if p := u.Port(); (p == "80" && u.Scheme == "http") || (p == "443" && u.Scheme == "https") {
		return strings.TrimSuffix(u.Host, ":"+p)
	}
	return u.Host
}

// object is the URL of an object at an endpoint.
func (b *Bucket) object(endpoint *url.URL, key string) *url.URL {
	path := "/" + b.c.Bucket + "/" + key
	// S3 signs the escaped path; Go would leave characters bare that S3 escapes.
	return &url.URL{Scheme: endpoint.Scheme, Host: signedHost(endpoint), Path: path, RawPath: httpbinding.EscapePath(path, false)}
}

// request makes the signed request for an object.
func (b *Bucket) request(ctx context.Context, method, key string, now time.Time) (*http.Request, error) {
	r := (&http.Request{
		Method: method,
		URL:    b.object(b.c.Endpoint, key),
		Header: http.Header{"X-Amz-Content-Sha256": {emptySHA256}},
		Host:   b.host,
	}).WithContext(ctx)
	creds, err := b.credentials(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.signer.SignHTTP(ctx, creds, r, emptySHA256, "s3", b.c.Region, now.UTC()); err != nil {
		return nil, fmt.Errorf("sign %s %s: %w", method, key, err)
	}
	return r, nil
}

func (b *Bucket) credentials(ctx context.Context) (aws.Credentials, error) {
	creds, err := b.c.Credentials.Retrieve(ctx)
	if err != nil {
		return creds, fault.Wrap(fault.Unavailable, "store_credentials", err)
	}
	return creds, nil
}

// Stat looks at an object.
func (b *Bucket) Stat(ctx context.Context, key string) (ports.Object, error) {
	f, err := b.Fetch(ctx, http.MethodHead, key, nil)
	if err != nil {
		return ports.Object{}, err
	}
	defer f.Body.Close() //nolint:errcheck // an answer to HEAD has no body
	var size int64
	if _, err := fmt.Sscan(f.Header.Get("Content-Length"), &size); err != nil {
		return ports.Object{}, fault.Wrap(fault.Unavailable, "store", fmt.Errorf("the store does not tell the size of %s", key))
	}
	return ports.Object{Size: size, ContentType: f.Header.Get("Content-Type")}, nil
}

// passed are the headers of a browser's request that the store may see.
var passed = []string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// Fetch opens an object for a browser.
func (b *Bucket) Fetch(ctx context.Context, method, key string, header http.Header) (*ports.Fetched, error) {
	wanted := http.Header{}
	for _, name := range passed {
		if v := header.Values(name); len(v) == 1 {
			wanted.Set(name, v[0])
		}
	}
	// More than one range is a lot of work for nobody: the whole file instead.
	if strings.Contains(wanted.Get("Range"), ",") {
		wanted.Del("Range")
	}
	resp, err := b.do(ctx, method, key, wanted)
	if ifRange := header.Get("If-Range"); err == nil && ifRange != "" && wanted.Get("Range") != "" && !isCurrent(resp, ifRange) {
		drain(resp)
		wanted.Del("Range")
		resp, err = b.do(ctx, method, key, wanted) //nolint:bodyclose // the caller closes it
	}
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusRequestedRangeNotSatisfiable, http.StatusPreconditionFailed:
		return &ports.Fetched{Status: resp.StatusCode, Header: resp.Header, Body: resp.Body}, nil
	case http.StatusNotFound:
		drain(resp)
		return nil, fault.About(fault.NotFound, "object", key)
	}
	drain(resp)
	return nil, fault.Wrap(fault.Unavailable, "store", fmt.Errorf("the store answered %s to %s %s", resp.Status, method, key))
}

// isCurrent decides If-Range, which S3 does not know: a part is worth having
// only if it is a part of the very object that the browser began with. A weak
// tag never matches.
func isCurrent(resp *http.Response, ifRange string) bool {
	if strings.HasPrefix(ifRange, `"`) {
		return resp.Header.Get("Etag") == ifRange
	}
	return resp.Header.Get("Last-Modified") == ifRange
}

func (b *Bucket) do(ctx context.Context, method, key string, header http.Header) (*http.Response, error) {
	r, err := b.request(ctx, method, key, b.c.Now())
	if err != nil {
		return nil, err
	}
	for name, v := range header {
		r.Header[name] = v
	}
	// Without this Go would ask for gzip and hand out something else than the object.
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := b.c.Client.Do(r)
	if errors.Is(err, context.Canceled) {
		return nil, err
	} else if err != nil {
		return nil, fault.Wrap(fault.Unavailable, "store", err)
	}
	return resp, nil
}

// drain lets the connection be used again; an error page is short.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
