package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/ports"
)

// Secrets have from 24 to 64 bytes (Standard Webhooks, "Symmetric signatures").
const minSecret, maxSecret = 24, 64

// ParseSecret reads a secret: base64, with whsec_ before it or without.
func ParseSecret(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil || len(key) < minSecret || len(key) > maxSecret {
		return nil, fmt.Errorf("it is not %d to %d bytes in base64; make one with openssl rand -base64 32", minSecret, maxSecret)
	}
	return key, nil
}

// Config says who is called and how.
type Config struct {
	URLs      []string
	Secret    []byte
	Timeout   time.Duration     // for one call
	Transport http.RoundTripper // that makes the calls; nil: the usual one
	Now       func() time.Time
}

// Client calls.
type Client struct {
	config Config
	http   *http.Client
	urls   map[string]string // by target
}

var _ ports.Webhooks = (*Client)(nil)

// New makes a client. It does not call anybody.
func New(c Config) *Client {
	out := &Client{config: c, urls: make(map[string]string, len(c.URLs)), http: &http.Client{
		Timeout: c.Timeout, Transport: c.Transport,
		// What is told is for this address and no other.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, u := range c.URLs {
		out.urls[Target(u)] = u
	}
	return out
}

// Target names the program at a URL without telling all of the URL, which may hold
// a secret: its host and a part of its hash.
func Target(address string) string {
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = u.Host
	}
	sum := sha256.Sum256([]byte(address))
	return host + "#" + hex.EncodeToString(sum[:4])
}

// maxAnswer and drainTime bound what is read of the body of an answer, in bytes, and
// for how long. Nothing of it is used, but a connection can serve again only when it
// was read.
const (
	maxAnswer = 64 << 10
	drainTime = 500 * time.Millisecond
)

// Send calls a target.
func (c *Client) Send(ctx context.Context, target string, event uuid.UUID, body []byte) error {
	address, ok := c.urls[target]
	if !ok {
		return failed(fault.Invalid, errors.New("nobody is to be called there any more"))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return failed(fault.Invalid, bare(err))
	}
	at := strconv.FormatInt(c.config.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "meetd")
	req.Header.Set("Webhook-Id", event.String())
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", sign(c.config.Secret, event.String(), at, body))
	resp, err := c.http.Do(req)
	if err != nil {
		return failed(fault.Upstream, bare(err))
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	// The status says it all, whatever becomes of the body.
	enough := time.AfterFunc(drainTime, cancel)
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	enough.Stop()
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusGone:
		return failed(fault.Invalid, errors.New("it answers 410: it wants no more"))
	}
	return failed(fault.Upstream, fmt.Errorf("it answers %d", resp.StatusCode))
}

// sign is the header Webhook-Signature.
func sign(secret []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func failed(kind fault.Kind, err error) error {
	return fault.Wrap(kind, "webhook", fmt.Errorf("deliver an event: %w", err))
}

// bare takes the address out of an error of net/http, which begins with it.
func bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
