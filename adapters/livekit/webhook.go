package livekit

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/webhook"

	"meetd/domain/fault"
	"meetd/ports"
)

// known are the names of LiveKit's events: those the contract lists (livekit.md
// §10), and newer ones, which must not fail for being new.
var known = []string{
	webhook.EventRoomStarted, webhook.EventRoomFinished,
	webhook.EventParticipantJoined, webhook.EventParticipantLeft,
	webhook.EventTrackPublished, webhook.EventTrackUnpublished,
	webhook.EventEgressStarted, webhook.EventEgressUpdated, webhook.EventEgressEnded,
	webhook.EventIngressStarted, webhook.EventIngressEnded, "ingress_updated",
	webhook.EventParticipantConnectionAborted, webhook.EventAgentJobStarted, webhook.EventAgentJobEnded,
}

// Webhooks verifies LiveKit's webhooks.
type Webhooks struct{ Key, Secret string }

var _ ports.ConferenceEvents = Webhooks{}

// Receive checks the bare token of the Authorization header: HS256 with our
// secret and key, in time, and with the hash of exactly this body.
func (w Webhooks) Receive(authorization string, body []byte) (ports.ConferenceEvent, error) {
	r := &http.Request{
		Header: http.Header{"Authorization": {authorization}},
		Body:   io.NopCloser(bytes.NewReader(body)),
	}
	ev, err := webhook.ReceiveWebhookEvent(r, auth.NewSimpleKeyProvider(w.Key, w.Secret))
	if err != nil {
		return ports.ConferenceEvent{}, fault.Wrap(fault.Invalid, "livekit_webhook", err)
	}
	out := ports.ConferenceEvent{
		ID: ev.GetId(), Name: ev.GetEvent(), Known: slices.Contains(known, ev.GetEvent()), Room: ev.GetRoom().GetName(),
		Opened: ev.GetRoom().GetSid(),
	}
	if info := ev.GetEgressInfo(); info != nil {
		e := egress(info)
		out.Egress = &e
		if out.Room == "" {
			out.Room = e.Room
		}
	}
	return out, nil
}
