package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// PasswordLogin is a member of staff who logs in with the admin e-mail.
type PasswordLogin struct {
	Secret   string // of the browser's session; may be empty or over
	Client   string // address, to count by
	Email    string // exactly as stored
	Password string
	Target   string // where he wants to be afterwards: a path of ours
}

// How often a password may be tried: for each address, and for each account,
// whether it exists or not. Tries that work count too, so that many at the same
// time are no way around it.
var (
	triesOfClient  = ports.Rate{Count: 60, Period: 15 * time.Minute}
	triesOfAccount = ports.Rate{Count: 20, Period: 15 * time.Minute}
)

// wrongPassword is whatever is wrong with a login by password.
const wrongPassword = "password_wrong"

// LoginByPassword begins a session for a member of staff: of the same kind as that
// of a login at the provider, and with a new secret. Whatever is wrong, the account
// being unknown, disabled or nobody's of staff included, is fault.Forbidden, takes
// as long and says no more. Who tries too often gets fault.TooMany.
func (s *Service) LoginByPassword(ctx context.Context, l PasswordLogin) (Redirect, error) {
	throttle := s.Store.Repos().Throttle
	if err := throttle.Hit(ctx, "password "+l.Client, triesOfClient, s.Now()); err != nil {
		return Redirect{}, err
	}
	name := sha256.Sum256([]byte(l.Email))
	if err := throttle.Hit(ctx, "password of "+hex.EncodeToString(name[:]), triesOfAccount, s.Now()); err != nil {
		return Redirect{}, err
	}
	account, upgraded, err := s.checkPassword(ctx, l)
	if err == nil {
		var to Redirect
		if to, err = s.begin(ctx, l, account, upgraded); err == nil {
			return to, nil
		}
	}
	if !errors.Is(err, fault.Forbidden) {
		return Redirect{}, err
	}
	details := map[string]string{"reason": wrongPassword}
	if account.ID != uuid.Nil {
		details["about"] = account.ID.String()
	}
	return Redirect{}, errors.Join(err, s.Store.Repos().Audit.Record(ctx, audit.Event{At: s.Now(), Action: audit.LoginRefused, Details: details}))
}

// checkPassword finds the account. upgraded is a better hash of the password, or
// empty. The account comes with fault.Forbidden too, if there is one.
func (s *Service) checkPassword(ctx context.Context, l PasswordLogin) (account user.Staff, upgraded string, err error) {
	refused := fault.New(fault.Forbidden, wrongPassword)
	account, err = s.Store.Repos().Staff.ByAdminEmail(ctx, l.Email)
	if err != nil && !errors.Is(err, fault.NotFound) && !errors.Is(err, fault.Invalid) { // text that cannot be stored
		return account, "", err
	}
	unknown := err != nil || account.Password == "" || account.Password[0] == '!'
	if err := s.checking.enter(ctx); err != nil {
		return account, "", err
	}
	defer s.checking.leave()
	if len(l.Password) > 4*user.LongestPassword {
		return account, "", refused
	}
	if unknown {
		_, err := s.Passwords.Hash(l.Password) // as much work as looking at a wrong one
		return account, "", errors.Join(refused, err)
	}
	ok, outdated, err := s.Passwords.Verify(account.Password, l.Password)
	if err != nil {
		s.Log.ErrorContext(ctx, "the stored password of an account cannot be used; set a new one", "user", account.ID, "error", err)
		return account, "", refused
	}
	if !ok || !account.Active || !account.Staff {
		return account, "", refused
	}
	if outdated {
		upgraded, err = s.Passwords.Hash(l.Password)
	}
	return account, upgraded, err
}

// begin begins the session, if the account is still what was looked at.
func (s *Service) begin(ctx context.Context, l PasswordLogin, seen user.Staff, upgraded string) (Redirect, error) {
	secret, now := newSecret(), s.Now()
	err := s.Store.InTx(ctx, func(r ports.Repos) error {
		account, err := r.Staff.ByAdminEmail(ctx, l.Email)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		if account != seen {
			return fault.New(fault.Forbidden, wrongPassword)
		}
		if upgraded != "" {
			account.Password = upgraded
			if err := r.Staff.Save(ctx, account, now); err != nil {
				return err
			}
		}
		if err := r.Users.LoggedIn(ctx, account.ID, now); err != nil {
			return err
		}
		if l.Secret != "" {
			if err := r.Sessions.Delete(ctx, Key(l.Secret)); err != nil {
				return err
			}
		}
		if err := r.Sessions.Create(ctx, Key(secret), user.Session{
			User: account.ID, CreatedAt: now, ExpiresAt: now.Add(s.Config.SessionAge),
		}); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.Event{
			At: now, Action: audit.LoggedIn, Actor: account.ID, Subject: account.ID.String(), Details: map[string]string{"with": "password"},
		})
	})
	return Redirect{URL: l.Target, Secret: secret, Login: true}, err
}

// turnstile lets two at a time look at a password, which takes a processor for
// some hundred milliseconds: others wait, and requests that need no password do not.
type turnstile struct {
	once  sync.Once
	seats chan struct{}
}

func (t *turnstile) enter(ctx context.Context) error {
	t.once.Do(func() { t.seats = make(chan struct{}, 2) })
	select {
	case t.seats <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, "busy", ctx.Err())
	}
}

func (t *turnstile) leave() { <-t.seats }
