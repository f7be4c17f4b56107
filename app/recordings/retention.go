package recordings

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// purgePage is how many expired recordings are looked for in one query.
const purgePage = 200

// Purge deletes the recordings that have expired, the oldest first, as Delete does.
// What is on legal hold stays, and what is still open is left to Reconcile. One that
// cannot be deleted keeps no other; the errors are returned together.
func (s *Service) Purge(ctx context.Context) error {
	if s.Config.ExpirationDays == 0 {
		return nil
	}
	before := s.Now().UTC().AddDate(0, 0, -s.Config.ExpirationDays)
	var (
		last    ports.Outdated
		deleted int
		errs    []error
	)
	for {
		list, err := s.Store.Repos().Recordings.Outdated(ctx, before, last, purgePage)
		if err != nil {
			errs = append(errs, err)
			break
		}
		for _, o := range list {
			gone, err := s.expire(ctx, o.ID)
			if err != nil {
				errs = append(errs, err)
			}
			if gone {
				deleted++
			}
		}
		if len(list) < purgePage || ctx.Err() != nil {
			break
		}
		last = list[len(list)-1]
	}
	if deleted > 0 {
		s.Log.InfoContext(ctx, "expired recordings were deleted", "recordings", deleted, "days", s.Config.ExpirationDays)
	}
	return errors.Join(errs...)
}

// expire deletes one recording, if that is still right.
func (s *Service) expire(ctx context.Context, id uuid.UUID) (gone bool, err error) {
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		rec, err := deletable(ctx, r, id)
		if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Forbidden) { // since we looked
			return nil
		}
		if err != nil || !rec.Expired(s.Config.ExpirationDays, s.Now()) {
			return err
		}
		gone = true
		return s.remove(ctx, r, uuid.Nil, expired, rec)
	})
	return gone && err == nil, err
}

// Hold keeps a recording from being deleted until it is released. fault.NotFound
// for an unknown one, fault.Conflict when it is held already, fault.Invalid without
// a reason, or with one longer than recording.MaxHoldReason.
func (s *Service) Hold(ctx context.Context, id uuid.UUID, reason, by string) error {
	return s.Store.InTx(ctx, func(r ports.Repos) error { return s.HoldIn(ctx, r, uuid.Nil, id, reason, by) })
}

// HoldIn is Hold as a part of what somebody does.
func (s *Service) HoldIn(ctx context.Context, r ports.Repos, actor, id uuid.UUID, reason, by string) error {
	if reason == "" || utf8.RuneCountInString(reason) > recording.MaxHoldReason {
		return fault.New(fault.Invalid, "hold_reason")
	}
	recs, err := r.Recordings.Lock(ctx, id) // whoever deletes it looks for holds after that
	if err != nil {
		return err
	}
	if recs[id] == nil {
		return fault.New(fault.NotFound, "recording")
	}
	if err := r.Holds.Place(ctx, ports.Hold{Recording: id, Reason: reason, PlacedAt: s.Now(), PlacedBy: by}); err != nil {
		return err
	}
	return r.Audit.Record(ctx, audit.Event{At: s.Now(), Action: audit.RecordingHeld, Actor: actor, Subject: id.String()})
}

// Release lets a recording be deleted again. fault.NotFound when it is not held.
func (s *Service) Release(ctx context.Context, id uuid.UUID) error {
	return s.Store.InTx(ctx, func(r ports.Repos) error { return s.ReleaseIn(ctx, r, uuid.Nil, id) })
}

// ReleaseIn is Release as a part of what somebody does.
func (s *Service) ReleaseIn(ctx context.Context, r ports.Repos, actor, id uuid.UUID) error {
	if err := r.Holds.Release(ctx, id); err != nil {
		return err
	}
	return r.Audit.Record(ctx, audit.Event{At: s.Now(), Action: audit.RecordingReleased, Actor: actor, Subject: id.String()})
}

// Holds lists what is held, the oldest hold first.
func (s *Service) Holds(ctx context.Context) ([]ports.Hold, error) {
	return s.Store.Repos().Holds.List(ctx)
}
