package ports

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Files keeps uploaded files.
type Files interface {
	// StalePending locks up to limit files whose upload was begun before a time,
	// never ended, and that are not deleted for good.
	StalePending(ctx context.Context, before time.Time, limit int) ([]uuid.UUID, error)
	// Purgeable locks up to limit files that are deleted for good, or were put into
	// the trash at or before a time, in the order of their ids and after one.
	Purgeable(ctx context.Context, before time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error)
	// HardDelete marks files as deleted for good.
	HardDelete(ctx context.Context, now time.Time, ids ...uuid.UUID) error
	// HardDeleted gives the name of a file that is deleted for good;
	// fault.NotFound for any other.
	HardDeleted(ctx context.Context, id uuid.UUID) (filename string, err error)
	// Delete removes the row.
	Delete(ctx context.Context, id uuid.UUID) error
}
