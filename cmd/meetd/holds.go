package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/app"
)

const holdUsage = `Usage: meetd hold RECORDING_ID --reason TEXT [--by TEXT]

Nobody can delete a recording on legal hold: not its owners, not the deletion of its
room, not its age. It can be downloaded as before, so not after it has expired.
`

// hold keeps a recording from being deleted.
func hold(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("hold", holdUsage)
	reason := set.String("reason", "", "why, as `text` of 500 characters at most; it must be given")
	by := set.String("by", operator(), "who says so, as `text`")
	id, err := oneRecording(set, args, stderr)
	if err != nil {
		return err
	}
	if *reason = strings.TrimSpace(*reason); *reason == "" {
		fmt.Fprintln(stderr, "--reason is missing: say why the recording must be kept") //nolint:errcheck // nobody is left to tell
		return errUsage
	}
	if err := app.Hold(ctx, c, id, *reason, *by, time.Now); err != nil {
		return err
	}
	return tell(stdout, "%s is on hold.\n", id)
}

// release ends a hold.
func release(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("release", "Usage: meetd release RECORDING_ID\n\nWhat has expired meanwhile is deleted within the hour.\n")
	id, err := oneRecording(set, args, stderr)
	if err != nil {
		return err
	}
	if err := app.Release(ctx, c, id, time.Now); err != nil {
		return err
	}
	return tell(stdout, "%s is no longer on hold.\n", id)
}

// listHolds shows all holds.
func listHolds(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	if err := parse(flags("holds"), args, stderr); err != nil {
		return err
	}
	return app.ListHolds(ctx, c, time.Now, stdout)
}

// oneRecording is one, for the id of a recording.
func oneRecording(set *flag.FlagSet, args []string, stderr io.Writer) (uuid.UUID, error) {
	text, err := one(set, args, stderr)
	if err != nil {
		return uuid.Nil, err
	}
	id, err := uuid.Parse(text)
	if err != nil {
		set.Usage()
		return uuid.Nil, errUsage
	}
	return id, nil
}

// operator is who runs the program, as this machine calls him.
func operator() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

func tell(stdout io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(stdout, format, args...); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	return nil
}
