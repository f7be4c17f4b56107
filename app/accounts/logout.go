package accounts

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
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
	return local, s.end(ctx, secret, session.User, "")
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
	return Redirect{URL: s.Config.LogoutURL, Logout: true}, s.end(ctx, secret, session.User, "at the provider")
}

// End ends a session here, and not at the provider.
func (s *Service) End(ctx context.Context, secret string, owner uuid.UUID) error {
	return s.end(ctx, secret, owner, "")
}

// end forgets one session. Whose it was is written down.
func (s *Service) end(ctx context.Context, secret string, owner uuid.UUID, how string) error {
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Sessions.Delete(ctx, Key(secret)); err != nil || owner == uuid.Nil {
			return err
		}
		e := audit.Event{At: s.Now(), Action: audit.LoggedOut, Actor: owner, Subject: owner.String()}
		if how != "" {
			e.Details = map[string]string{"how": how}
		}
		return r.Audit.Record(ctx, e)
	})
}

// replayMemory is how long a logout token is remembered at least (oidc.md §6).
const replayMemory = 5 * time.Minute

// EndByProvider ends the sessions a logout token of the provider names
// (oidc.md §6). It is done when nil is returned. Every failure is fault.Invalid
// or, when it was not the token's fault, fault.Unavailable; who sends bad tokens
// too often gets fault.TooMany.
func (s *Service) EndByProvider(ctx context.Context, token, client string) error {
	if token == "" {
		return fault.New(fault.Invalid, "logout_token_missing")
	}
	if err := s.mayTry(ctx, "logout", client, ports.Rate{}); err != nil {
		return err
	}
	logout, err := s.Provider.Logout(ctx, token)
	if errors.Is(err, fault.Invalid) {
		s.Log.WarnContext(ctx, "a logout token was refused", "reason", err)
		return errors.Join(err, s.noteFailure(ctx, "logout", client))
	} else if err != nil {
		return fault.Wrap(fault.Unavailable, "logout_error", err)
	}
	until := s.Now().Add(replayMemory)
	if logout.ExpiresAt.After(until) {
		until = logout.ExpiresAt
	}
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.UsedTokens.Take(ctx, Key("logout "+logout.ID), until); err != nil {
			return err
		}
		owners, err := r.Sessions.EndByProvider(ctx, logout.Sub, logout.SID)
		if err != nil {
			return err
		}
		slices.SortFunc(owners, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
		for _, owner := range slices.Compact(owners) {
			if err := r.Audit.Record(ctx, audit.Event{
				At: s.Now(), Action: audit.SessionsEnded, Subject: owner.String(), Details: map[string]string{"by": "provider"},
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, fault.Conflict) {
		return fault.New(fault.Invalid, "logout_replayed")
	} else if err != nil {
		return fault.Wrap(fault.Unavailable, "logout_failed", err)
	}
	return nil
}

// EndSessions ends all sessions of an account and tells how many there were.
// The account is known by its id, subject or e-mail: fault.NotFound for nobody,
// fault.Conflict when several share the e-mail.
func (s *Service) EndSessions(ctx context.Context, who string) (n int64, err error) {
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		u, err := ports.FindUser(ctx, r.Users, who)
		if err != nil {
			return err
		}
		if n, err = r.Sessions.EndByUser(ctx, u.ID); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.Event{
			At: s.Now(), Action: audit.SessionsEnded, Subject: u.ID.String(), Details: map[string]string{"by": "operator"},
		})
	})
	return n, err
}
