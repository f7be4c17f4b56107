package doctor

import (
	"context"
	"fmt"
	"time"
)

// Database is the database of the installation.
type Database interface {
	// Clock is what time it has.
	Clock(ctx context.Context) (time.Time, error)
	// Heard reports whether LiveKit told us of the end of a room.
	Heard(ctx context.Context, room string) (bool, error)
}

// tolerance is how wrong a clock may be: signatures for the store bear a quarter
// of an hour, tokens not much.
const tolerance = 10 * time.Second

// AskDatabase compares its clock with ours.
func AskDatabase(db Database, now func() time.Time) Probe {
	return Probe{"database", func(ctx context.Context) (string, error) {
		asked := now()
		theirs, err := db.Clock(ctx)
		if err != nil {
			return "", fmt.Errorf("%w; look at DATABASE_URL or DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME", err)
		}
		took := now().Sub(asked)
		if err := sameTime(theirs, asked, took); err != nil {
			return "", err
		}
		return fmt.Sprintf("it answers in %s and has our time", took.Round(100*time.Microsecond)), nil
	}}
}

// sameTime compares a clock that was read within a time after asked.
func sameTime(theirs, asked time.Time, within time.Duration) error {
	off := theirs.Sub(asked)
	if off > 0 {
		off = max(0, off-within)
	}
	if off.Abs() > tolerance {
		return fmt.Errorf("its clock and ours differ by %s; let both machines keep time by NTP", off.Abs().Round(time.Second))
	}
	return nil
}
