package outgoing

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/ports"
)

// memory is how long announcements can be read again.
const memory = 30 * 24 * time.Hour

// Service is the capability to tell other programs.
type Service struct {
	Store    ports.Store
	Webhooks ports.Webhooks
	Now      func() time.Time
	Log      *slog.Logger
}

// Deliver tells one target about one event. fault.Invalid when that will never
// work, fault.Upstream when it has to be tried again.
func (s *Service) Deliver(ctx context.Context, event uuid.UUID, target string) error {
	body, err := s.Store.Repos().Announcements.Body(ctx, event)
	if errors.Is(err, fault.NotFound) {
		err = fault.Wrap(fault.Invalid, "webhook", errors.New("the event is so old that it was forgotten"))
	}
	if err == nil {
		err = s.Webhooks.Send(ctx, target, event, body)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "an event was not delivered", "event", event, "target", target, "error", err)
	}
	return err
}

// List gives up to limit announcements behind a cursor, and the cursor to go on
// with. fault.Invalid for a text that is no cursor of ours.
func (s *Service) List(ctx context.Context, after string, limit int) (bodies [][]byte, next string, err error) {
	cursor, err := ports.ParseCursor(after)
	if err != nil {
		return nil, "", err
	}
	bodies, cursor, err = s.Store.Repos().Announcements.After(ctx, cursor, limit)
	return bodies, cursor.String(), err
}

// Purge forgets what is old, and puts in order what came from another server.
func (s *Service) Purge(ctx context.Context) error {
	repo := s.Store.Repos().Announcements
	if err := repo.Adopt(ctx); err != nil {
		return err
	}
	_, err := repo.DeleteOld(ctx, s.Now().Add(-memory))
	return err
}
