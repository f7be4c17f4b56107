package staff

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

// Service is the staff capability.
type Service struct {
	Store     ports.Store
	Passwords ports.Passwords
	Language  string // of new accounts
	Now       func() time.Time
	NewID     func() uuid.UUID
}

// Outcome is what the account was before.
type Outcome string

// The outcomes, as written in the audit log.
const (
	Created  Outcome = "created"  // there was none
	Upgraded Outcome = "upgraded" // it was no superuser
	Kept     Outcome = "kept"     // it was a superuser already
)

// Result is how it went.
type Result struct {
	Outcome  Outcome
	Disabled bool // the account still cannot log in; that is decided elsewhere
}

// CreateSuperuser makes the account with this admin e-mail, which is made if
// there is none, a superuser with this password. With another password than
// before, all of its sessions end. What is so already is left as it is, so that
// a deployment may say it again and again. fault.Invalid for an address that
// cannot be used or an empty password.
func (s *Service) CreateSuperuser(ctx context.Context, email, password string) (Result, error) {
	if err := user.CheckAdminEmail(email); err != nil {
		return Result{}, err
	}
	if password == "" {
		return Result{}, fault.New(fault.Invalid, "password_empty")
	}
	result, err := s.superuser(ctx, email, password)
	if errors.Is(err, fault.Conflict) { // somebody has just made the account
		result, err = s.superuser(ctx, email, password)
	}
	return result, err
}

func (s *Service) superuser(ctx context.Context, email, password string) (Result, error) {
	var result Result
	err := s.Store.InTx(ctx, func(r ports.Repos) error {
		account, err := r.Staff.ByAdminEmail(ctx, email)
		switch {
		case errors.Is(err, fault.NotFound):
			err = s.create(ctx, r, email, password)
			result = Result{Outcome: Created}
		case err == nil:
			result, err = s.promote(ctx, r, account, password)
		}
		return err
	})
	return result, err
}

func (s *Service) create(ctx context.Context, r ports.Repos, email, password string) error {
	hash, err := s.Passwords.Hash(password)
	if err != nil {
		return err
	}
	account := user.Staff{ID: s.NewID(), AdminEmail: email, Password: hash, Staff: true, Superuser: true, Active: true}
	if err := r.Staff.Create(ctx, account, s.Language, s.Now()); err != nil {
		return err
	}
	return s.record(ctx, r, account.ID, Created, true)
}

func (s *Service) promote(ctx context.Context, r ports.Repos, account user.Staff, password string) (Result, error) {
	result := Result{Outcome: Kept, Disabled: !account.Active}
	if !account.Staff || !account.Superuser {
		result.Outcome = Upgraded
	}
	// A hash that cannot be read gives way to one that can.
	same, outdated, _ := s.Passwords.Verify(account.Password, password)
	if same && !outdated && result.Outcome == Kept {
		return result, nil
	}
	account.Staff, account.Superuser = true, true
	if !same || outdated {
		var err error
		if account.Password, err = s.Passwords.Hash(password); err != nil {
			return Result{}, err
		}
	}
	if err := r.Staff.Save(ctx, account, s.Now()); err != nil {
		return Result{}, err
	}
	if !same {
		if _, err := r.Sessions.EndByUser(ctx, account.ID); err != nil {
			return Result{}, err
		}
	}
	return result, s.record(ctx, r, account.ID, result.Outcome, !same)
}

func (s *Service) record(ctx context.Context, r ports.Repos, id uuid.UUID, o Outcome, password bool) error {
	details := map[string]string{"superuser": string(o)}
	if password {
		details["password"] = "changed"
	}
	return r.Audit.Record(ctx, audit.Event{At: s.Now(), Action: audit.StaffChanged, Subject: id.String(), Details: details})
}
