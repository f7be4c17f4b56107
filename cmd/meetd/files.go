package main

import (
	"context"
	"errors"
	"io"
	"time"

	"meetd/app"
)

// The names, options and words are those of the Django commands (database.md §6).

func cleanPendingFiles(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("clean-pending-files")
	hours := set.Int("hours", 24, "how old an upload must be that never ended")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	if *hours < 0 {
		return errors.New("Hours must be greater than 0") //nolint:staticcheck // the words of the Django command
	}
	return app.CleanPendingFiles(ctx, c, time.Duration(*hours)*time.Hour, time.Now, stdout)
}

func purgeDeletedFiles(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	if err := parse(flags("purge-deleted-files"), args, stderr); err != nil {
		return err
	}
	return app.PurgeDeletedFiles(ctx, c, time.Now, stdout)
}

func createDemo(ctx context.Context, c *app.Config, args []string, _, stderr io.Writer) error {
	set := flags("create-demo")
	force := set.Bool("force", false, "also where people work")
	set.BoolVar(force, "f", false, "the same")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	return app.CreateDemo(ctx, c, *force, time.Now)
}
