package livekit

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/livekit/protocol/auth"
	lk "github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"meetd/domain/fault"
	"meetd/ports"
)

// Timeout is how long one call may take.
const Timeout = 10 * time.Second

// Config says where LiveKit is and who asks.
type Config struct {
	URL       string // as browsers get it; ws and wss become http and https, the path is dropped
	Key       string
	Secret    string
	VerifyTLS bool
	Timeout   time.Duration // of one call; zero: Timeout
	// Wrap is put around what makes the calls. nil: nothing is.
	Wrap func(http.RoundTripper) http.RoundTripper
}

// Client speaks to one LiveKit installation.
type Client struct {
	c      Config
	rooms  lk.RoomService
	egress lk.Egress
	sip    lk.SIP
	agents lk.AgentDispatchService
}

var _ ports.Conference = (*Client)(nil)

// New prepares a client; it does not connect.
func New(c Config) (*Client, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("LIVEKIT_API_URL %q is no address: write it like https://livekit.example.org", c.URL)
	}
	scheme := map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	if scheme == "" {
		scheme = u.Scheme
	}
	if c.Timeout == 0 {
		c.Timeout = Timeout
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()              //nolint:forcetypeassert // net/http promises it
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: !c.VerifyTLS} //nolint:gosec // LIVEKIT_VERIFY_SSL, on by default
	hc := &http.Client{Timeout: c.Timeout, Transport: transport}
	if c.Wrap != nil {
		hc.Transport = c.Wrap(transport)
	}
	origin := scheme + "://" + u.Host
	return &Client{
		c:      c,
		rooms:  lk.NewRoomServiceProtobufClient(origin, hc),
		egress: lk.NewEgressProtobufClient(origin, hc),
		sip:    lk.NewSIPProtobufClient(origin, hc),
		agents: lk.NewAgentDispatchServiceProtobufClient(origin, hc),
	}, nil
}

// with gives ctx a token with one grant for one call.
func (c *Client) with(ctx context.Context, grant *auth.VideoGrant) (context.Context, context.CancelFunc, error) {
	return c.withToken(ctx, auth.NewAccessToken(c.c.Key, c.c.Secret).SetVideoGrant(grant))
}

// asAdminOf is with, for what concerns one room.
func (c *Client) asAdminOf(ctx context.Context, room string) (context.Context, context.CancelFunc, error) {
	return c.with(ctx, &auth.VideoGrant{RoomAdmin: true, Room: room})
}

func (c *Client) withToken(ctx context.Context, t *auth.AccessToken) (context.Context, context.CancelFunc, error) {
	token, err := t.SetValidFor(6 * time.Hour).ToJWT()
	if err != nil {
		return nil, nil, fmt.Errorf("sign a LiveKit token: %w", err)
	}
	ctx, err = twirp.WithHTTPRequestHeaders(ctx, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		return nil, nil, fmt.Errorf("LiveKit token: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	return ctx, cancel, nil
}

// translate makes a fault of what LiveKit answered.
func translate(err error, call string) error {
	if err == nil {
		return nil
	}
	var te twirp.Error
	if errors.As(err, &te) && te.Code() == twirp.NotFound {
		return fault.Wrap(fault.NotFound, "livekit", fmt.Errorf("%s: %w", call, err))
	}
	return fault.Wrap(fault.Upstream, "livekit", fmt.Errorf("%s: %w", call, err))
}

// refused is translate where what was asked for comes from a person, who may ask for
// what LiveKit does not take, such as a name with too many bytes.
func refused(err error, call string) error {
	var te twirp.Error
	if errors.As(err, &te) && te.Code() == twirp.InvalidArgument {
		return fault.Wrap(fault.Invalid, "livekit", fmt.Errorf("%s: %w", call, err))
	}
	return translate(err, call)
}

// openRoom looks a room up by its name. fault.NotFound when it is not open.
func (c *Client) openRoom(ctx context.Context, room string) (*lk.Room, error) {
	ctx, cancel, err := c.with(ctx, &auth.VideoGrant{RoomList: true})
	if err != nil {
		return nil, err
	}
	defer cancel()
	found, err := c.rooms.ListRooms(ctx, &lk.ListRoomsRequest{Names: []string{room}})
	if err != nil {
		return nil, translate(err, "ListRooms")
	}
	if len(found.GetRooms()) == 0 {
		return nil, fault.About(fault.NotFound, "livekit_room", room)
	}
	return found.GetRooms()[0], nil
}

// ChangeMetadata implements ports.Conference. Participants who may administer the
// room can write anything there.
func (c *Client) ChangeMetadata(ctx context.Context, room string, change func(map[string]any)) error {
	found, err := c.openRoom(ctx, room)
	if err != nil {
		return err
	}
	var meta map[string]any
	if err := json.Unmarshal([]byte(found.GetMetadata()), &meta); err != nil || meta == nil {
		meta = map[string]any{}
	}
	change(meta)
	text, err := json.Marshal(meta)
	if err != nil {
		return fmt.Errorf("metadata of LiveKit room %s: %w", room, err)
	}
	admin, cancelAdmin, err := c.asAdminOf(ctx, room)
	if err != nil {
		return err
	}
	defer cancelAdmin()
	_, err = c.rooms.UpdateRoomMetadata(admin, &lk.UpdateRoomMetadataRequest{Room: room, Metadata: string(text)})
	return translate(err, "UpdateRoomMetadata")
}
