package rooms

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// ListAccesses returns a page of the accesses of all rooms u administers, and
// how many there are (http-users-rooms.md §11).
func (s *Service) ListAccesses(ctx context.Context, u *user.User, offset, limit int) ([]ports.RoomAccess, int, error) {
	return s.Store.Repos().Accesses.Administered(ctx, u.ID, offset, limit)
}

// Access finds an access on a room that u administers: fault.NotFound, or
// fault.Forbidden.
func (s *Service) Access(ctx context.Context, u *user.User, id uuid.UUID) (ports.RoomAccess, error) {
	a, _, err := s.access(ctx, s.Store.Repos().Accesses, u, id)
	return a, err
}

func (s *Service) access(ctx context.Context, accesses ports.RoomAccesses, u *user.User, id uuid.UUID) (ports.RoomAccess, access.Role, error) {
	a, err := accesses.Get(ctx, id)
	if err != nil {
		return a, access.None, err
	}
	role, err := accesses.Role(ctx, a.RoomID, u.ID)
	if err == nil && !role.Privileged() {
		err = fault.New(fault.Forbidden, "permission")
	}
	return a, role, err
}

// MayAddTo refuses to give roles on a room that u does not administer:
// fault.Forbidden, or fault.NotFound when there is none.
func (s *Service) MayAddTo(ctx context.Context, u *user.User, room uuid.UUID) error {
	repos := s.Store.Repos()
	if _, err := repos.Rooms.Get(ctx, room); err != nil {
		return err
	}
	role, err := repos.Accesses.Role(ctx, room, u.ID)
	if err == nil && !role.Privileged() {
		err = fault.New(fault.Forbidden, "room_access_add")
	}
	return err
}

// IsUser reports whether an account has this id.
func (s *Service) IsUser(ctx context.Context, id uuid.UUID) (bool, error) {
	_, err := s.Store.Repos().Users.Get(ctx, id)
	return err == nil, fault.IgnoreMissing(err)
}

// Grant gives somebody a role on a room.
func (s *Service) Grant(ctx context.Context, u *user.User, a ports.RoomAccess) (ports.RoomAccess, error) {
	a.ID = s.NewID()
	err := s.change(ctx, u, a.RoomID, func(r ports.Repos, role access.Role) error {
		if !role.Privileged() {
			return fault.New(fault.Forbidden, "room_access_add")
		}
		if !role.MayAssign(access.None, a.Role, false) {
			return fault.New(fault.Forbidden, "room_access_owner")
		}
		if err := r.Accesses.Save(ctx, a, s.Now()); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.GaveRole(s.Now(), u.ID, a.UserID, audit.OnRoom, a.RoomID, "", string(a.Role)))
	})
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "room_access_twice" {
		err = fault.Field("non_field_errors", "Resource access with this User and Resource already exists.")
	}
	return a, err
}

// ChangeRole makes an access one with another role.
func (s *Service) ChangeRole(ctx context.Context, u *user.User, a ports.RoomAccess, to access.Role) (ports.RoomAccess, error) {
	err := s.change(ctx, u, a.RoomID, func(r ports.Repos, role access.Role) (err error) {
		if a, err = r.Accesses.Get(ctx, a.ID); err != nil {
			return err
		}
		if !role.MayAssign(a.Role, to, a.UserID == u.ID) {
			return fault.New(fault.Forbidden, "room_access_owner")
		}
		if a.Role == to {
			return nil
		}
		if err := keepOwner(ctx, r.Accesses, a); err != nil {
			return err
		}
		from := a.Role
		a.Role = to
		if err := r.Accesses.Save(ctx, a, s.Now()); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.GaveRole(s.Now(), u.ID, a.UserID, audit.OnRoom, a.RoomID, string(from), string(to)))
	})
	return a, err
}

// Revoke takes somebody's role on a room away.
func (s *Service) Revoke(ctx context.Context, u *user.User, id uuid.UUID) error {
	a, err := s.Access(ctx, u, id)
	if err != nil {
		return err
	}
	return s.change(ctx, u, a.RoomID, func(r ports.Repos, role access.Role) (err error) {
		if a, err = r.Accesses.Get(ctx, id); err != nil {
			return err
		}
		if !role.Privileged() || (a.Role == access.Owner && a.UserID != u.ID) {
			return fault.New(fault.Forbidden, "permission")
		}
		if err := keepOwner(ctx, r.Accesses, a); err != nil {
			return err
		}
		if err := r.Accesses.Delete(ctx, id); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.GaveRole(s.Now(), u.ID, a.UserID, audit.OnRoom, a.RoomID, string(a.Role), ""))
	})
}

// change runs fn while nobody else changes who has a role on the room, with the
// role that u has then.
func (s *Service) change(ctx context.Context, u *user.User, room uuid.UUID, fn func(ports.Repos, access.Role) error) error {
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Accesses.Lock(ctx, room); err != nil {
			return err
		}
		role, err := r.Accesses.Role(ctx, room, u.ID)
		if err != nil {
			return err
		}
		return fn(r, role)
	})
}

// keepOwner refuses to take the last owner from a room.
func keepOwner(ctx context.Context, r ports.RoomAccesses, a ports.RoomAccess) error {
	if a.Role != access.Owner {
		return nil
	}
	owners, err := r.Owners(ctx, a.RoomID)
	if err == nil && owners < 2 {
		err = fault.New(fault.Forbidden, "room_last_owner")
	}
	return err
}
