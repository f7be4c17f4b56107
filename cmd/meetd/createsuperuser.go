package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"meetd/app"
	"meetd/app/staff"
	"meetd/domain/fault"
)

// The messages are those of the Django command (database.md §6).
var superuserMessages = map[staff.Outcome]string{
	staff.Created:  "Superuser created successfully.",
	staff.Kept:     "Superuser already exists.",
	staff.Upgraded: "User already existed and was upgraded to superuser.",
}

func createSuperuser(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("createsuperuser")
	email := set.String("email", "", "`ADDRESS` to log in to the administration with (or DJANGO_SUPERUSER_EMAIL)")
	password := set.String("password", "", "the `PASSWORD`; everybody on the machine can read it, so better set DJANGO_SUPERUSER_PASSWORD")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	refuse := func(message string) error {
		fmt.Fprintf(stderr, "meetd createsuperuser: %s\n", message) //nolint:errcheck // nobody is left to tell
		return errUsage
	}
	if *email == "" {
		*email = c.Superuser.Email
	}
	if *password == "" {
		*password = c.Superuser.Password.Reveal()
	}
	switch "" {
	case *email:
		return refuse("who is it? Set --email or DJANGO_SUPERUSER_EMAIL.")
	case *password:
		return refuse("with which password? Set DJANGO_SUPERUSER_PASSWORD (or --password).")
	}
	result, err := app.CreateSuperuser(ctx, c, *email, *password, time.Now)
	if errors.Is(err, fault.Invalid) {
		return refuse(fmt.Sprintf("%q is no e-mail address that can be used; write it like name@example.org.", *email))
	} else if err != nil {
		return err
	}
	if result.Disabled {
		fmt.Fprintln(stderr, "The account is disabled and stays so.") //nolint:errcheck // nobody is left to tell
	}
	_, err = fmt.Fprintln(stdout, superuserMessages[result.Outcome])
	return err
}
