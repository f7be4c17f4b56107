package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// LoginStart is a browser that wants to log in.
type LoginStart struct {
	Secret      string // of its session; may be empty or over
	Client      string // address, to count newcomers by
	Host        string // it came to
	ReturnTo    string // where it wants to be afterwards
	Silent      bool
	Hint        string
	CallbackURL string
}

// Redirect is where a browser goes next and what it must remember.
type Redirect struct {
	URL    string
	Secret string // of its session, to be kept anew; empty: keep what you have
	Login  bool   // somebody is logged in now: the CSRF token must change
	Logout bool   // the session is over: forget it
}

// anonymousAge is how long a session lives that nobody is logged in to, after the
// last login that was begun in it. Anybody can have one stored.
const anonymousAge = time.Hour

// StartLogin sends the browser to the provider (oidc.md §2). When too many come
// from one address that were not seen before, fault.TooMany; those who asked to
// stay unseen are sent back as if nobody had been there.
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
		d.AddLogin(req.State, user.PendingLogin{Nonce: req.Nonce, Verifier: req.Verifier, Silent: r.Silent, Added: now})
		d.ReturnTo = s.Config.safeTarget(r.ReturnTo, r.Host)
		return nil
	}
	repos, until := s.Store.Repos(), now.Add(min(anonymousAge, s.Config.SessionAge))
	if r.Secret != "" {
		session, err := repos.Sessions.Update(ctx, Key(r.Secret), now, note)
		if err == nil && session.User == uuid.Nil {
			return Redirect{URL: url, Secret: r.Secret}, repos.Sessions.Extend(ctx, Key(r.Secret), until)
		}
		if !errors.Is(err, fault.NotFound) {
			return Redirect{URL: url}, err
		}
	}
	session := user.Session{CreatedAt: now, ExpiresAt: until}
	_ = note(&session.Data) // it has no way to fail
	err = repos.Throttle.Hit(ctx, "login_start "+r.Client, s.Config.StartRate, now)
	if errors.Is(err, fault.TooMany) && r.Silent {
		return Redirect{URL: s.target(session.Data)}, nil
	} else if err != nil {
		return Redirect{}, err
	}
	secret := newSecret()
	return Redirect{URL: url, Secret: secret}, repos.Sessions.Create(ctx, Key(secret), session)
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
	Client      string // address, to count failures by
	Code        string
	State       string
	Error       string
	CallbackURL string
}

// FinishLogin takes the provider's answer (oidc.md §3). A state works once. A
// state that this session did not send, and a forged ID token, are
// fault.Invalid; whatever else goes wrong sends the browser to the failure page,
// and the log says why. Who asks too often gets fault.TooMany; that a silent login
// found nobody is not counted.
func (s *Service) FinishLogin(ctx context.Context, r LoginAnswer) (Redirect, error) {
	rate := s.Config.CallbackRate
	if r.Error == nobodyThere {
		// Every guest comes with one, and many from one address. It costs no call,
		// and where nobody asked for it, it is a failure.
		rate = ports.Rate{}
	}
	if err := s.mayTry(ctx, "callback", r.Client, rate); err != nil {
		return Redirect{}, err
	}
	to, err := s.finishLogin(ctx, r)
	var refusal *fault.Error
	if !errors.As(err, &refusal) {
		return to, err
	}
	switch refusal.Kind {
	case fault.Upstream: // nobody's fault here
		s.Log.ErrorContext(ctx, "a login failed: the provider did not answer as expected", "error", err)
		return Redirect{URL: s.Config.FailureURL}, nil
	case fault.Invalid, fault.Forbidden, fault.Conflict:
		s.Log.WarnContext(ctx, "a login was refused", "reason", err)
		if err := s.noteFailure(ctx, "callback", r.Client); err != nil {
			return Redirect{}, err
		}
		if err := s.writeRefusal(ctx, refusal); err != nil {
			return Redirect{}, err
		}
		if refusal.Kind == fault.Invalid {
			return Redirect{}, err
		}
		return Redirect{URL: s.Config.FailureURL}, nil
	default:
		return Redirect{}, err
	}
}

// writeRefusal writes down for ever that the provider's answer was refused. A state
// that nobody sent is no answer of his: strangers would fill the trail with it.
func (s *Service) writeRefusal(ctx context.Context, refusal *fault.Error) error {
	about := refusal.Subject
	switch refusal.Code {
	case "login_state":
		return nil
	case "user_creation_off":
		about = "" // a subject, which is for the log
	}
	return s.Store.Repos().Audit.Record(ctx, audit.Event{
		At: s.Now(), Action: audit.LoginRefused, Details: map[string]string{"reason": refusal.Code, "about": about},
	})
}

func (s *Service) finishLogin(ctx context.Context, r LoginAnswer) (Redirect, error) {
	failure := Redirect{URL: s.Config.FailureURL}
	if r.Secret == "" {
		return failure, nil
	}
	var (
		pending       user.PendingLogin
		known, silent bool
	)
	session, err := s.Store.Repos().Sessions.Update(ctx, Key(r.Secret), s.Now(), func(d *user.SessionData) error {
		switch {
		case r.Error != "":
			known, silent = d.TakeRefused(r.State, r.Error == nobodyThere)
		case r.Code != "" && r.State != "":
			pending, known = d.TakeLogin(r.State)
		}
		return nil
	})
	switch {
	case errors.Is(err, fault.NotFound):
		return failure, nil
	case err != nil:
		return Redirect{}, err
	case r.Error != "":
		return s.refused(ctx, r, session, known, silent)
	case r.Code == "" || r.State == "", !known && session.Data.Logins == nil:
		return failure, nil
	case !known:
		return Redirect{}, fault.New(fault.Invalid, "login_state")
	}
	identity, err := s.Provider.Exchange(ctx, r.Code, ports.LoginRequest{
		State: r.State, Nonce: pending.Nonce, Verifier: pending.Verifier, RedirectURI: r.CallbackURL,
	})
	if err != nil {
		return Redirect{}, err
	}
	return s.letIn(ctx, r.Secret, session, identity)
}

// nobodyThere is the provider's answer to prompt=none when nobody is logged in.
const nobodyThere = "login_required"

// refused handles an error of the provider. A silent login that found nobody is
// no failure: the visitor goes back to where he was, as who he was.
func (s *Service) refused(ctx context.Context, r LoginAnswer, session user.Session, known, silent bool) (Redirect, error) {
	to := Redirect{URL: s.Config.FailureURL}
	if silent {
		to.URL = s.target(session.Data)
	}
	if silent && r.Error == nobodyThere {
		if !known {
			return Redirect{}, fault.New(fault.Invalid, "login_state")
		}
		return to, nil
	}
	s.Log.InfoContext(ctx, "a login was refused by the provider", "reason", r.Error)
	if session.User == uuid.Nil {
		return to, nil
	}
	to.Logout = true
	return to, s.end(ctx, r.Secret, session.User, "refused by the provider")
}

// letIn finds the account and begins a new session for it, with a new secret.
func (s *Service) letIn(ctx context.Context, oldSecret string, old user.Session, identity ports.Identity) (Redirect, error) {
	claims, err := s.claims(identity.Claims)
	if err != nil {
		return Redirect{}, err
	}
	teams := s.teams(ctx, identity.Claims)
	secret := newSecret()
	begin := func(r ports.Repos) error {
		u, isNew, err := s.account(ctx, r.Users, claims)
		if err != nil {
			return err
		}
		if isNew && s.Config.Marketing && u.Email != nil {
			if err := r.Jobs.SignUpForMarketing(ctx, u.ID); err != nil {
				return err
			}
		}
		if err := r.Users.LoggedIn(ctx, u.ID, s.Now()); err != nil {
			return err
		}
		if err := r.Sessions.Delete(ctx, Key(oldSecret)); err != nil {
			return err
		}
		if err := r.Sessions.Create(ctx, Key(secret), s.session(u, old, identity, teams)); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.Event{At: s.Now(), Action: audit.LoggedIn, Actor: u.ID, Subject: u.ID.String()})
	}
	err = s.Store.InTx(ctx, begin)
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "user_sub" {
		// Two first logins of one person at the same time: the other one has
		// made the account meanwhile.
		err = s.Store.InTx(ctx, begin)
	}
	if err != nil {
		return Redirect{}, err
	}
	return Redirect{URL: s.target(old.Data), Secret: secret, Login: true}, nil
}

// session is what follows the session in which a login began.
func (s *Service) session(u *user.User, old user.Session, identity ports.Identity, teams []string) user.Session {
	next := user.Session{
		User: u.ID, Sub: identity.Sub, SID: identity.SID, Teams: teams, Data: old.Data,
		CreatedAt: s.Now(), ExpiresAt: s.Now().Add(s.Config.SessionAge),
	}
	if old.User != u.ID {
		next.Data.Logouts, next.Data.Notes = nil, nil // they are somebody else's
	}
	next.Data.IDToken = ""
	if s.Config.StoreIDToken {
		next.Data.IDToken = identity.IDToken
	}
	return next
}

func (s *Service) target(d user.SessionData) string {
	if d.ReturnTo != "" {
		return d.ReturnTo
	}
	return s.Config.LoginURL
}

// teams reads which teams the person is in, where the installation wants that.
func (s *Service) teams(ctx context.Context, info map[string]any) []string {
	if s.Config.TeamsClaim == "" {
		return nil
	}
	teams, whole := user.Teams(info[s.Config.TeamsClaim])
	if !whole {
		s.Log.WarnContext(ctx, "not all that the provider says of somebody's teams can be used",
			"claim", s.Config.TeamsClaim, "subject", info["sub"], "used", len(teams))
	}
	return teams
}

// claims reads what userinfo says, by the rules of the installation.
func (s *Service) claims(info map[string]any) (user.Claims, error) {
	for _, name := range append([]string{"sub"}, s.Config.Essential...) {
		if _, ok := info[name]; !ok {
			return user.Claims{}, fault.About(fault.Forbidden, "claim_missing", name)
		}
	}
	claims := s.Config.Names.Claims(info)
	if claims.Sub == "" {
		return user.Claims{}, fault.About(fault.Forbidden, "claim_missing", "sub")
	}
	if s.Config.VerifiedEmail && !claims.Verified {
		claims.Email = ""
	}
	return claims, claims.Check()
}

// account finds or makes the account the claims are about (oidc.md §4).
func (s *Service) account(ctx context.Context, users ports.Users, claims user.Claims) (u *user.User, isNew bool, err error) {
	u, err = users.BySub(ctx, claims.Sub)
	if errors.Is(err, fault.NotFound) && claims.Email != "" && s.Config.EmailFallback {
		u, err = users.ByEmail(ctx, claims.Email, s.Config.EmailOfPending)
	}
	if errors.Is(err, fault.NotFound) {
		if !s.Config.CreateUsers {
			return nil, false, fault.About(fault.Forbidden, "user_creation_off", claims.Sub)
		}
		u = user.New(s.NewID(), claims, s.Config.Language, s.Now())
		return u, true, users.Create(ctx, u)
	} else if err != nil {
		return nil, false, err
	}
	if !u.Active {
		return nil, false, fault.About(fault.Forbidden, "user_disabled", u.ID.String())
	}
	changed := u.Update(claims)
	if known := u.Sub != nil && *u.Sub != ""; !known || (*u.Sub != claims.Sub && !s.Config.SubImmutable) {
		u.Sub, changed = &claims.Sub, true
	} else if *u.Sub != claims.Sub {
		s.Log.WarnContext(ctx, "an account was found by its e-mail and keeps its subject", "user", u.ID, "subject", claims.Sub)
	}
	if !changed {
		return u, false, nil
	}
	return u, false, users.SaveClaims(ctx, u)
}
