package rooms

import (
	"context"
	"errors"
	"slices"
	"time"

	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// MaxInvited is how many addresses one request may invite.
const MaxInvited = 100

// invitationAge is how old an invitation becomes: a meeting that is under way does
// not last much longer.
const invitationAge = time.Hour

// MayInvite finds the room and refuses who may not invite into it.
func (s *Service) MayInvite(ctx context.Context, u *user.User, identifier string) (ports.HeldRoom, error) {
	held, err := s.Store.Repos().Rooms.Find(ctx, identifier, u.Key())
	if err != nil {
		return held, err
	}
	return held.Administered("room_privileges")
}

// Invite has a mail sent to all addresses, each of them once; it is on its way
// when nil is returned. Who invites too often gets fault.TooMany.
func (s *Service) Invite(ctx context.Context, u *user.User, held ports.HeldRoom, to []string, language string) error {
	err := s.Store.Repos().Throttle.Hit(ctx, "invite "+u.ID.String(), s.Config.InvitationRate, s.Now())
	if err != nil {
		return err
	}
	slices.Sort(to)
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		return r.Jobs.Invite(ctx, ports.Invitation{
			To: slices.Compact(to), Language: language, Sender: u.MailName(), Slug: held.Slug, At: s.Now(),
		})
	})
}

// SendInvitation hands an invitation to the mail server. If that will not take it
// for all addresses, each gets a message of its own: one that is wrong, or that
// has to wait, does not keep the others from being invited.
//
// fault.Invalid when that is no use any more: the mail server will never take it,
// or it was asked for too long ago.
func (s *Service) SendInvitation(ctx context.Context, i ports.Invitation) error {
	if s.Now().Sub(i.At) > invitationAge {
		return fault.Wrap(fault.Invalid, "invitation", errors.New("it was asked for more than an hour ago and is not sent any more"))
	}
	err := s.Mailer.Invite(ctx, i)
	if !errors.Is(err, fault.Invalid) {
		return err
	}
	s.Log.WarnContext(ctx, "the mail server refused an invitation", "recipients", len(i.To), "error", err)
	if len(i.To) == 1 {
		return err
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		for _, to := range i.To {
			one := i
			one.To = []string{to}
			if err := r.Jobs.Invite(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
}
