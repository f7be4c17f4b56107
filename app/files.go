package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"meetd/adapters/postgres"
	"meetd/adapters/s3"
	"meetd/app/files"
)

// CleanPendingFiles deletes the uploads that never ended within age.
func CleanPendingFiles(ctx context.Context, c *Config, age time.Duration, now func() time.Time, w io.Writer) error {
	return withFiles(ctx, c, now, func(s *files.Service) error {
		n, err := s.CleanPending(ctx, age)
		return tell(w, err, "Cleaned %d stale pending file(s).\n", n)
	})
}

// PurgeDeletedFiles notes jobs to delete what was in the trash for long enough.
func PurgeDeletedFiles(ctx context.Context, c *Config, now func() time.Time, w io.Writer) error {
	return withFiles(ctx, c, now, func(s *files.Service) error {
		n, err := s.Purge(ctx)
		return tell(w, err, "Purged %d deleted file(s).\n", n)
	})
}

func tell(w io.Writer, err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("tell: %w", err)
	}
	return nil
}

func withFiles(ctx context.Context, c *Config, now func() time.Time, do func(*files.Service) error) error {
	return withStore(ctx, c, now, func(store *postgres.Store, bucket *s3.Bucket) error {
		return do(&files.Service{Store: store, Objects: bucket, Config: c.Files, Now: now})
	})
}
