package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Probe examines one thing. It returns what was found in a few words, Skipped when
// there is nothing to examine, or an error that says what is wrong and what to do.
type Probe struct {
	Name string
	Run  func(ctx context.Context) (string, error)
}

// Skipped says why there was nothing to examine.
type Skipped string

// Error implements error.
func (s Skipped) Error() string { return string(s) }

// ErrIll says that something does not work.
var ErrIll = errors.New("something does not work")

// Examine runs the probes one after the other, each for as long as patience at
// most, and writes a line about each. ErrIll when one of them failed.
func Examine(ctx context.Context, w io.Writer, patience time.Duration, probes ...Probe) error {
	failed := 0
	for _, p := range probes {
		ctx, cancel := context.WithTimeout(ctx, patience)
		found, err := p.Run(ctx)
		cancel()
		mark := "ok  "
		var skipped Skipped
		switch {
		case errors.As(err, &skipped):
			mark, found = "-   ", string(skipped)
		case err != nil:
			mark, found = "FAIL", err.Error()
			failed++
		}
		if _, err := fmt.Fprintf(w, "%s  %-10s %s\n", mark, p.Name, found); err != nil {
			return fmt.Errorf("write the findings: %w", err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d probes failed", ErrIll, failed, len(probes))
	}
	return nil
}
