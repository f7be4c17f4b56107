package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/user"
)

// Users keeps accounts.
type Users interface {
	// BySub returns fault.NotFound for an unknown subject.
	BySub(ctx context.Context, sub string) (*user.User, error)
	// ByEmail compares without regard to case. fault.NotFound for nobody,
	// fault.Conflict when several accounts share the address.
	ByEmail(ctx context.Context, email string) (*user.User, error)
	// Create stores a new account without a usable password. fault.Conflict
	// when the subject is taken.
	Create(ctx context.Context, u *user.User) error
	// SaveClaims stores subject, e-mail and names.
	SaveClaims(ctx context.Context, u *user.User) error
	// LoggedIn stores the time of the last login.
	LoggedIn(ctx context.Context, id uuid.UUID, at time.Time) error
}

// SessionKey is the SHA-256 of a session's secret: what is stored of it.
type SessionKey [32]byte

// Sessions keeps sessions.
type Sessions interface {
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
	// Delete forgets the session; one that is not there is no error.
	Delete(ctx context.Context, key SessionKey) error
	// DeleteExpired forgets all sessions that are over at now and tells how many.
	DeleteExpired(ctx context.Context, now time.Time) (int64, error)
}
