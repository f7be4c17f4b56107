package livekit

import (
	"context"

	"github.com/livekit/protocol/auth"
	lk "github.com/livekit/protocol/livekit"

	"meetd/domain/fault"
	"meetd/ports"
)

var _ ports.RoomCalls = (*Client)(nil)

// Call sends a reliable data packet without topic to everybody in the room
// (livekit.md §5). It looks first whether the room is open.
func (c *Client) Call(ctx context.Context, room string, message []byte) error {
	list, cancel, err := c.with(ctx, &auth.VideoGrant{RoomList: true})
	if err != nil {
		return err
	}
	defer cancel()
	found, err := c.rooms.ListRooms(list, &lk.ListRoomsRequest{Names: []string{room}})
	if err != nil {
		return translate(err, "ListRooms")
	}
	if len(found.GetRooms()) == 0 {
		return fault.About(fault.NotFound, "livekit_room", room)
	}
	admin, cancelAdmin, err := c.with(ctx, &auth.VideoGrant{RoomAdmin: true, Room: room})
	if err != nil {
		return err
	}
	defer cancelAdmin()
	_, err = c.rooms.SendData(admin, &lk.SendDataRequest{Room: room, Data: message, Kind: lk.DataPacket_RELIABLE})
	return translate(err, "SendData")
}
