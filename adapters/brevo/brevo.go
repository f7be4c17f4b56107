package brevo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"time"

	"meetd/domain/fault"
	"meetd/ports"
)

// Config says which account at Brevo and what it is told.
type Config struct {
	URL        string // of the API, without a slash at its end, e.g. https://api.brevo.com/v3
	Key        string
	Lists      []int64           // that people are put on
	Attributes map[string]any    // of everybody; must be possible in JSON
	Timeout    time.Duration     // for one call
	Transport  http.RoundTripper // that makes the calls; nil: the usual one
}

// Client is an account at Brevo.
type Client struct {
	config Config
	http   *http.Client
}

var _ ports.Marketing = (*Client)(nil)

// New makes a client. It does not call anybody.
func New(c Config) *Client {
	attributes := maps.Clone(c.Attributes)
	if attributes == nil {
		attributes = map[string]any{}
	}
	attributes["VISIO_SOURCE"] = []string{"SIGNIN"}
	c.Attributes = attributes
	return &Client{c, &http.Client{
		Timeout: c.Timeout, Transport: c.Transport,
		// The key is for nobody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type contact struct {
	Email         string         `json:"email"`
	Attributes    map[string]any `json:"attributes"`
	ListIDs       []int64        `json:"listIds"`
	UpdateEnabled bool           `json:"updateEnabled"`
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// failure names what went wrong (integrations.md §2).
const failure = "Failed to create contact in Brevo"

// SignUp creates the contact or updates it.
func (c *Client) SignUp(ctx context.Context, email string) error {
	body, err := json.Marshal(contact{email, c.config.Attributes, c.config.Lists, true})
	if err != nil {
		return fmt.Errorf("%s: %w", failure, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+"/contacts", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s: %w", failure, err)
	}
	req.Header.Set("Api-Key", c.config.Key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fault.Wrap(fault.Upstream, "marketing", fmt.Errorf("%s: %w", failure, err))
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode/100 == 2 {
		return nil
	}
	err = fmt.Errorf("%s: it answers %d %s", failure, resp.StatusCode, reason(resp.Body))
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, // the key can be put right
		status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return fault.Wrap(fault.Upstream, "marketing", err)
	}
	return fault.Wrap(fault.Invalid, "marketing", err)
}

var word = regexp.MustCompile(`^[a-z_]{1,64}$`)

// reason is the error code of an answer. The message beside it may hold the
// address and goes nowhere.
func reason(body io.Reader) string {
	var said struct{ Code string }
	err := json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&said)
	if err != nil || !word.MatchString(said.Code) {
		return "without a reason"
	}
	return "(" + said.Code + ")"
}
