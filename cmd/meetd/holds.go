package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/user"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/app"
)

// hold keeps a recording from being deleted.
func hold(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("hold")
	reason := set.String("reason", "", "why, as `text`; it must be given")
	by := set.String("by", operator(), "who says so, as `text`")
	id, err := oneRecording(set, args, "meetd hold RECORDING_ID --reason TEXT [--by TEXT]", `Nobody can delete a recording on legal hold: not its owners, not the deletion of its
room, not its age. It can be downloaded as before, so not after it has expired.
`, stderr)
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
	set := flags("release")
	id, err := oneRecording(set, args, "meetd release RECORDING_ID", "What has expired meanwhile is deleted within the hour.\n", stderr)
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

// oneRecording reads the options of a command, and the id of a recording before or
// behind them.
func oneRecording(set *flag.FlagSet, args []string, usage, more string, stderr io.Writer) (uuid.UUID, error) {
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprintf(stderr, "Usage: %s\n\n%s", usage, more) //nolint:errcheck // nobody is left to tell
		set.PrintDefaults()
	}
	text := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		text, args = args[0], args[1:]
	}
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return uuid.Nil, err
		}
		return uuid.Nil, errUsage
	}
	rest := set.Args()
	if text == "" && len(rest) > 0 {
		text, rest = rest[0], rest[1:]
	}
	id, err := uuid.Parse(text)
	if err != nil || len(rest) > 0 {
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
