package accounts

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/user"
)

// StartLogout ends the session: at the provider first where it can be, and then
// here when the browser comes back (oidc.md §6).
func (s *Service) StartLogout(ctx context.Context, secret, callbackURL string) (Redirect, error) {
	local := Redirect{URL: s.Config.LogoutURL, Logout: true}
	if secret == "" {
		return local, nil
	}
	sessions := s.Store.Repos().Sessions
	session, err := sessions.Get(ctx, Key(secret), s.Now())
	if errors.Is(err, fault.NotFound) {
		return local, nil
	} else if err != nil {
		return Redirect{}, err
	}
	if session.User != uuid.Nil && session.Data.IDToken != "" {
		state := token()
		if url, ok := s.Provider.LogoutURL(session.Data.IDToken, state, callbackURL); ok {
			_, err := sessions.Update(ctx, Key(secret), s.Now(), func(d *user.SessionData) error {
				d.AddLogout(state, s.Now())
				return nil
			})
			return Redirect{URL: url}, err
		}
	}
	return local, sessions.Delete(ctx, Key(secret))
}

// FinishLogout ends the session here after it ended at the provider. A state
// that this session did not send is fault.Invalid.
func (s *Service) FinishLogout(ctx context.Context, secret, state string) (Redirect, error) {
	there := Redirect{URL: s.Config.LogoutURL}
	if secret == "" {
		return there, nil
	}
	sessions := s.Store.Repos().Sessions
	session, err := sessions.Get(ctx, Key(secret), s.Now())
	switch {
	case errors.Is(err, fault.NotFound):
		return there, nil
	case err != nil:
		return Redirect{}, err
	case session.User == uuid.Nil || state == "":
		return there, nil
	}
	if _, ok := session.Data.Logouts[state]; !ok {
		return Redirect{}, fault.New(fault.Invalid, "login_state")
	}
	return Redirect{URL: s.Config.LogoutURL, Logout: true}, sessions.Delete(ctx, Key(secret))
}
