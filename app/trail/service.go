package trail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"meetd/domain/audit"
	"meetd/ports"
)

// sealPage is how many events are sealed in one transaction.
const sealPage = 1000

// Service is the audit trail.
type Service struct {
	Trail ports.AuditTrail
	Log   *slog.Logger
}

// Seal seals what waits for it, and logs the newest seal: a copy of it elsewhere is
// what a rewritten trail is found out by.
func (s *Service) Seal(ctx context.Context) error {
	sealed := 0
	for {
		n, head, err := s.Trail.Seal(ctx, sealPage, audit.Seal.Next)
		if err != nil {
			return err
		}
		if sealed += n; n == sealPage {
			continue
		}
		if sealed > 0 {
			s.Log.InfoContext(ctx, "the audit trail was sealed", "events", sealed, "seal", head.Seq, "hash", head.Hash.String())
		}
		return nil
	}
}

// Report is what Verify found.
type Report struct {
	Seals   int // as far as they were checked; each is of one event
	Waiting int // events without a seal yet
	Head    audit.Seal
	Known   int64  // the seal that has the expected hash; 0: none was expected
	Broken  string // the first thing that is wrong; empty: nothing is
}

// errBroken ends the walk at the first broken place.
var errBroken = errors.New("the chain is broken")

// Verify seals what waits for it, and then computes the whole chain anew. With an
// expected hash the chain must hold that one, which tells a trail that was cut off
// or rewritten as a whole.
func (s *Service) Verify(ctx context.Context, expected *audit.Hash) (Report, error) {
	if err := s.Seal(ctx); err != nil {
		return Report{}, err
	}
	var r Report
	loss, err := s.Trail.Walk(ctx, func(e ports.SealedEvent) error {
		if r.Broken = fault(r.Head, e); r.Broken != "" {
			return errBroken
		}
		r.Head, r.Seals = *e.Seal, r.Seals+1
		if expected != nil && r.Head.Hash == *expected {
			r.Known = r.Head.Seq
		}
		return nil
	})
	if errors.Is(err, errBroken) {
		return r, nil
	} else if err != nil {
		return r, err
	}
	r.Waiting = loss.Waiting
	switch {
	case loss.Gone != 0:
		r.Broken = fmt.Sprintf("event %d is gone; it was not sealed yet", loss.Gone)
	case loss.Unclaimed != 0:
		r.Broken = fmt.Sprintf("event %d has no seal and does not wait for one", loss.Unclaimed)
	case loss.Events != r.Seals+loss.Waiting:
		r.Broken = fmt.Sprintf("%d events are there for %d seals and %d that wait for one", loss.Events, r.Seals, loss.Waiting)
	case expected != nil && r.Known == 0:
		r.Broken = "no seal has the hash " + expected.String() + ": the trail was cut off before it or written anew"
	}
	return r, nil
}

// fault says what is wrong with the seal that follows another; empty for nothing.
func fault(before audit.Seal, e ports.SealedEvent) string {
	is := *e.Seal
	switch {
	case is.Seq != before.Seq+1:
		return fmt.Sprintf("seal %d is gone", before.Seq+1)
	case e.Event == nil:
		return fmt.Sprintf("event %d, of seal %d, is gone", is.Event, is.Seq)
	case e.Unreadable != nil:
		return fmt.Sprintf("event %d, of seal %d, was changed: %v", is.Event, is.Seq, e.Unreadable)
	case before.Next(*e.Event) != is:
		return fmt.Sprintf("seal %d does not fit event %d: one of both was changed, or their order", is.Seq, is.Event)
	}
	return ""
}

// Export calls see for each event that is wanted, in the order of their numbers.
func (s *Service) Export(ctx context.Context, f audit.Filter, see func(ports.SealedEvent) error) error {
	return s.Trail.Export(ctx, f, func(e ports.SealedEvent) error {
		if e.Unreadable != nil {
			return e.Unreadable
		}
		return see(e)
	})
}
