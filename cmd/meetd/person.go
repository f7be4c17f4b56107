package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"meetd/app"
)

const personUsage = `Usage: meetd person export WHO [--out FOLDER] [--objects]
       meetd person erase WHO [--dry-run] [--except-held] [--transfer] [--delete-shared] [--json]

WHO is the id, the subject or the e-mail of an account.

export writes all that is stored about its owner into a new folder: person.json, and with
--objects the recordings that nobody else owns and the uploaded files.
erase removes it, in one go, and tells what it did and what stays. It cannot be undone:
look at --dry-run first. What others need prevents it, until you say what becomes of it.

`

// onePerson exports or erases somebody.
func onePerson(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	what := ""
	if len(args) > 0 {
		what = args[0]
	}
	switch what {
	case "export":
		return personExport(ctx, c, args[1:], stdout, stderr)
	case "erase":
		return personErase(ctx, c, args[1:], stdout, stderr)
	case "-h", "--help", "help":
		fmt.Fprint(stderr, personUsage) //nolint:errcheck // nobody is left to tell
		return flag.ErrHelp
	}
	fmt.Fprint(stderr, personUsage) //nolint:errcheck // nobody is left to tell
	return errUsage
}

func personExport(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("person export", personUsage)
	folder := set.String("out", "", "new `folder`; else person- and the id, here")
	objects := set.Bool("objects", false, "copy the recordings and files too")
	who, err := one(set, args, stderr)
	if err != nil {
		return err
	}
	return app.ExportPerson(ctx, c, who, *folder, *objects, time.Now, stdout)
}

func personErase(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("person erase", personUsage)
	var o app.EraseOptions
	set.BoolVar(&o.DryRun, "dry-run", false, "tell what would be done; change nothing")
	set.BoolVar(&o.ExceptHeld, "except-held", false, "leave recordings on legal hold where they are")
	set.BoolVar(&o.Transfer, "transfer", false, "make the one who administers a room for longest its owner")
	set.BoolVar(&o.DeleteShared, "delete-shared", false, "delete rooms that others administer or own recordings in, with all recordings")
	asJSON := set.Bool("json", false, "report as JSON")
	who, err := one(set, args, stderr)
	if err != nil {
		return err
	}
	return app.ErasePerson(ctx, c, who, o, *asJSON, time.Now, stdout)
}
