package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/google/uuid"

	"meetd/adapters/postgres"
	"meetd/app/recordings"
	"meetd/domain/fault"
	"meetd/domain/recording"
)

// Hold keeps a recording of the configured database from being deleted.
func Hold(ctx context.Context, c *Config, id uuid.UUID, reason, by string, now func() time.Time) error {
	err := withHolds(ctx, c, now, func(s *recordings.Service) error { return s.Hold(ctx, id, reason, by) })
	switch {
	case errors.Is(err, fault.NotFound):
		return fmt.Errorf("there is no recording %s", id)
	case errors.Is(err, fault.Conflict):
		return fmt.Errorf("recording %s is on hold already; see meetd holds", id)
	case errors.Is(err, fault.Invalid):
		return fmt.Errorf("the reason, and who says so, have to be text, and the reason of 1 to %d characters", recording.MaxHoldReason)
	}
	return err
}

// Release ends a hold.
func Release(ctx context.Context, c *Config, id uuid.UUID, now func() time.Time) error {
	err := withHolds(ctx, c, now, func(s *recordings.Service) error { return s.Release(ctx, id) })
	if errors.Is(err, fault.NotFound) {
		return fmt.Errorf("recording %s is not on hold", id)
	}
	return err
}

// ListHolds writes which recordings are on hold.
func ListHolds(ctx context.Context, c *Config, now func() time.Time, w io.Writer) error {
	return withHolds(ctx, c, now, func(s *recordings.Service) error {
		holds, err := s.Holds(ctx)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, err = fmt.Fprintln(table, "RECORDING\tSINCE\tBY\tREASON")
		for _, h := range holds {
			_, rowErr := fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", h.Recording, h.PlacedAt.UTC().Format(time.RFC3339), visible(h.PlacedBy), visible(h.Reason))
			err = errors.Join(err, rowErr)
		}
		return errors.Join(err, table.Flush())
	})
}

// visible makes what somebody typed one line of what can be seen.
func visible(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }), " ")
}

func withHolds(ctx context.Context, c *Config, now func() time.Time, do func(*recordings.Service) error) error {
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(&recordings.Service{Store: &postgres.Store{Pool: pool}, Now: now})
}
