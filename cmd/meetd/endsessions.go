package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"meetd/app"
)

// endSessions logs somebody out everywhere.
func endSessions(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("end-sessions")
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, "Usage: meetd end-sessions USER\n\nUSER is the id, the subject or the e-mail of an account. It stays active: its owner\ncan log in again. Disable the account to prevent that.\n") //nolint:errcheck // nobody is left to tell
	}
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if set.NArg() != 1 || set.Arg(0) == "" {
		set.Usage()
		return errUsage
	}
	n, err := app.EndSessions(ctx, c, set.Arg(0), time.Now)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "%d session(s) ended.\n", n); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	return nil
}
