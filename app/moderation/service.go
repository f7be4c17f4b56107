package moderation

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about moderation.
type Config struct {
	Subtitles     bool   // ROOM_SUBTITLE_ENABLED
	SubtitleAgent string // ROOM_SUBTITLE_AGENT_NAME
}

// Service is the moderation capability.
type Service struct {
	Store        ports.Store
	Participants ports.Participants
	Agents       ports.Agents
	Config       Config
	Now          func() time.Time
	NewID        func() uuid.UUID
	Log          *slog.Logger
}

// Moderated finds a room whose participants u may change: fault.NotFound, or
// fault.Forbidden when u is neither administrator nor owner.
func (s *Service) Moderated(ctx context.Context, u *user.User, identifier string) (*room.Room, error) {
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, u.Key())
	if err == nil {
		held, err = held.Administered("room_privileges")
	}
	return held.Room, err
}

// Joined finds the room that p was let into; p is nil when no token was shown.
func (s *Service) Joined(ctx context.Context, p *ports.Presence, identifier string) (*room.Room, error) {
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, uuid.Nil)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return nil, fault.New(fault.Forbidden, "presence")
	case p.Room != held.ID.String():
		return nil, fault.New(fault.Forbidden, "permission")
	}
	return held.Room, nil
}

// Mutable finds a room in which tracks may be muted: by u, who administers it,
// or by the participant p where the room lets everyone. Only one of both is
// asking; both are nil for a stranger.
func (s *Service) Mutable(ctx context.Context, u *user.User, p *ports.Presence, identifier string) (*room.Room, error) {
	if p != nil {
		rm, err := s.Joined(ctx, p, identifier)
		if err == nil && !rm.Configuration.EveryoneCanMute() {
			err = fault.New(fault.Forbidden, "permission")
		}
		return rm, err
	}
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, u.Key())
	switch {
	case err != nil:
	case u == nil:
		err = fault.New(fault.Forbidden, "presence")
	default:
		held, err = held.Administered("permission")
	}
	return held.Room, err
}

// Mute mutes a track. A participant who asks for it has to be in the meeting.
func (s *Service) Mute(ctx context.Context, rm *room.Room, by *ports.Presence, identity, track string) error {
	if by != nil {
		if there, err := s.Participants.Connected(ctx, rm.ID.String(), by.Identity); err != nil || !there {
			return fault.Wrap(fault.Forbidden, "participant_caller", err)
		}
	}
	return told(s.Participants.Mute(ctx, rm.ID.String(), identity, track), "participant_mute")
}

// Change changes a participant.
func (s *Service) Change(ctx context.Context, rm *room.Room, identity string, c ports.ParticipantChange) error {
	return told(s.Participants.Change(ctx, rm.ID.String(), identity, c), "participant_update")
}

// Remove sends a participant out. Whoever was let in from the lobby has to ask
// again, even when LiveKit cannot be reached.
func (s *Service) Remove(ctx context.Context, u *user.User, rm *room.Room, identity string) error {
	repos := s.Store.Repos()
	if err := repos.Lobby.Forget(ctx, rm.ID, identity); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := told(s.Participants.Remove(ctx, rm.ID.String(), identity), "participant_remove"); err != nil {
		return err
	}
	who, err := subject(ctx, repos, identity)
	if err != nil {
		return err
	}
	return repos.Audit.Record(ctx, audit.Event{
		At: s.Now(), Action: audit.ParticipantRemoved, Actor: u.ID, Subject: who, Details: map[string]string{"room": rm.ID.String()},
	})
}

// subject is what the audit trail calls a participant: by the id of his account, or
// by the one a guest has in a meeting. What else he is called is not written down.
func subject(ctx context.Context, r ports.Repos, identity string) (string, error) {
	u, err := r.Users.BySub(ctx, identity)
	if err == nil {
		return u.ID.String(), nil
	}
	id, _ := uuid.Parse(identity)
	if id == uuid.Nil {
		return "", fault.IgnoreMissing(err)
	}
	return id.String(), fault.IgnoreMissing(err)
}

// Rename gives the participant himself another name.
func (s *Service) Rename(ctx context.Context, p ports.Presence, name string) error {
	return told(s.Participants.Change(ctx, p.Room, p.Identity, ports.ParticipantChange{Name: name}), "participant_rename")
}

// RaiseHand raises or lowers the participant's own hand.
func (s *Service) RaiseHand(ctx context.Context, p ports.Presence, raised bool) error {
	at := ""
	if raised {
		at = s.Now().UTC().Format("2006-01-02T15:04:05.000000+00:00")
	}
	return told(s.Participants.Change(ctx, p.Room, p.Identity, ports.ParticipantChange{
		Attributes: map[string]string{"handRaisedAt": at},
	}), "participant_hand")
}

// SubtitlesAvailable is fault.NotFound when subtitles are switched off.
func (s *Service) SubtitlesAvailable() error {
	if !s.Config.Subtitles {
		return fault.New(fault.NotFound, "feature_off")
	}
	return nil
}

// StartSubtitles sends for the agent that writes along. One that is there
// refuses to come twice.
func (s *Service) StartSubtitles(ctx context.Context, rm *room.Room) error {
	_, err := s.Agents.Dispatch(ctx, s.Config.SubtitleAgent, rm.ID.String(), "")
	if err != nil {
		return &fault.Error{Kind: fault.Upstream, Code: "subtitle_start", Subject: rm.Slug, Err: err}
	}
	return nil
}

// told gives a failure of LiveKit the name of what failed, unless it is that
// the participant is not there. What LiveKit never takes stays fault.Invalid.
func told(err error, code string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fault.NotFound):
		return fault.Wrap(fault.NotFound, "participant", err)
	case errors.Is(err, fault.Invalid):
		return fault.Wrap(fault.Invalid, code, err)
	}
	return fault.Wrap(fault.Upstream, code, err)
}
