package summary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"meetd/domain/fault"
	"meetd/ports"
)

// Config says where the service is and how it is spoken to.
type Config struct {
	Version   int    // 1 or 2
	URL       string // whole, as it is asked
	Token     string
	Language  string            // code, of what is said when nobody chose one
	FormURL   string            // of the page that asks how good it was; empty: none
	Timeout   time.Duration     // for one call
	Transport http.RoundTripper // that makes the calls; nil: the usual one
}

// Client speaks to the service.
type Client struct {
	config Config
	http   *http.Client
}

var _ ports.Summary = (*Client)(nil)

// New makes a client. It does not call anybody.
func New(c Config) *Client {
	return &Client{c, &http.Client{
		Timeout: c.Timeout, Transport: c.Transport,
		// The token and the links are for nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

const (
	maxAnswer = 1 << 20 // bytes that are read of an answer
	maxJob    = 255     // characters that are kept of a job's name (database.md)
)

// Submit hands r in. The id of the recording goes with it as Idempotency-Key, and
// when this was asked for, so that the service can tell a second try from another
// recording, and from one that somebody wants done once more.
func (c *Client) Submit(ctx context.Context, r ports.SummaryRequest) (job string, err error) {
	body, err := c.body(r)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL, bytes.NewReader(body))
	if err != nil {
		return "", failed(fault.Invalid, bare(err))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.config.Token)
	req.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", r.Recording, r.Since.UnixMicro()))
	resp, err := c.http.Do(req)
	if err != nil {
		return "", failed(fault.Upstream, bare(err))
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if status := resp.StatusCode; status/100 != 2 {
		return "", failed(hope(status), fmt.Errorf("it answers %d", status))
	}
	if c.config.Version != 2 {
		return "", nil
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", failed(fault.Upstream, bare(err))
	case len(answer) > maxAnswer: // it has taken the recording, and will answer so again
		return "", failed(fault.Invalid, fmt.Errorf("its answer is longer than %d bytes", maxAnswer))
	}
	return jobOf(answer)
}

// hope tells whether what was refused with a status may be taken later. A token,
// an address and what stands before the service can be put right; what is asked
// for stays as it is.
func hope(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return fault.Upstream
	}
	if status/100 == 4 {
		return fault.Invalid
	}
	return fault.Upstream
}

// jobOf reads the name of the job. An answer that is no JSON comes from
// something before the service.
func jobOf(answer []byte) (string, error) {
	if !json.Valid(answer) {
		return "", failed(fault.Upstream, errors.New("its answer is no JSON"))
	}
	var members map[string]any
	err := json.Unmarshal(answer, &members)
	job, ok := members["job_id"].(string)
	if err != nil || !ok || job == "" || utf8.RuneCountInString(job) > maxJob || strings.ContainsRune(job, 0) {
		return "", failed(fault.Invalid, fmt.Errorf("its answer has no job_id that is a text of 1 to %d characters", maxJob))
	}
	return job, nil
}

func failed(kind fault.Kind, err error) error {
	return fault.Wrap(kind, "summary", fmt.Errorf("hand a recording to the summary service: %w", err))
}

// bare takes the address out of an error of net/http, which begins with it.
func bare(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
