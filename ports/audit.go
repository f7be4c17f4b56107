package ports

import (
	"context"

	"meetd/domain/audit"
)

// Audit keeps what was done. Nothing is ever changed or removed.
type Audit interface {
	// Record writes an event down; inside a transaction it stands or falls with it.
	Record(ctx context.Context, e audit.Event) error
}
