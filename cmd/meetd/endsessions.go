package main

import (
	"context"
	"io"
	"time"

	"meetd/app"
)

// endSessions logs somebody out everywhere.
func endSessions(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	who, err := one(withUsage("end-sessions", "Usage: meetd end-sessions USER\n\nUSER is the id, the subject or the e-mail of an account. It stays active: its owner\ncan log in again. Disable the account to prevent that.\n"), args, stderr)
	if err != nil {
		return err
	}
	n, err := app.EndSessions(ctx, c, who, time.Now)
	if err != nil {
		return err
	}
	return tell(stdout, "%d session(s) ended.\n", n)
}
