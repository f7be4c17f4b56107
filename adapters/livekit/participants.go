package livekit

import (
	"context"
	"time"

	"github.com/livekit/protocol/auth"
	lk "github.com/livekit/protocol/livekit"

	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/ports"
)

var (
	_ ports.Participants = (*Client)(nil)
	_ ports.OpenRooms    = (*Client)(nil)
)

// Connected asks for one participant.
func (c *Client) Connected(ctx context.Context, room, identity string) (bool, error) {
	ctx, cancel, err := c.asAdminOf(ctx, room)
	if err != nil {
		return false, err
	}
	defer cancel()
	p, err := c.rooms.GetParticipant(ctx, &lk.RoomParticipantIdentity{Room: room, Identity: identity})
	if err != nil {
		return false, translate(err, "GetParticipant")
	}
	return p.GetState() != lk.ParticipantInfo_DISCONNECTED, nil
}

// Change sends only what is to be changed: what is empty LiveKit leaves alone.
func (c *Client) Change(ctx context.Context, room, identity string, change ports.ParticipantChange) error {
	ctx, cancel, err := c.asAdminOf(ctx, room)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = c.rooms.UpdateParticipant(ctx, &lk.UpdateParticipantRequest{
		Room: room, Identity: identity, Name: change.Name, Metadata: change.Metadata, Attributes: change.Attributes,
		Permission: permission(change.Permission),
	})
	return refused(err, "UpdateParticipant")
}

func permission(p *ports.Permission) *lk.ParticipantPermission {
	if p == nil {
		return nil
	}
	out := &lk.ParticipantPermission{
		CanSubscribe: p.Subscribe, CanPublish: p.Publish, CanPublishData: p.PublishData, CanUpdateMetadata: p.UpdateMetadata,
		CanSubscribeMetrics: p.SubscribeToMetrics,
		Hidden:              p.Hidden, Recorder: p.Recorder, Agent: p.Agent, //nolint:staticcheck // an installation may allow them
	}
	for _, s := range p.Sources {
		out.CanPublishSources = append(out.CanPublishSources, trackSource(s))
	}
	return out
}

func trackSource(s room.Source) lk.TrackSource {
	switch s {
	case room.Camera:
		return lk.TrackSource_CAMERA
	case room.Microphone:
		return lk.TrackSource_MICROPHONE
	case room.ScreenShare:
		return lk.TrackSource_SCREEN_SHARE
	case room.ScreenShareAudio:
		return lk.TrackSource_SCREEN_SHARE_AUDIO
	}
	return lk.TrackSource_UNKNOWN
}

// Mute silences a track.
func (c *Client) Mute(ctx context.Context, room, identity, track string) error {
	ctx, cancel, err := c.asAdminOf(ctx, room)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = c.rooms.MutePublishedTrack(ctx, &lk.MuteRoomTrackRequest{Room: room, Identity: identity, TrackSid: track, Muted: true})
	return refused(err, "MutePublishedTrack")
}

// Remove sends a participant out.
func (c *Client) Remove(ctx context.Context, room, identity string) error {
	ctx, cancel, err := c.asAdminOf(ctx, room)
	if err != nil {
		return err
	}
	defer cancel()
	_, err = c.rooms.RemoveParticipant(ctx, &lk.RoomParticipantIdentity{Room: room, Identity: identity})
	return refused(err, "RemoveParticipant")
}

// Opened tells under which id a room is open; empty when it is not.
func (c *Client) Opened(ctx context.Context, room string) (string, error) {
	found, err := c.openRoom(ctx, room)
	return found.GetSid(), fault.IgnoreMissing(err)
}

// Among asks for many rooms at once.
func (c *Client) Among(ctx context.Context, rooms []string) (map[string]bool, error) {
	ctx, cancel, err := c.with(ctx, &auth.VideoGrant{RoomList: true})
	if err != nil {
		return nil, err
	}
	defer cancel()
	found, err := c.rooms.ListRooms(ctx, &lk.ListRoomsRequest{Names: rooms})
	if err != nil {
		return nil, translate(err, "ListRooms")
	}
	open := make(map[string]bool, len(found.GetRooms()))
	for _, r := range found.GetRooms() {
		open[r.GetName()] = true
	}
	return open, nil
}

// Open opens a LiveKit room in which nobody is.
func (c *Client) Open(ctx context.Context, room string) error {
	ctx, cancel, err := c.with(ctx, &auth.VideoGrant{RoomCreate: true})
	if err != nil {
		return err
	}
	defer cancel()
	_, err = c.rooms.CreateRoom(ctx, &lk.CreateRoomRequest{Name: room, EmptyTimeout: uint32(time.Minute / time.Second)})
	return translate(err, "CreateRoom")
}

// Close deletes a LiveKit room.
func (c *Client) Close(ctx context.Context, room string) error {
	ctx, cancel, err := c.with(ctx, &auth.VideoGrant{RoomCreate: true})
	if err != nil {
		return err
	}
	defer cancel()
	_, err = c.rooms.DeleteRoom(ctx, &lk.DeleteRoomRequest{Room: room})
	return translate(err, "DeleteRoom")
}
