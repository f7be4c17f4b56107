package main

import (
	"context"
	"io"
	"time"

	"meetd/app"
)

func doctor(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("doctor")
	public := set.String("url", "", "address that browsers know, such as https://meet.example.org; it is then examined from outside too")
	patience := set.Duration("patience", 20*time.Second, "how long each part may take to answer; LiveKit's webhooks take some seconds")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	return app.Doctor(ctx, c, *public, *patience, time.Now, stdout)
}
