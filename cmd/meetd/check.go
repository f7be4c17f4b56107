package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"meetd/app"
)

// check has the options that deployments give to the command of the Django
// backend (admin.md §4).
func check(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("check")
	database := set.String("database", "", "also try to reach the database, which is called default")
	set.Bool("deploy", false, "accepted; what concerns deployments is always checked")
	level := set.String("fail-level", "ERROR", "WARNING: end with an error when anything was found; ERROR: only when a check could not be done")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	if *level != "ERROR" && *level != "WARNING" || *database != "" && *database != "default" {
		fmt.Fprintln(stderr, "meetd check: --fail-level is ERROR or WARNING, and --database is default") //nolint:errcheck // nobody is left to tell
		return errUsage
	}
	if *database != "" {
		if err := app.CheckDatabase(ctx, c); err != nil {
			return err
		}
	}
	found, silenced := app.Check(c)
	if err := app.WriteFindings(stdout, found, silenced); err != nil {
		return err
	}
	if *level == "WARNING" && len(found) > 0 {
		return errors.New("there are warnings")
	}
	return nil
}
