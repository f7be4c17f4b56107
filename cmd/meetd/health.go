package main

import (
	"context"
	"io"

	"meetd/app"
)

func health(ctx context.Context, c *app.Config, args []string, _, stderr io.Writer) error {
	if err := parse(flags("health"), args, stderr); err != nil {
		return err
	}
	return app.Health(ctx, c)
}
