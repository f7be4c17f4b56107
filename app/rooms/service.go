package rooms

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math/big"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// TokenTTL is how long a token to join is good for.
const TokenTTL = 6 * time.Hour

// Config is what the installation decides about rooms.
type Config struct {
	DefaultAccessLevel room.AccessLevel // RESOURCE_DEFAULT_ACCESS_LEVEL
	AllowUnregistered  bool             // ALLOW_UNREGISTERED_ROOMS
	EditableNames      bool             // AUTHENTICATED_PARTICIPANTS_CAN_EDIT_DISPLAY_NAME
	Sources            []room.Source    // LIVEKIT_DEFAULT_SOURCES
	PINs               bool             // telephony or room kits are on
	PINLength          int              // digits
	PINTries           int              // draws before a room stays without
}

// Service is the room capability.
type Service struct {
	Store  ports.Store
	Tokens ports.JoinTokens
	Config Config
	Now    func() time.Time
	NewID  func() uuid.UUID
	Log    *slog.Logger
}

// View is a room as one person sees it.
type View struct {
	Room     *room.Room         // nil: no such room is registered
	Slug     string             // also of an unregistered room
	Accesses []ports.RoomAccess // only for those with privileges; nil for others
	Join     *Join              // nil: the person has to ask in the lobby
}

// Join is what is needed to enter the LiveKit room.
type Join struct {
	Room  string
	Token string
}

// Draft is a room to be made.
type Draft struct {
	Name          string
	AccessLevel   room.AccessLevel   // empty: the user's default, else the installation's
	Configuration room.Configuration // empty: the user's default
}

// Create makes a room that u owns. username is how u wants to be called in it;
// empty: by the account's name.
func (s *Service) Create(ctx context.Context, u *user.User, d Draft, username string) (View, error) {
	level := d.AccessLevel
	if level == "" && u.DefaultRoomAccessLevel != nil {
		level = room.AccessLevel(*u.DefaultRoomAccessLevel)
	}
	if level == "" {
		level = s.Config.DefaultAccessLevel
	}
	conf := d.Configuration
	if len(conf) == 0 {
		conf = u.DefaultRoomConfiguration
	}
	rm, err := room.New(s.NewID(), d.Name, level, conf, s.Now())
	if err != nil {
		return View{}, err
	}
	rooms := s.Store.Repos().Rooms
	if s.Config.PINs {
		if rm.PIN, err = s.freePIN(ctx, rooms); err != nil {
			return View{}, err
		}
	}
	err = rooms.Create(ctx, rm, u.ID, s.NewID())
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "room_pin" { // another room took it in this moment
		rm.PIN = nil
		err = rooms.Create(ctx, rm, u.ID, s.NewID())
	}
	if errors.As(err, &f) && f.Code == "room_slug" {
		return View{}, fault.Field("slug", "Room with this Slug already exists.")
	}
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, u, access.Owner, rm, username)
}

// freePIN draws until a PIN is free; nil when none was found in time.
func (s *Service) freePIN(ctx context.Context, rooms ports.Rooms) (*string, error) {
	draw := func(limit *big.Int) (*big.Int, error) { return rand.Int(rand.Reader, limit) }
	for range s.Config.PINTries {
		pin, err := room.PIN(s.Config.PINLength, draw)
		if err != nil {
			return nil, err
		}
		taken, err := rooms.PINTaken(ctx, pin)
		if err != nil || !taken {
			return &pin, err
		}
	}
	s.Log.WarnContext(ctx, "no free PIN code was found; the room has none", "tries", s.Config.PINTries)
	return nil, nil
}

// Retrieve shows a room to u; nil for an anonymous visitor. An unknown room is
// fault.NotFound, or one that anybody may open where the installation allows.
func (s *Service) Retrieve(ctx context.Context, u *user.User, identifier, username string) (View, error) {
	rooms := s.Store.Repos().Rooms
	rm, err := rooms.Find(ctx, identifier)
	if errors.Is(err, fault.NotFound) && s.Config.AllowUnregistered {
		slug := room.Slug(identifier)
		join, err := s.join(u, access.None, slug, nil, username)
		return View{Slug: slug, Join: join}, err
	}
	if err != nil {
		return View{}, err
	}
	role := access.None
	if u != nil {
		if role, err = rooms.Role(ctx, rm.ID, u.ID); err != nil {
			return View{}, err
		}
	}
	return s.view(ctx, u, role, rm, username)
}

func (s *Service) view(ctx context.Context, u *user.User, role access.Role, rm *room.Room, username string) (View, error) {
	v := View{Room: rm, Slug: rm.Slug}
	var err error
	if role.Privileged() {
		if v.Accesses, err = s.Store.Repos().Rooms.Accesses(ctx, rm.ID); err != nil {
			return View{}, err
		}
	}
	if rm.Admits(u != nil, role) {
		v.Join, err = s.join(u, role, rm.ID.String(), rm.Configuration, username)
	}
	return v, err
}

// join makes the token of one person (livekit.md §2).
func (s *Service) join(u *user.User, role access.Role, name string, conf room.Configuration, username string) (*Join, error) {
	g := ports.JoinGrant{Room: name, Role: role, LoggedIn: u != nil, Sources: s.Config.Sources, TTL: TokenTTL}
	if u == nil {
		g.Identity, g.Name = s.NewID().String(), "Anonymous"
	} else {
		g.Identity, g.Name = u.Identity(), u.DisplayName()
	}
	if username != "" && (u == nil || s.Config.EditableNames) {
		g.Name = username
	}
	if sources, ok := conf.PublishSources(); ok && !role.Privileged() {
		g.Sources = sources
	}
	token, err := s.Tokens.Join(g)
	return &Join{Room: name, Token: token}, err
}
