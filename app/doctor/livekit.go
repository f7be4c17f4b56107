package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Conference is LiveKit.
type Conference interface {
	Open(ctx context.Context, room string) error
	Close(ctx context.Context, room string) error
}

// AskLiveKit opens a room with this name and closes it, and waits until LiveKit's
// webhook about that has arrived in the database, looking again at each tick.
func AskLiveKit(c Conference, db Database, room string, tick <-chan time.Time) Probe {
	return Probe{"livekit", func(ctx context.Context) (string, error) {
		if err := c.Open(ctx, room); err != nil {
			return "", fmt.Errorf("%w; look at LIVEKIT_API_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET", err)
		}
		if err := c.Close(ctx, room); err != nil {
			return "", err
		}
		for {
			heard, err := db.Heard(ctx, room)
			switch {
			case err != nil && ctx.Err() == nil:
				return "", err
			case heard:
				return "it takes our key, and its webhook came back", nil
			}
			select {
			case <-ctx.Done():
				return "", errors.New("it takes our key, but its webhook did not arrive; in LiveKit's configuration, webhook.urls must have " +
					"https://<this service>/api/v1.0/rooms/webhooks-livekit/ and webhook.api_key must be LIVEKIT_API_KEY; the service must run, " +
					"and LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX must let rooms with a UUID as name through")
			case <-tick:
			}
		}
	}}
}
