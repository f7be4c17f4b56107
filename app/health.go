package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Health asks the service of this machine whether it runs, as the health check of a
// container does that has no other program. It does not look at the database, for
// which a restart would do nothing.
func Health(ctx context.Context, c *Config) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	host, port, err := net.SplitHostPort(c.Server.Listen)
	if err != nil {
		return fmt.Errorf("MEETD_LISTEN: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/__lbheartbeat__", nil)
	if err != nil {
		return fmt.Errorf("MEETD_LISTEN: %w", err)
	}
	for _, allowed := range c.Profile.AllowedHosts { // else it is refused before anything else
		if allowed != "*" {
			req.Host = strings.TrimPrefix(allowed, ".")
			break
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err //nolint:wrapcheck // names the address
	}
	defer resp.Body.Close() //nolint:errcheck // it has none
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	return nil
}
