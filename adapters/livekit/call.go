package livekit

import (
	"context"

	lk "github.com/livekit/protocol/livekit"

	"meetd/ports"
)

var _ ports.RoomCalls = (*Client)(nil)

// Call sends a reliable data packet without topic to everybody in the room
// (livekit.md §5). It looks first whether the room is open.
func (c *Client) Call(ctx context.Context, room string, message []byte) error {
	if _, err := c.openRoom(ctx, room); err != nil {
		return err
	}
	ctx, cancel, err := c.asAdminOf(ctx, room)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = c.rooms.SendData(ctx, &lk.SendDataRequest{Room: room, Data: message, Kind: lk.DataPacket_RELIABLE})
	return translate(err, "SendData")
}
