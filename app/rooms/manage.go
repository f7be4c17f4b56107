package rooms

import (
	"context"
	"reflect"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// List shows a page of the rooms on which u has a role, and how many there are;
// none to an anonymous visitor.
func (s *Service) List(ctx context.Context, u *user.User, offset, limit int, username string) ([]View, int, error) {
	if u == nil {
		return nil, 0, nil
	}
	held, count, err := s.Store.Repos().Rooms.List(ctx, u.ID, offset, limit)
	if err != nil {
		return nil, 0, err
	}
	views, err := s.showAll(ctx, u, held, username)
	return views, count, err
}

// Administered finds a room that u may change: fault.NotFound, or fault.Forbidden
// when u is neither administrator nor owner.
func (s *Service) Administered(ctx context.Context, u *user.User, identifier string) (ports.HeldRoom, error) {
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, u.Key())
	if err != nil {
		return held, err
	}
	return held.Administered("permission")
}

// Change is what may be changed of a room; nil leaves it.
type Change struct {
	Name          *string
	AccessLevel   *room.AccessLevel
	Configuration room.Configuration
}

// Update changes a room that Administered found. Those who are in it see a new
// access level or configuration by a job.
func (s *Service) Update(ctx context.Context, u *user.User, held ports.HeldRoom, c Change, username string) (View, error) {
	err := s.Store.InTx(ctx, func(r ports.Repos) error {
		changed := false
		rm, err := r.Rooms.Update(ctx, held.ID, s.Now(), func(rm *room.Room) error {
			if c.AccessLevel != nil && *c.AccessLevel != rm.AccessLevel {
				rm.AccessLevel, changed = *c.AccessLevel, true
			}
			if c.Configuration != nil && !reflect.DeepEqual(c.Configuration, rm.Configuration) {
				rm.Configuration, changed = c.Configuration, true
			}
			if c.Name != nil {
				return rm.Rename(*c.Name)
			}
			return nil
		})
		if err != nil {
			return slugFault(err)
		}
		held.Room = rm
		if !changed {
			return nil
		}
		return r.Jobs.ShowRoom(ctx, rm.ID)
	})
	if err != nil {
		return View{}, err
	}
	return s.show(ctx, u, held, username)
}

// Delete removes a room with all that hangs on it. Only an owner may. What is
// being recorded in it is stopped: nobody could do that any more. Those who are in it
// are sent out: nobody could moderate them, and its id might let anybody in, as that of
// a room nobody has registered. While one of its
// recordings is on legal hold it is fault.Forbidden.
func (s *Service) Delete(ctx context.Context, u *user.User, identifier string) error {
	held, err := s.Administered(ctx, u, identifier)
	if err != nil {
		return err
	}
	if held.Role != access.Owner {
		return fault.New(fault.Forbidden, "permission")
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := s.ClearRecordings(ctx, r, held.ID, u.ID); err != nil {
			return err
		}
		if err := r.Rooms.Delete(ctx, held.ID); err != nil {
			return err
		}
		if err := r.Jobs.CloseRoom(ctx, held.ID); err != nil {
			return err
		}
		return r.Audit.Record(ctx, audit.Event{At: s.Now(), Action: audit.RoomDeleted, Actor: u.ID, Subject: held.ID.String()})
	})
}

// Close sends everybody out of a room that was deleted.
func (s *Service) Close(ctx context.Context, id uuid.UUID) error {
	return fault.IgnoreMissing(s.Open.Close(ctx, id.String()))
}
