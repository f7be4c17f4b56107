package dialin

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/ports"
)

// Config is what the installation decides about dialling in.
type Config struct {
	Enabled bool // telephony or room kits are on
}

// Service is the dial-in capability.
type Service struct {
	Store     ports.Store
	Rooms     ports.OpenRooms
	DialIns   ports.DialIns
	Analytics ports.Analytics
	Config    Config
	Now       func() time.Time
	Log       *slog.Logger
}

// roomOf reads the name that LiveKit knows a registered room by.
func roomOf(name string) (uuid.UUID, bool) {
	id, err := uuid.Parse(name)
	return id, err == nil && id.String() == name
}

// RoomStarted takes it that LiveKit opened a room. A room that is not ours is no
// error: the sender could do nothing about it.
func (s *Service) RoomStarted(ctx context.Context, e ports.ConferenceEvent) error {
	id, ok := roomOf(e.Room)
	if !ok || !s.Config.Enabled {
		return nil
	}
	return s.once(ctx, e, func(r ports.Repos) error {
		if _, err := r.Rooms.Get(ctx, id); err != nil {
			return fault.IgnoreMissing(err)
		}
		return r.Jobs.OpenDialIn(ctx, id)
	})
}

// RoomFinished takes it that LiveKit closed a room. Nobody waits for it or is let
// into it any more.
func (s *Service) RoomFinished(ctx context.Context, e ports.ConferenceEvent) error {
	id, ok := roomOf(e.Room)
	if !ok {
		return nil
	}
	return s.once(ctx, e, func(r ports.Repos) error {
		if s.Config.Enabled {
			if err := r.Jobs.CloseDialIn(ctx, id, e.Opened); err != nil {
				return err
			}
		}
		return r.Lobby.Clear(ctx, id)
	})
}

// once writes the event down and applies it in one transaction, unless it was
// written down before: a late second delivery must not clear the lobby of a room
// that was opened again.
func (s *Service) once(ctx context.Context, e ports.ConferenceEvent, fn func(ports.Repos) error) error {
	kept, err := ports.Kept(ports.FromLiveKit, e.Room, cmp.Or(e.ID, e.Name+" "+e.Opened), struct{ Name, Opened string }{e.Name, e.Opened})
	if err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		first, err := r.Events.First(ctx, s.Now(), kept)
		if err != nil || !first {
			return err
		}
		return fn(r)
	})
}

// Join lets a room kit into the room with this PIN code, whether it is open or
// not.
func (s *Service) Join(ctx context.Context, pin string) error {
	rm, err := s.Store.Repos().Rooms.ByPIN(ctx, pin)
	if errors.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "room_pin_unknown")
	} else if err != nil {
		return err
	}
	made, err := s.DialIns.Ensure(ctx, rm.ID, pin)
	if err != nil {
		return fault.Wrap(fault.Upstream, "dial_in", err)
	}
	s.Analytics.Capture(ports.AnalyticsEvent{Name: "roomkit_joined", Properties: map[string]any{
		"room_id": rm.ID.String(), "dispatch_rule_created": made,
	}})
	return nil
}

// Open makes the rule of a room that is open.
func (s *Service) Open(ctx context.Context, id uuid.UUID) error {
	rm, err := s.Store.Repos().Rooms.Get(ctx, id)
	if err != nil {
		return fault.IgnoreMissing(err)
	}
	if rm.PIN == nil {
		s.Log.WarnContext(ctx, "a room has no PIN code, so nobody can dial in", "room", id)
		return nil
	}
	opened, err := s.Rooms.Opened(ctx, id.String())
	if err != nil || opened == "" {
		return err
	}
	_, err = s.DialIns.Ensure(ctx, id, *rm.PIN)
	return err
}

// Close removes the rule of a room, unless the room was opened again since.
func (s *Service) Close(ctx context.Context, id uuid.UUID, opened string) error {
	now, err := s.Rooms.Opened(ctx, id.String())
	if err != nil || (now != "" && now != opened) {
		return err
	}
	return s.DialIns.Delete(ctx, id)
}
