package livekit

import (
	"context"
	"errors"

	lk "github.com/livekit/protocol/livekit"

	"meetd/domain/fault"
	"meetd/ports"
)

var _ ports.Agents = (*Client)(nil)

// Dispatch asks for an agent in a room.
func (c *Client) Dispatch(ctx context.Context, agent, room, metadata string) (string, error) {
	ctx, cancel, err := c.asAdminOf(ctx, room)
	if err != nil {
		return "", err
	}
	defer cancel()
	d, err := c.agents.CreateDispatch(ctx, &lk.CreateAgentDispatchRequest{AgentName: agent, Room: room, Metadata: metadata})
	if err != nil {
		return "", translate(err, "CreateDispatch")
	}
	if d.GetId() == "" {
		return "", fault.Wrap(fault.Upstream, "livekit", errors.New("LiveKit did not return a dispatch_id for room "+room))
	}
	return d.GetId(), nil
}

// Recall ends a dispatch.
func (c *Client) Recall(ctx context.Context, room, id string) error {
	ctx, cancel, err := c.asAdminOf(ctx, room)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = c.agents.DeleteDispatch(ctx, &lk.DeleteAgentDispatchRequest{DispatchId: id, Room: room})
	return translate(err, "DeleteDispatch")
}
