package s3

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"meetd/ports"
)

const (
	// anyPayload stands where the hash of the body would: who signs a URL does
	// not know what will be sent to it.
	anyPayload = "UNSIGNED-PAYLOAD"
	// longest is what S3 takes.
	longest = 7 * 24 * time.Hour
)

// Presign signs a URL: AWS Signature Version 4 in the query, over the host and
// the headers of p (recording.md §7).
func (b *Bucket) Presign(ctx context.Context, p ports.PresignRequest) (string, error) {
	if p.Expires < time.Second || p.Expires > longest {
		return "", fmt.Errorf("presign %s %s: it would work for %v, which is not between a second and a week", p.Method, p.Key, p.Expires)
	}
	creds, err := b.credentials(ctx)
	if err != nil {
		return "", err
	}
	endpoint := b.c.Endpoint
	if p.Public {
		endpoint = b.c.Public
	}
	u := b.object(endpoint, p.Key)
	query := u.Query()
	query.Set("X-Amz-Expires", strconv.FormatInt(int64(p.Expires/time.Second), 10))
	if p.FileName != "" {
		query.Set("response-content-disposition", mime.FormatMediaType("attachment", map[string]string{"filename": p.FileName}))
	}
	if p.ContentType != "" {
		query.Set("response-content-type", p.ContentType)
	}
	u.RawQuery = query.Encode()
	r := (&http.Request{Method: p.Method, URL: u, Host: u.Host, Header: make(http.Header, len(p.Header))}).WithContext(ctx)
	for name, value := range p.Header {
		r.Header.Set(name, value)
	}
	signed, _, err := b.signer.PresignHTTP(ctx, creds, r, anyPayload, "s3", b.c.Region, p.At.UTC())
	if err != nil {
		return "", fmt.Errorf("presign %s %s: %w", p.Method, p.Key, err)
	}
	return signed, nil
}
