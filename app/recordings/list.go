package recordings

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/user"
	"meetd/ports"
)

// View is a recording as those see it who have a role on it.
type View struct {
	*recording.Recording

	Room      ports.RecordedRoom
	Key       string
	Expired   bool
	ExpiresAt *time.Time // nil: never
}

// List shows a page of the recordings on which u has a role, whichever it is,
// himself or through his teams: the newest first, and how many there are.
func (s *Service) List(ctx context.Context, u *user.User, offset, limit int) ([]View, int, error) {
	held, count, err := s.Store.Repos().Recordings.List(ctx, u, offset, limit)
	if err != nil {
		return nil, 0, err
	}
	views := make([]View, len(held))
	for i, h := range held {
		views[i] = s.view(h)
	}
	return views, count, nil
}

// Get shows a recording to its owners and administrators. fault.NotFound for
// whoever has no role on it: that it exists is not told.
func (s *Service) Get(ctx context.Context, u *user.User, id uuid.UUID) (View, error) {
	held, err := administered(ctx, s.Store.Repos(), u, id)
	if err != nil {
		return View{}, err
	}
	return s.view(held), nil
}

// administered finds a recording and refuses who may not administer it.
func administered(ctx context.Context, r ports.Repos, u *user.User, id uuid.UUID) (ports.HeldRecording, error) {
	held, err := r.Recordings.Find(ctx, id, u)
	switch {
	case err != nil:
		return held, err
	case held.Role == access.None:
		return held, fault.New(fault.NotFound, "recording")
	case !held.Role.Privileged():
		return held, fault.New(fault.Forbidden, "permission")
	}
	return held, nil
}

func (s *Service) view(h ports.HeldRecording) View {
	v := View{
		Recording: h.Recording, Room: h.Room, Key: h.Key(s.Config.Folder),
		Expired: h.Expired(s.Config.ExpirationDays, s.Now()),
	}
	if at, ok := h.ExpiresAt(s.Config.ExpirationDays); ok {
		v.ExpiresAt = &at
	}
	return v
}
