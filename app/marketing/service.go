package marketing

import (
	"context"
	"errors"
	"log/slog"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/ports"
)

// Service is the marketing capability.
type Service struct {
	Store     ports.Store
	Marketing ports.Marketing // nil: it is off
	Log       *slog.Logger
}

// SignUp makes the e-mail of an account known to the marketing service. There is
// nothing to do any more when the account or its e-mail is gone, or when this
// was turned off. fault.Upstream when it should be tried again.
func (s *Service) SignUp(ctx context.Context, account uuid.UUID) error {
	if s.Marketing == nil {
		return nil
	}
	u, err := s.Store.Repos().Users.Get(ctx, account)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	case u.Email == nil || *u.Email == "":
		return nil
	}
	err = s.Marketing.SignUp(ctx, *u.Email)
	if err != nil {
		s.Log.WarnContext(ctx, "an account was not signed up for marketing", "account", account, "error", err)
	}
	return err
}
