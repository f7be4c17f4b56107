package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"

	"meetd/app"
)

const jobsUsage = `Usage: meetd jobs [--state STATE] [--kind KIND] [--limit N]
       meetd jobs retry ID…
       meetd jobs retry --kind KIND
       meetd jobs cancel ID…

Lists the jobs that were given up or wait for another try, the newest first. What was
given up stays for a month: retry has it done again at once, one by one or all of a
kind. cancel gives up what waits, and stops what is running.

`

// jobs shows the background jobs, and does what their operator wants with them.
func jobs(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "retry":
			return retryJobs(ctx, c, args[1:], stdout, stderr)
		case "cancel":
			ids, err := jobIDs(withUsage("jobs cancel", jobsUsage), args[1:], stderr)
			if err != nil {
				return err
			}
			return app.CancelJobs(ctx, c, ids, stdout)
		}
	}
	set := withUsage("jobs", jobsUsage)
	var o app.JobOptions
	set.StringVar(&o.State, "state", "", "only jobs in this `STATE`; all for every job")
	set.StringVar(&o.Kind, "kind", "", "only jobs of this `KIND`")
	set.IntVar(&o.Limit, "limit", 100, "list `N` jobs at most")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		fmt.Fprintf(stderr, "meetd jobs: %v\n", err) //nolint:errcheck // nobody is left to tell
		return errUsage
	}
	return app.ListJobs(ctx, c, o, stdout)
}

func retryJobs(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("jobs retry", jobsUsage)
	kind := set.String("kind", "", "all jobs of this `KIND` that were given up or wait for another try")
	ids, err := jobIDs(set, args, stderr)
	if err != nil {
		return err
	}
	return app.RetryJobs(ctx, c, *kind, ids, stdout)
}

// jobIDs reads the options of a command, then the ids of jobs: some, or none where
// a kind is given instead.
func jobIDs(set *flag.FlagSet, args []string, stderr io.Writer) ([]int64, error) {
	set.SetOutput(stderr)
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage
	}
	kind := set.Lookup("kind")
	if byKind := kind != nil && kind.Value.String() != ""; byKind == (set.NArg() > 0) {
		set.Usage()
		return nil, errUsage
	}
	ids := make([]int64, set.NArg())
	for i, text := range set.Args() {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id < 1 {
			fmt.Fprintf(stderr, "%s: %q is no id of a job; see meetd jobs\n", set.Name(), text) //nolint:errcheck // nobody is left to tell
			return nil, errUsage
		}
		ids[i] = id
	}
	return ids, nil
}
