package moderation

import (
	"context"
	"errors"

	"meetd/domain/access"
	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// Attended is Moderated, for somebody who has to be in the meeting himself.
func (s *Service) Attended(ctx context.Context, u *user.User, identifier string) (*room.Room, error) {
	rm, err := s.Moderated(ctx, u, identifier)
	if err != nil {
		return nil, err
	}
	there, err := s.Participants.Connected(ctx, rm.ID.String(), u.Identity())
	if err != nil || !there {
		return nil, fault.Wrap(fault.Forbidden, "participant_absent_caller", err)
	}
	return rm, nil
}

// Assign makes somebody in the meeting a member or an administrator of the
// room, for good. shown is false when the others in the meeting could not be
// told; the role holds then too, and asking again tells them again.
func (s *Service) Assign(ctx context.Context, u *user.User, rm *room.Room, identity string, role access.Role) (shown bool, err error) {
	if identity == u.Identity() {
		return false, fault.New(fault.Forbidden, "role_own")
	}
	there, err := s.Participants.Connected(ctx, rm.ID.String(), identity)
	switch {
	case errors.Is(err, fault.NotFound), err == nil && !there:
		return false, fault.Wrap(fault.NotFound, "role_absent", err)
	case err != nil:
		return false, fault.Wrap(fault.Upstream, "role_check", err)
	}
	target, err := s.Store.Repos().Users.BySub(ctx, identity)
	if errors.Is(err, fault.NotFound) {
		return false, fault.New(fault.NotFound, "role_no_account")
	} else if err != nil {
		return false, err
	}
	if err := s.assign(ctx, u, ports.RoomAccess{RoomID: rm.ID, UserID: target.ID, Role: role}); err != nil {
		return false, err
	}
	// Stored is stored, even if who asked has gone: the rest belongs to it.
	err = s.Participants.Change(context.WithoutCancel(ctx), rm.ID.String(), identity, ports.ParticipantChange{
		Attributes: map[string]string{"room_role": string(role)},
	})
	if err != nil {
		s.Log.WarnContext(ctx, "a new role could not be shown in the meeting", "room", rm.ID, "error", err)
	}
	return err == nil, nil
}

// assign stores a role. What u may do is looked at again under the lock.
func (s *Service) assign(ctx context.Context, u *user.User, wish ports.RoomAccess) error {
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Accesses.Lock(ctx, wish.RoomID); err != nil {
			return err
		}
		mine, err := r.Accesses.Role(ctx, wish.RoomID, u.ID)
		if err != nil {
			return err
		}
		members, err := r.Accesses.Members(ctx, wish.RoomID)
		if err != nil {
			return err
		}
		old := ports.RoomAccess{ID: s.NewID()}
		for _, m := range members[wish.RoomID] {
			if m.UserID == wish.UserID {
				old = m.RoomAccess
			}
		}
		switch {
		case !mine.Privileged():
			return fault.New(fault.Forbidden, "room_privileges")
		case old.Role == access.Owner:
			return fault.New(fault.Forbidden, "role_owner")
		case !mine.MayAssign(old.Role, wish.Role, false):
			return fault.New(fault.Forbidden, "permission")
		case old.Role == wish.Role:
			return nil
		}
		wish.ID = old.ID
		if err := r.Accesses.Save(ctx, wish, s.Now()); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.GaveRole(s.Now(), u.ID, wish.UserID, audit.OnRoom, wish.RoomID, string(old.Role), string(wish.Role)))
	})
}
