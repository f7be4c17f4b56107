package doctor

import (
	"context"
	"fmt"
)

// Mailer is the mail server.
type Mailer interface {
	// Check logs in, and sends nothing.
	Check(ctx context.Context) error
}

// AskMailer logs in at the mail server; nil: there is none.
func AskMailer(m Mailer) Probe {
	return Probe{"mail", func(ctx context.Context) (string, error) {
		if m == nil {
			return "", Skipped("DJANGO_EMAIL_HOST is not set")
		}
		if err := m.Check(ctx); err != nil {
			return "", fmt.Errorf("%w; look at the variables that begin with DJANGO_EMAIL_", err)
		}
		return "the mail server lets us in", nil
	}}
}
