package entry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/lobby"
	"meetd/domain/participant"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about the lobby.
type Config struct {
	Lifetimes lobby.Lifetimes
	Notice    string     // LOBBY_NOTIFICATION_TYPE
	Newcomers ports.Rate // guests who begin to wait, for each address
	Rules     participant.Rules
}

// Service is the lobby.
type Service struct {
	Store  ports.Store
	Tokens ports.JoinTokens
	Calls  ports.RoomCalls
	Config Config
	Now    func() time.Time
	Log    *slog.Logger

	telling atomic.Int32
	told    sync.WaitGroup
}

// Request is somebody who asks to be let in.
type Request struct {
	Room     string     // as it stands in the path
	User     *user.User // nil: nobody is logged in
	Secret   string     // what the browser keeps, by which it is known again
	Counted  bool       // he was counted as a newcomer already
	Client   string     // his address, as rates count it
	Username string
}

// Answer is how far somebody is.
type Answer struct {
	Entry lobby.Entry
	Join  *Join // nil: not let in
}

// Join is what is needed to enter the LiveKit room.
type Join struct {
	Room  string
	Token string
}

// Newcomers is where guests from one address are counted when they bring no
// secret that is known.
func Newcomers(client string) string { return "lobby_newcomer " + client }

// Request asks to be let in, or whether one was. Who needs not ask gets in at
// once, whatever was decided about him; this is looked at again each time.
// fault.NotFound when there is no such room, fault.TooMany when too many guests
// from one address begin to wait.
func (s *Service) Request(ctx context.Context, r Request) (Answer, error) {
	repos := s.Store.Repos()
	rm, err := repos.Rooms.Find(ctx, r.Room, r.User.Key())
	if err != nil {
		return Answer{}, err
	}
	id := lobby.Participant(r.Secret)
	who := participant.Person{User: r.User, Guest: id.String(), Role: rm.Role, Username: r.Username}
	now := s.Now()
	e := lobby.Entry{
		Room: rm.ID, Participant: id, Identity: who.Identity(), Status: lobby.Waiting, Username: r.Username,
		Color: s.Tokens.Color(id.String()), Client: r.Client, Since: now, ExpiresAt: now.Add(s.Config.Lifetimes.Waiting),
	}
	if rm.Admits(r.User != nil, who.Role) {
		known, err := repos.Lobby.Get(ctx, rm.ID, id, now)
		if err == nil {
			e = known
		} else if !errors.Is(err, fault.NotFound) {
			return Answer{}, err
		}
		e.Status = lobby.Accepted
	} else if e, err = s.wait(ctx, e, r); err != nil {
		return Answer{}, err
	}
	if e.Status != lobby.Accepted {
		return Answer{Entry: e}, nil
	}
	g := s.Config.Rules.Grant(who, rm.ID.String(), rm.Configuration)
	g.Color = e.Color
	token, err := s.Tokens.Join(g)
	return Answer{Entry: e, Join: &Join{Room: g.Room, Token: token}}, err
}

// wait finds the entry of somebody who has to ask, or makes it. Asking for one
// who waits costs one statement, whatever else is in the lobby.
func (s *Service) wait(ctx context.Context, fresh lobby.Entry, r Request) (lobby.Entry, error) {
	repos := s.Store.Repos()
	e, told, err := repos.Lobby.Renew(ctx, fresh.Room, fresh.Participant, fresh.Identity, fresh.Since, fresh.ExpiresAt)
	if errors.Is(err, fault.NotFound) {
		if err := s.countNewcomer(ctx, r); err != nil {
			return lobby.Entry{}, err
		}
		e = fresh
		told, err = repos.Lobby.Add(ctx, fresh)
		if errors.Is(err, fault.Conflict) { // the same browser asked twice in this moment
			e, told, err = repos.Lobby.Renew(ctx, fresh.Room, fresh.Participant, fresh.Identity, fresh.Since, fresh.ExpiresAt)
		}
	}
	if err != nil || e.Status != lobby.Waiting || !e.NoticeDue(told, fresh.Since) {
		return e, err
	}
	due, err := repos.Lobby.Told(ctx, e.Room, told, fresh.Since)
	if due {
		s.tell(ctx, e.Room)
	}
	return e, err
}

// countNewcomer bounds how many entries guests make who bring a new secret each
// time.
func (s *Service) countNewcomer(ctx context.Context, r Request) error {
	if r.User != nil || r.Counted {
		return nil
	}
	return s.Store.Repos().Throttle.Hit(ctx, Newcomers(r.Client), s.Config.Newcomers, s.Now())
}

const (
	// tellTogether is how many rooms are told at the same time.
	tellTogether = 32
	// tellPatience is how long LiveKit may take.
	tellPatience = 3 * time.Second
)

// tell tells those who are in the room that somebody waits. The poll does not
// wait for it, and nothing is written down: a notice that is lost is repeated as
// long as somebody waits, and one that comes late is of no use. When LiveKit
// hangs, few notices hang with it and the others are dropped.
func (s *Service) tell(ctx context.Context, id uuid.UUID) {
	if s.telling.Add(1) > tellTogether {
		s.telling.Add(-1)
		s.Log.WarnContext(ctx, "a room was not told that somebody waits: LiveKit is slow", "room", id)
		return
	}
	ctx = context.WithoutCancel(ctx)
	s.told.Go(func() {
		defer s.telling.Add(-1)
		ctx, cancel := context.WithTimeout(ctx, tellPatience)
		defer cancel()
		if err := s.call(ctx, id); err != nil && !errors.Is(err, fault.NotFound) {
			s.Log.WarnContext(ctx, "a room was not told that somebody waits", "room", id, "error", err)
		}
	})
}

func (s *Service) call(ctx context.Context, id uuid.UUID) error {
	kind, err := json.Marshal(s.Config.Notice)
	if err != nil {
		return fmt.Errorf("the notice for a room: %w", err)
	}
	return s.Calls.Call(ctx, id.String(), []byte(`{"type": `+string(kind)+`}`))
}

// Settle waits for the notices that are under way.
func (s *Service) Settle() { s.told.Wait() }

// Decide lets somebody in, or not; he learns it when he asks again. fault.NotFound
// when there is no such room, nobody has to ask in it or nobody with this id
// does; fault.Forbidden when u may not decide.
func (s *Service) Decide(ctx context.Context, u *user.User, identifier string, who uuid.UUID, allow bool) error {
	rm, err := s.administered(ctx, u, identifier)
	if err != nil {
		return err
	}
	if rm.AccessLevel == room.Public {
		return fault.New(fault.NotFound, "lobby_none")
	}
	status, deed := lobby.Denied, audit.GuestRefused
	if allow {
		status, deed = lobby.Accepted, audit.GuestAdmitted
	}
	now := s.Now()
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Lobby.Decide(ctx, rm.ID, who, status, now, now.Add(s.Config.Lifetimes.Of(status))); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.Event{
			At: now, Action: deed, Actor: u.ID, Subject: who.String(), Details: map[string]string{"room": rm.ID.String()},
		})
	})
}

// maxWaiting is how many of those who wait are shown.
const maxWaiting = 500

// Waiting lists who waits for a room, the longest waiting first; where there are too
// many, some from each address. Faults as in Decide.
func (s *Service) Waiting(ctx context.Context, u *user.User, identifier string) ([]lobby.Entry, error) {
	rm, err := s.administered(ctx, u, identifier)
	if err != nil || rm.AccessLevel == room.Public {
		return nil, err
	}
	return s.Store.Repos().Lobby.Waiting(ctx, rm.ID, s.Now(), maxWaiting)
}

// administered finds a room whose lobby u may look into.
func (s *Service) administered(ctx context.Context, u *user.User, identifier string) (*room.Room, error) {
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, u.Key())
	if err == nil {
		held, err = held.Administered("room_privileges")
	}
	return held.Room, err
}

// Purge forgets what has expired.
func (s *Service) Purge(ctx context.Context) error {
	return s.Store.Repos().Lobby.DeleteExpired(ctx, s.Now())
}
