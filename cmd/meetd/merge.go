package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"meetd/app"
)

// mergeUsers is the Django command merge_duplicate_users.
func mergeUsers(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("merge-duplicate-users")
	var o app.MergeOptions
	set.BoolVar(&o.Report, "report", false, "show the accounts that would be merged and what would be lost; change nothing")
	set.BoolVar(&o.DryRun, "dry-run", false, "show what would be done; change nothing")
	set.StringVar(&o.EmailFilter, "email-filter", "", "only e-mails that contain this `text`, in lower or upper case")
	set.StringVar(&o.Keep, "keep", "newest", "which account survives: `newest` or oldest")
	set.BoolVar(&o.Exact, "exact", false, "take e-mails that differ in the case of letters for different ones")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	if !o.Valid() {
		fmt.Fprintf(stderr, "--keep %s: it is newest or oldest\n", o.Keep) //nolint:errcheck // nobody is left to tell
		return errUsage
	}
	return app.MergeAccounts(ctx, c, o, time.Now, stdout, stderr)
}

// unmergeUsers undoes it.
func unmergeUsers(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("unmerge-users", "Usage: meetd unmerge-users JOURNAL-ID\n\nThe merge tells the number of its journal at its end.\n")
	text, err := one(set, args, stderr)
	if err != nil {
		return err
	}
	journal, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		set.Usage()
		return errUsage
	}
	return app.UnmergeAccounts(ctx, c, journal, time.Now, stdout, stderr)
}
