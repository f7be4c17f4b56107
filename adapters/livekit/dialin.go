package livekit

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/livekit/protocol/auth"
	lk "github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"meetd/domain/fault"
	"meetd/ports"
)

// DialIns keeps SIP dispatch rules (livekit.md §8).
type DialIns struct{ *Client }

var _ ports.DialIns = DialIns{}

// ruleName is how a room's rule is found again.
func ruleName(room uuid.UUID) string { return "SIP_" + room.String() }

func (d DialIns) asSIPAdmin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	return d.withToken(ctx, auth.NewAccessToken(d.c.Key, d.c.Secret).SetSIPGrant(&auth.SIPGrant{Admin: true}))
}

// rules lists the ids of the rules with exactly this name.
func (d DialIns) rules(ctx context.Context, name string) ([]string, error) {
	ctx, cancel, err := d.asSIPAdmin(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	list, err := d.sip.ListSIPDispatchRule(ctx, &lk.ListSIPDispatchRuleRequest{})
	if err != nil {
		return nil, translate(err, "ListSIPDispatchRule")
	}
	var ids []string
	for _, rule := range list.GetItems() {
		if rule.GetName() == name {
			ids = append(ids, rule.GetSipDispatchRuleId())
		}
	}
	return ids, nil
}

// Ensure makes the rule unless it is there. LiveKit refuses a second one with the
// same PIN code, but may not say why, so the rules are looked at again. Of those that a LiveKit allowed all the same the one with
// the first id stays: all who look again see the same.
func (d DialIns) Ensure(ctx context.Context, room uuid.UUID, pin string) (bool, error) {
	ids, err := d.rules(ctx, ruleName(room))
	if err != nil || len(ids) > 0 {
		return false, err
	}
	refused := d.create(ctx, room, pin)
	if errors.Is(refused, fault.Conflict) {
		return false, nil
	}
	ids, err = d.rules(ctx, ruleName(room))
	switch {
	case refused != nil && len(ids) > 0:
		return false, nil
	case refused != nil:
		return false, errors.Join(refused, err)
	case len(ids) > 1:
		slices.Sort(ids)
		_ = d.deleteAll(ctx, ids[1:]) // the door is open, and closes with all of them
	}
	return true, nil
}

// create is fault.Conflict when LiveKit says that it has such a rule.
func (d DialIns) create(ctx context.Context, room uuid.UUID, pin string) error {
	ctx, cancel, err := d.asSIPAdmin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = d.sip.CreateSIPDispatchRule(ctx, &lk.CreateSIPDispatchRuleRequest{
		Name: ruleName(room), //nolint:staticcheck // servers of all ages read it here
		Rule: &lk.SIPDispatchRule{Rule: &lk.SIPDispatchRule_DispatchRuleDirect{ //nolint:staticcheck // likewise
			DispatchRuleDirect: &lk.SIPDispatchRuleDirect{RoomName: room.String(), Pin: pin},
		}},
	})
	var te twirp.Error
	if errors.As(err, &te) && te.Code() == twirp.AlreadyExists {
		return fault.Wrap(fault.Conflict, "livekit", err)
	}
	return translate(err, "CreateSIPDispatchRule")
}

// Delete removes all rules of the name: there should be one.
func (d DialIns) Delete(ctx context.Context, room uuid.UUID) error {
	ids, err := d.rules(ctx, ruleName(room))
	if err != nil {
		return err
	}
	return d.deleteAll(ctx, ids)
}

// deleteAll removes rules; one that is gone is no error.
func (d DialIns) deleteAll(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if err := d.delete(ctx, id); err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

func (d DialIns) delete(ctx context.Context, id string) error {
	ctx, cancel, err := d.asSIPAdmin(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = d.sip.DeleteSIPDispatchRule(ctx, &lk.DeleteSIPDispatchRuleRequest{SipDispatchRuleId: id})
	return translate(err, "DeleteSIPDispatchRule")
}
