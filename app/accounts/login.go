package accounts

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// LoginStart is a browser that wants to log in.
type LoginStart struct {
	Secret      string // of its session; may be empty or over
	Host        string // it came to
	ReturnTo    string // where it wants to be afterwards
	Silent      bool
	Hint        string
	CallbackURL string
}

// Redirect is where a browser goes next and what it must remember.
type Redirect struct {
	URL    string
	Secret string // of a new session; empty: keep what you have
	Login  bool   // somebody is logged in now: the CSRF token must change
	Logout bool   // the session is over: forget it
}

// StartLogin sends the browser to the provider (oidc.md §2).
func (s *Service) StartLogin(ctx context.Context, r LoginStart) (Redirect, error) {
	now := s.Now()
	req := ports.LoginRequest{State: token(), RedirectURI: r.CallbackURL, Silent: r.Silent, LoginHint: r.Hint}
	if s.Config.UseNonce {
		req.Nonce = token()
	}
	if s.Config.UsePKCE {
		req.Verifier = verifier(s.Config.VerifierSize)
	}
	url, err := s.Provider.LoginURL(req)
	if err != nil {
		return Redirect{}, err
	}
	note := func(d *user.SessionData) error {
		d.AddLogin(req.State, user.PendingLogin{Nonce: req.Nonce, Verifier: req.Verifier, Added: now})
		d.Silent = d.Silent || r.Silent
		d.ReturnTo = s.Config.safeTarget(r.ReturnTo, r.Host)
		return nil
	}
	sessions := s.Store.Repos().Sessions
	if r.Secret != "" {
		_, err := sessions.Update(ctx, Key(r.Secret), now, note)
		if !errors.Is(err, fault.NotFound) {
			return Redirect{URL: url}, err
		}
	}
	session := user.Session{CreatedAt: now, ExpiresAt: now.Add(s.Config.SessionAge)}
	_ = note(&session.Data) // it has no way to fail
	secret := newSecret()
	return Redirect{URL: url, Secret: secret}, sessions.Create(ctx, Key(secret), session)
}

func verifier(size int) string {
	text := ""
	for len(text) < size {
		text += newSecret()
	}
	return text[:size]
}

// LoginAnswer is a browser that comes back from the provider.
type LoginAnswer struct {
	Secret      string
	Code        string
	State       string
	Error       string
	CallbackURL string
}

// FinishLogin takes the provider's answer (oidc.md §3). A state works once. A
// state that this session did not send is fault.Invalid; whatever else goes
// wrong sends the browser to the failure page, and the log says why.
func (s *Service) FinishLogin(ctx context.Context, r LoginAnswer) (Redirect, error) {
	failure := Redirect{URL: s.Config.FailureURL}
	if r.Secret == "" {
		return failure, nil
	}
	var pending user.PendingLogin
	known := false
	session, err := s.Store.Repos().Sessions.Update(ctx, Key(r.Secret), s.Now(), func(d *user.SessionData) error {
		pending, known = d.TakeLogin(r.State)
		return nil
	})
	switch {
	case errors.Is(err, fault.NotFound):
		return failure, nil
	case err != nil:
		return Redirect{}, err
	case r.Error != "":
		return s.refused(ctx, r, session, known)
	case r.Code == "" || r.State == "":
		return failure, nil
	case !known:
		if session.Data.Logins == nil {
			return failure, nil
		}
		return Redirect{}, fault.New(fault.Invalid, "login_state")
	}
	identity, err := s.Provider.Exchange(ctx, r.Code, ports.LoginRequest{
		State: r.State, Nonce: pending.Nonce, Verifier: pending.Verifier, RedirectURI: r.CallbackURL,
	})
	if errors.Is(err, fault.Invalid) {
		s.Log.WarnContext(ctx, "a login was refused: the provider's answer does not check out", "error", err)
		return Redirect{}, fault.Wrap(fault.Invalid, "login_token", err)
	} else if err != nil {
		s.Log.ErrorContext(ctx, "a login failed: the provider did not answer as expected", "error", err)
		return failure, nil
	}
	return s.letIn(ctx, r.Secret, session, identity)
}

// refused handles an error of the provider. A silent login that found nobody is
// no failure: the visitor goes back to where he was, as nobody.
func (s *Service) refused(ctx context.Context, r LoginAnswer, session user.Session, known bool) (Redirect, error) {
	if session.Data.Silent && r.Error == "login_required" && !known {
		return Redirect{}, fault.New(fault.Invalid, "login_state")
	}
	sessions := s.Store.Repos().Sessions
	if session.Data.Silent {
		_, err := sessions.Update(ctx, Key(r.Secret), s.Now(), func(d *user.SessionData) error {
			d.Silent = false
			return nil
		})
		return Redirect{URL: s.target(session.Data)}, err
	}
	s.Log.InfoContext(ctx, "a login was refused by the provider", "reason", r.Error)
	if session.User == uuid.Nil {
		return Redirect{URL: s.Config.FailureURL}, nil
	}
	return Redirect{URL: s.Config.FailureURL, Logout: true}, sessions.Delete(ctx, Key(r.Secret))
}

// letIn finds the account and begins a new session for it, with a new secret.
func (s *Service) letIn(ctx context.Context, oldSecret string, old user.Session, identity ports.Identity) (Redirect, error) {
	now := s.Now()
	data := old.Data
	data.Silent, data.IDToken = false, ""
	if s.Config.StoreIDToken {
		data.IDToken = identity.IDToken
	}
	secret := newSecret()
	err := s.Store.InTx(ctx, func(r ports.Repos) error {
		u, err := s.account(ctx, r.Users, identity.Claims)
		if err != nil {
			return err
		}
		if err := r.Users.LoggedIn(ctx, u.ID, now); err != nil {
			return err
		}
		if err := r.Sessions.Delete(ctx, Key(oldSecret)); err != nil {
			return err
		}
		return r.Sessions.Create(ctx, Key(secret), user.Session{
			User: u.ID, Data: data, CreatedAt: now, ExpiresAt: now.Add(s.Config.SessionAge),
		})
	})
	if errors.Is(err, fault.Forbidden) || errors.Is(err, fault.Invalid) || errors.Is(err, fault.Conflict) {
		s.Log.WarnContext(ctx, "a login was refused", "reason", err)
		return Redirect{URL: s.Config.FailureURL}, nil
	} else if err != nil {
		return Redirect{}, err
	}
	return Redirect{URL: s.target(data), Secret: secret, Login: true}, nil
}

func (s *Service) target(d user.SessionData) string {
	if d.ReturnTo != "" {
		return d.ReturnTo
	}
	return s.Config.LoginURL
}

// account finds or makes the account the claims are about (oidc.md §4).
func (s *Service) account(ctx context.Context, users ports.Users, info map[string]any) (*user.User, error) {
	for _, name := range append([]string{"sub"}, s.Config.Essential...) {
		if _, ok := info[name]; !ok {
			return nil, fault.About(fault.Invalid, "claim_missing", name)
		}
	}
	claims := s.Config.Names.Claims(info)
	if claims.Sub == "" {
		return nil, fault.About(fault.Invalid, "claim_missing", "sub")
	}
	if err := claims.Check(); err != nil {
		return nil, err
	}
	u, err := users.BySub(ctx, claims.Sub)
	if errors.Is(err, fault.NotFound) && claims.Email != "" && s.Config.EmailFallback {
		u, err = users.ByEmail(ctx, claims.Email)
	}
	if errors.Is(err, fault.NotFound) {
		if !s.Config.CreateUsers {
			return nil, fault.New(fault.Forbidden, "user_creation_off")
		}
		u = user.New(s.NewID(), claims, s.Config.Language, s.Now())
		return u, users.Create(ctx, u)
	} else if err != nil {
		return nil, err
	}
	if !u.Active {
		return nil, fault.New(fault.Forbidden, "user_disabled")
	}
	changed := u.Update(claims)
	if u.Sub == nil || *u.Sub == "" || (*u.Sub != claims.Sub && !s.Config.SubImmutable) {
		u.Sub, changed = &claims.Sub, true
	}
	if !changed {
		return u, nil
	}
	return u, users.SaveClaims(ctx, u)
}
