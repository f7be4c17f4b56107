package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"meetd/ports"
)

// Bucket is the bucket of the recordings.
type Bucket interface {
	ports.Objects
	ports.ObjectPresigner
}

// AskStore writes a small object, reads it back as a download would, makes sure
// that nobody can without a signature, and deletes it.
func AskStore(b Bucket, client *http.Client, key string, now func() time.Time) Probe {
	return Probe{"store", func(ctx context.Context) (string, error) {
		text := []byte("written by meetd doctor")
		link, err := b.Presign(ctx, ports.PresignRequest{Method: http.MethodPut, Key: key, Expires: time.Minute, At: now()})
		if err != nil {
			return "", err
		}
		asked := now()
		put, err := call(ctx, client, http.MethodPut, link, text)
		if err != nil {
			return "", fmt.Errorf("%w; look at AWS_S3_ENDPOINT_URL", err)
		}
		if put.status != http.StatusOK {
			return "", fmt.Errorf("the store refuses to write (%d %s); look at AWS_STORAGE_BUCKET_NAME, AWS_S3_REGION_NAME and the keys: they need GetObject, PutObject and DeleteObject", put.status, put.code())
		}
		deleted := false
		defer func() {
			if !deleted {
				_ = b.Delete(context.WithoutCancel(ctx), key)
			}
		}()
		if !put.date.IsZero() {
			if err := sameTime(put.date.Add(time.Second), asked, now().Sub(asked)+2*time.Second); err != nil {
				return "", fmt.Errorf("the store: %w", err)
			}
		}
		got, err := b.Fetch(ctx, http.MethodGet, key, nil)
		if err != nil {
			return "", fmt.Errorf("what was written cannot be read: %w", err)
		}
		defer got.Body.Close() //nolint:errcheck // read to its end
		if back, err := io.ReadAll(io.LimitReader(got.Body, 1<<10)); err != nil || !bytes.Equal(back, text) {
			return "", fmt.Errorf("what was written comes back as %q (%w); look at what stands between us and the store", back, err)
		}
		plain, _, _ := strings.Cut(link, "?")
		bucket := strings.TrimSuffix(plain, key) + "?list-type=2"
		for address, what := range map[string]string{plain: "read recordings", bucket: "list the bucket"} {
			open, err := call(ctx, client, http.MethodGet, address, nil)
			if err != nil {
				return "", err
			}
			if open.status < http.StatusBadRequest {
				return "", fmt.Errorf("everybody can %s without a signature; take the public policy off the bucket", what)
			}
		}
		deleted = true
		if err := b.Delete(ctx, key); err != nil {
			return "", fmt.Errorf("%w; the keys need DeleteObject", err)
		}
		return "it can be written, read and deleted with our keys only", nil
	}}
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	date   time.Time // zero: not told
	body   []byte    // the beginning
}

// code is the error code of S3 in the body.
func (r reply) code() string {
	_, rest, _ := strings.Cut(string(r.body), "<Code>")
	code, _, _ := strings.Cut(rest, "</Code>")
	return code
}

func call(ctx context.Context, client *http.Client, method, address string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", address, err)
	}
	return send(client, req)
}

func send(client *http.Client, req *http.Request) (reply, error) {
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, bare(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read as far as it is wanted
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", req.URL.Host, err)
	}
	date, _ := http.ParseTime(resp.Header.Get("Date"))
	return reply{resp.StatusCode, resp.Header, date, text}, nil
}

// bare is the error without the URL, which may be signed.
func bare(err error) error {
	var inner interface{ Unwrap() error }
	if errors.As(err, &inner) && inner.Unwrap() != nil {
		return inner.Unwrap()
	}
	return err
}
