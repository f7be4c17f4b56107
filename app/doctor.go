package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/postgres"
	"meetd/app/doctor"
)

// Doctor examines the configured installation and writes a line about each of its
// parts, after patience at the latest. public is its address as browsers know it;
// empty: nothing is examined from outside. doctor.ErrIll when something does not
// work.
func Doctor(ctx context.Context, c *Config, public string, patience time.Duration, now func() time.Time, w io.Writer) error {
	log := slog.New(slog.DiscardHandler)
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	bucket, err := commandBucket(ctx, c.S3, now)
	if err != nil {
		return err
	}
	conference, err := newConference(c.LiveKit, nil)
	if err != nil {
		return err
	}
	var mailer doctor.Mailer
	if c.Mail.Host != "" {
		mailer = newMailer(c.Mail)
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	client := &http.Client{Timeout: patience}
	database := postgres.Examined{Pool: pool}
	outside := doctor.Outside{URL: strings.TrimSuffix(public, "/"), Folder: c.Recording.OutputFolder, Client: client}
	return doctor.Examine(ctx, w, patience, append([]doctor.Probe{
		doctor.AskDatabase(database, now),
		doctor.AskProvider(newProvider(c.OIDC, nil, log), now),
		doctor.AskLiveKit(conference, database, uuid.NewString(), ticker.C),
		doctor.AskStore(bucket, client, c.Recording.OutputFolder+"/doctor-"+uuid.NewString(), now),
		doctor.AskMailer(mailer),
	}, outside.Ask()...)...)
}
