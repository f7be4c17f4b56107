package recordings

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

// What the administration does to recordings. Who may is decided by it.

// Remind has everybody told again that a recording is there, by the same jobs as
// the first time; its status does not change by that. expired reports that it was
// left alone because it may not be downloaded any more. fault.NotFound for an
// unknown one; fault.Invalid with code "notify" when there is nobody to tell or
// nothing to tell of, and its cause when there is more to say.
func (s *Service) Remind(ctx context.Context, r ports.Repos, id uuid.UUID) (expired bool, err error) {
	recs, err := r.Recordings.Lock(ctx, id)
	if err != nil {
		return false, err
	}
	rec := recs[id]
	switch {
	case rec == nil:
		return false, fault.New(fault.NotFound, "recording")
	case rec.Expired(s.Config.ExpirationDays, s.Now()):
		return true, nil
	case !rec.Status().Downloadable():
		return false, fault.Wrap(fault.Invalid, "notify", errors.New("there is no file"))
	}
	owners, err := r.Recordings.Owners(ctx, id)
	if err != nil {
		return false, err
	}
	notices := s.notices(rec, owners)
	if len(owners) == 0 || len(notices) == 0 {
		return false, fault.New(fault.Invalid, "notify")
	}
	for _, n := range notices {
		if n.Kind == ports.SummaryNotice && s.Summary == nil {
			return false, fault.Wrap(fault.Invalid, "notify", errors.New("Summary service not configured")) //nolint:staticcheck // the words operators look for
		}
	}
	if err := r.Notices.Reopen(ctx, s.Now(), notices...); err != nil {
		return false, err
	}
	for _, n := range notices {
		if n.Kind == ports.SummaryNotice {
			err = r.Jobs.Summarize(ctx, id)
		} else {
			err = r.Jobs.MailOwner(ctx, id, n.Recipient)
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// GiveUp makes recordings without an end ones that failed to stop: their rooms are
// free, and their egresses are asked to end. What really becomes of them is found
// out as for those that could not be stopped. It gives those that were such ones.
func (s *Service) GiveUp(ctx context.Context, r ports.Repos, ids []uuid.UUID) (done []uuid.UUID, err error) {
	facts := make([]*fact, len(ids))
	for i, id := range ids {
		facts[i] = &fact{id: id, apply: func(rec *recording.Recording) error {
			if !rec.GiveUp() {
				return fault.New(fault.Conflict, "recording_transition")
			}
			return nil
		}}
	}
	states, err := s.commitIn(ctx, r, facts)
	if err != nil {
		return nil, err
	}
	s.became(states...) // counted too early if the transaction fails, which is rare
	for _, f := range facts {
		if f.err == nil {
			done = append(done, f.id)
		}
	}
	return done, nil
}

// Remove deletes a recording that actor does not want any more. Faults as in
// Delete, but for those about his role.
func (s *Service) Remove(ctx context.Context, r ports.Repos, actor, id uuid.UUID) error {
	rec, err := deletable(ctx, r, id)
	if err != nil {
		return err
	}
	return s.remove(ctx, r, actor, onRequest, rec)
}
