package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"meetd/app/trail"
)

// sealPeriod is how long events wait for their seals.
const sealPeriod = time.Minute

type sealTrailArgs struct{}

func (sealTrailArgs) Kind() string { return "seal_audit_trail" }

type sealTrail struct {
	river.WorkerDefaults[sealTrailArgs]
	svc *trail.Service
}

// Timeout leaves time for a database that has events of years to seal.
func (w *sealTrail) Timeout(*river.Job[sealTrailArgs]) time.Duration { return 50 * time.Minute }

func (w *sealTrail) Work(ctx context.Context, _ *river.Job[sealTrailArgs]) error {
	return w.svc.Seal(ctx)
}
