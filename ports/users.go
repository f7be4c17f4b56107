package ports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/user"
)

// Users keeps accounts.
type Users interface {
	// BySub returns fault.NotFound for an unknown subject.
	BySub(ctx context.Context, sub string) (*user.User, error)
	// ByEmail compares without regard to the case of ASCII letters; no other
	// letters are taken for each other. pending restricts it to accounts without
	// a subject. fault.NotFound for nobody, fault.Conflict when several share
	// the address.
	ByEmail(ctx context.Context, email string, pending bool) (*user.User, error)
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (*user.User, error)
	// List returns a page of accounts, newest first, and how many there are.
	// With a search, those whose e-mail has words like it.
	List(ctx context.Context, search string, offset, limit int) ([]*user.User, int, error)
	// Create stores a new account without a usable password. fault.Conflict
	// with code "user_sub" when the subject is taken.
	Create(ctx context.Context, u *user.User) error
	// SaveClaims stores subject, e-mail and names.
	SaveClaims(ctx context.Context, u *user.User) error
	// Update locks the account, applies fn to it and stores its preferences:
	// language, time zone and what new rooms are like. On fn's error nothing is
	// stored. fault.NotFound as in Get.
	Update(ctx context.Context, id uuid.UUID, at time.Time, fn func(*user.User) error) (*user.User, error)
	// LoggedIn stores the time of the last login.
	LoggedIn(ctx context.Context, id uuid.UUID, at time.Time) error
}

// FindUser finds the account that an operator means by its subject, id or e-mail.
// Faults as in ByEmail, and fault.Conflict with code "user_ambiguous" when it is
// the subject of one account and the id or e-mail of another.
func FindUser(ctx context.Context, users Users, who string) (*user.User, error) {
	var found *user.User
	for _, look := range []func() (*user.User, error){
		func() (*user.User, error) { return users.BySub(ctx, who) },
		func() (*user.User, error) {
			id, err := uuid.Parse(who)
			if err != nil {
				return nil, fault.New(fault.NotFound, "user")
			}
			return users.Get(ctx, id)
		},
		func() (*user.User, error) { return users.ByEmail(ctx, who, false) },
	} {
		u, err := look()
		switch {
		case errors.Is(err, fault.NotFound):
			continue
		case err != nil:
			return nil, err
		case found != nil && found.ID != u.ID:
			return nil, fault.New(fault.Conflict, "user_ambiguous")
		}
		found = u
	}
	if found == nil {
		return nil, fault.New(fault.NotFound, "user")
	}
	return found, nil
}

// Staff keeps what accounts are to the administration.
type Staff interface {
	// ByAdminEmail locks the account with exactly this address; fault.NotFound
	// for nobody.
	ByAdminEmail(ctx context.Context, email string) (user.Staff, error)
	// Create stores a new account that belongs to no subject of the provider.
	// fault.Conflict when the admin e-mail is taken.
	Create(ctx context.Context, s user.Staff, language string, at time.Time) error
	// Save stores password and flags, except for whether the account is active.
	Save(ctx context.Context, s user.Staff, at time.Time) error
}

// SessionKey is the SHA-256 of a session's secret: what is stored of it.
type SessionKey [32]byte

// Sessions keeps sessions.
type Sessions interface { //nolint:interfacebloat // one repository for one aggregate
	// Create stores a new session.
	Create(ctx context.Context, key SessionKey, s user.Session) error
	// Get returns fault.NotFound when there is none or it is over at now.
	Get(ctx context.Context, key SessionKey, now time.Time) (user.Session, error)
	// User returns whose session it is; fault.NotFound when the session is
	// over, anonymous, or the account is disabled.
	User(ctx context.Context, key SessionKey, now time.Time) (*user.User, error)
	// Update locks the session, applies fn to its data and stores it. On fn's
	// error nothing is stored. fault.NotFound as in Get.
	Update(ctx context.Context, key SessionKey, now time.Time, fn func(*user.SessionData) error) (user.Session, error)
	// Extend puts off the end of a session that nobody is logged in to; any other
	// stays as it is.
	Extend(ctx context.Context, key SessionKey, until time.Time) error
	// Delete forgets the session; one that is not there is no error.
	Delete(ctx context.Context, key SessionKey) error
	// EndByUser forgets all sessions of an account and tells how many.
	EndByUser(ctx context.Context, id uuid.UUID) (int64, error)
	// EndByProvider forgets the sessions that the provider's subject began, or
	// only the one it knows by sid; at least one of both is given. A session for
	// which it told no sid is ended with its subject. It tells whose they were.
	EndByProvider(ctx context.Context, sub, sid string) ([]uuid.UUID, error)
	// DeleteExpired forgets the sessions that are over at now and tells how many.
	DeleteExpired(ctx context.Context, now time.Time) (int64, error)
}

// UsedTokens remembers what works once.
type UsedTokens interface {
	// Take notes that a token was used, until a time. fault.Conflict when it was
	// noted before. key is the token's hash.
	Take(ctx context.Context, key SessionKey, until time.Time) error
	// DeleteExpired forgets what need not be remembered any more at now.
	DeleteExpired(ctx context.Context, now time.Time) error
}
