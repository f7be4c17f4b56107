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
	"meetd/domain/participant"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about rooms.
type Config struct {
	DefaultAccessLevel room.AccessLevel // RESOURCE_DEFAULT_ACCESS_LEVEL
	AllowUnregistered  bool             // ALLOW_UNREGISTERED_ROOMS
	Rules              participant.Rules
	PINs               bool          // telephony or room kits are on
	PINLength          int           // digits
	PINTries           int           // draws before a room stays without
	InvitationRate     ports.Rate    // invitations of one sender
	CallbackTTL        time.Duration // ROOM_CREATION_CALLBACK_CACHE_TIMEOUT
}

// Service is the room capability.
type Service struct {
	Store     ports.Store
	Tokens    ports.JoinTokens
	Open      ports.OpenRooms
	Mailer    ports.Mailer
	Analytics ports.Analytics
	Config    Config
	Now       func() time.Time
	NewID     func() uuid.UUID
	// ClearRecordings deletes all recordings of a room that actor deletes.
	ClearRecordings func(ctx context.Context, r ports.Repos, room, actor uuid.UUID) error
	Log             *slog.Logger
}

// View is a room as one person sees it.
type View struct {
	Room    *room.Room         // nil: no such room is registered
	Slug    string             // also of an unregistered room
	Members []ports.RoomMember // only for those with privileges; nil for others
	Join    *Join              // nil: the person has to ask in the lobby
}

// Join is what is needed to enter the LiveKit room.
type Join struct {
	Room  string
	Token string
}

// Wish is what somebody wants of a new room; the name must be there.
type Wish struct {
	Change
	Username string // how he wants to be called in it; empty: by the account's name
	Callback string // what the room is to be found by with TakeCallback; empty: nothing
}

// Create makes a room that u owns. What the wish leaves out is as in u's
// preferences, else as the installation has it.
func (s *Service) Create(ctx context.Context, u *user.User, wish Wish) (View, error) {
	level := s.Config.DefaultAccessLevel
	if u.DefaultRoomAccessLevel != nil && *u.DefaultRoomAccessLevel != "" {
		level = room.AccessLevel(*u.DefaultRoomAccessLevel)
	}
	if wish.AccessLevel != nil {
		level = *wish.AccessLevel
	}
	conf := wish.Configuration
	if len(conf) == 0 {
		conf = u.DefaultRoomConfiguration
	}
	rm, err := room.New(s.NewID(), *wish.Name, level, conf, s.Now())
	if err != nil {
		return View{}, err
	}
	if rm.PIN, err = s.DrawPIN(ctx, s.Store.Repos().Rooms); err != nil {
		return View{}, err
	}
	err = s.store(ctx, rm, u, wish.Callback)
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "room_pin" { // another room took it in this moment
		rm.PIN = nil
		err = s.store(ctx, rm, u, wish.Callback)
	}
	if err != nil {
		return View{}, slugFault(err)
	}
	s.Analytics.Capture(ports.AnalyticsEvent{Name: "room_created", Person: u.ID, Properties: map[string]any{
		"room_id": rm.ID.String(), "access_level": string(rm.AccessLevel), "from_callback": wish.Callback != "",
	}})
	return s.show(ctx, u, ports.HeldRoom{Room: rm, Role: access.Owner}, wish.Username)
}

// store stores a new room, and what it is to be found by.
func (s *Service) store(ctx context.Context, rm *room.Room, owner *user.User, callback string) error {
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Rooms.Create(ctx, rm, owner.ID, s.NewID()); err != nil || callback == "" {
			return err
		}
		return r.Callbacks.Keep(ctx, callback, rm.Slug, s.Now().Add(s.Config.CallbackTTL))
	})
}

// TakeCallback tells the slug of the room that was created with this callback,
// to whoever asks first; empty when there is none (http-users-rooms.md §4).
func (s *Service) TakeCallback(ctx context.Context, callback string) (slug string, err error) {
	slug, err = s.Store.Repos().Callbacks.Take(ctx, callback, s.Now())
	return slug, fault.IgnoreMissing(err)
}

// PurgeCallbacks forgets the callbacks that nobody came for in time.
func (s *Service) PurgeCallbacks(ctx context.Context) error {
	return s.Store.Repos().Callbacks.DeleteExpired(ctx, s.Now())
}

// slugFault names the field of a slug that is taken.
func slugFault(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "room_slug" {
		return fault.Field("slug", "Room with this Slug already exists.")
	}
	return err
}

// DrawPIN draws a PIN for a new room until one is free; nil when none was found in
// time, or where rooms have none.
func (s *Service) DrawPIN(ctx context.Context, rooms ports.Rooms) (*string, error) {
	if !s.Config.PINs {
		return nil, nil
	}
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
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, u.Key())
	if errors.Is(err, fault.NotFound) && s.Config.AllowUnregistered {
		if slug, ok := room.Unregistered(identifier); ok {
			join, err := s.join(u, access.None, slug, nil, username)
			return View{Slug: slug, Join: join}, err
		}
	}
	if err != nil {
		return View{}, err
	}
	return s.show(ctx, u, held, username)
}

func (s *Service) show(ctx context.Context, u *user.User, held ports.HeldRoom, username string) (View, error) {
	views, err := s.showAll(ctx, u, []ports.HeldRoom{held}, username)
	if err != nil {
		return View{}, err
	}
	return views[0], nil
}

// showAll shows rooms to one person, with one look at the accesses of all.
func (s *Service) showAll(ctx context.Context, u *user.User, held []ports.HeldRoom, username string) ([]View, error) {
	var administered []uuid.UUID
	for _, h := range held {
		if h.Role.Privileged() {
			administered = append(administered, h.ID)
		}
	}
	var members map[uuid.UUID][]ports.RoomMember
	if len(administered) > 0 {
		var err error
		if members, err = s.Store.Repos().Accesses.Members(ctx, administered...); err != nil {
			return nil, err
		}
	}
	views := make([]View, len(held))
	for i, h := range held {
		views[i] = View{Room: h.Room, Slug: h.Slug, Members: members[h.ID]}
		if !h.Admits(u != nil, h.Role) {
			continue
		}
		var err error
		if views[i].Join, err = s.join(u, h.Role, h.ID.String(), h.Configuration, username); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// join makes the token of one person (livekit.md §2). Guests are somebody else
// each time.
func (s *Service) join(u *user.User, role access.Role, name string, conf room.Configuration, username string) (*Join, error) {
	who := participant.Person{User: u, Guest: s.NewID().String(), Role: role, Username: username}
	token, err := s.Tokens.Join(s.Config.Rules.Grant(who, name, conf))
	return &Join{Room: name, Token: token}, err
}
