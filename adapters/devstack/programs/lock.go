package programs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lock takes an exclusive lock on the file at path, which is created if absent
// and stays. The operating system drops the lock if the process dies.
// waiting is called every interval while another process holds it.
func lock(ctx context.Context, path string, interval time.Duration, waiting func(waited time.Duration)) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // a file in our own cache folder
	if err != nil {
		return nil, err
	}
	try := func() error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
	if err = try(); errors.Is(err, syscall.EWOULDBLOCK) {
		stop := every(interval, waiting)
		err = retry(ctx, try)
		stop()
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil // closing drops the lock
}

func retry(ctx context.Context, try func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := try(); !errors.Is(err, syscall.EWOULDBLOCK) {
				return err
			}
		}
	}
}
