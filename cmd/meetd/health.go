package main

import (
	"context"
	"flag"
	"io"

	"meetd/app"
)

func health(ctx context.Context, c *app.Config, args []string, _, stderr io.Writer) error {
	if err := parse(flag.NewFlagSet("meetd health", flag.ContinueOnError), args, stderr); err != nil {
		return err
	}
	return app.Health(ctx, c)
}
