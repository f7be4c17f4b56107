package jobs

import (
	"context"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/marketing"
)

// signupAttempts are about four hours of River's back-off.
const signupAttempts = 10

func (o *outbox) SignUpForMarketing(_ context.Context, account uuid.UUID) error {
	return o.note(marketingSignupArgs{Account: account}, signupAttempts)
}

// marketingSignupArgs hold no personal data: jobs are kept for a while.
type marketingSignupArgs struct {
	Account uuid.UUID `json:"account"`
}

func (marketingSignupArgs) Kind() string { return "marketing_signup" }

func (marketingSignupArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: serviceQueue}
}

type marketingSignup struct {
	river.WorkerDefaults[marketingSignupArgs]
	svc *marketing.Service
}

// Work gives up at once when the service will never accept the account.
func (w *marketingSignup) Work(ctx context.Context, job *river.Job[marketingSignupArgs]) error {
	return unlessHopeless(w.svc.SignUp(ctx, job.Args.Account))
}
