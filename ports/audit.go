package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
)

// Audit keeps what was done. Nothing is ever changed or removed.
type Audit interface {
	// Record writes an event down; inside a transaction it stands or falls with it.
	Record(ctx context.Context, e audit.Event) error
	// RecordDownloads writes down who downloaded what. One download of an account
	// and a recording is enough for each hour: further ones change nothing.
	RecordDownloads(ctx context.Context, list ...AuditedDownload) error
}

// AuditedDownload says that somebody downloaded a recording.
type AuditedDownload struct {
	At        time.Time
	Account   uuid.UUID
	Recording uuid.UUID
}

// SealedEvent is an event with its seal. Either may be missing.
type SealedEvent struct {
	Event *audit.Stored
	Seal  *audit.Seal
	// Unreadable is why the details of the event cannot be read.
	Unreadable error
}

// TrailLoss is what is wrong with the audit trail beside its chain.
type TrailLoss struct {
	Gone      int64 // number of an event that waits for a seal and is not there; 0: none
	Unclaimed int64 // number of one that neither has a seal nor waits for one; 0: none
	Events    int   // how many there are
	Waiting   int   // how many of them wait for a seal
}

// AuditTrail is all that was written down, as a chain (docs/audit.md).
type AuditTrail interface {
	// Seal gives up to limit events that wait their seals, which next makes, and
	// tells how many they were and the newest seal. Others who seal are waited for.
	Seal(ctx context.Context, limit int, next func(audit.Seal, audit.Stored) audit.Seal) (int, audit.Seal, error)
	// Walk calls see for each seal, in their order, with its event, and tells what
	// is wrong beside that, all as of one moment. An error of see ends it.
	Walk(ctx context.Context, see func(SealedEvent) error) (TrailLoss, error)
	// Export calls see for each event that is wanted, in the order of their
	// numbers. An error of see ends it.
	Export(ctx context.Context, f audit.Filter, see func(SealedEvent) error) error
}
