// Package diagnostics lets people try, in a room of their own, whether their
// browser and network reach LiveKit (livekit.md §12).
package diagnostics

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/participant"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about connection tests.
type Config struct {
	Enabled bool          // CONNECTION_TEST_ENABLED
	Prefix  string        // CONNECTION_TEST_ROOM_PREFIX
	TTL     time.Duration // CONNECTION_TEST_TOKEN_TTL_SECONDS
	Extra   time.Duration // CONNECTION_TEST_ROOM_EXTRA_AGE_SECONDS
	Rules   participant.Rules
}

// Service is the diagnostics capability.
type Service struct {
	Store  ports.Store
	Tokens ports.JoinTokens
	Rooms  ports.OpenRooms
	Config Config
	Now    func() time.Time
	NewID  func() uuid.UUID
}

// Test is what is needed to try.
type Test struct {
	Room  string
	Token string
	TTL   time.Duration
}

// Connection makes a test for u; nil for an anonymous visitor. Its room is
// closed some time after the token is over.
func (s *Service) Connection(ctx context.Context, u *user.User) (Test, error) {
	if !s.Config.Enabled {
		return Test{}, fault.New(fault.NotFound, "feature_off")
	}
	t := Test{Room: s.Config.Prefix + "-" + s.NewID().String(), TTL: s.Config.TTL}
	who := participant.Person{User: u, Guest: s.NewID().String(), Username: "Connection Test"}
	grant := s.Config.Rules.Grant(who, t.Room, nil)
	grant.TTL = t.TTL
	var err error
	if t.Token, err = s.Tokens.Join(grant); err != nil {
		return Test{}, err
	}
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		return r.Jobs.CloseTest(ctx, t.Room, s.Now().Add(s.Config.TTL+s.Config.Extra))
	})
	return t, err
}

// Close closes the room of a test, if it is open. It refuses every room that is
// none.
func (s *Service) Close(ctx context.Context, name string) error {
	id, ok := strings.CutPrefix(name, s.Config.Prefix+"-")
	if _, err := uuid.Parse(id); !ok || err != nil {
		return fault.About(fault.Invalid, "test_room", name)
	}
	return fault.IgnoreMissing(s.Rooms.Close(ctx, name))
}
