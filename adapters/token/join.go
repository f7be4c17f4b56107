package token

import (
	"crypto/sha1" //nolint:gosec // picks a colour, protects nothing
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"gonum.org/v1/gonum/mathext/prng"

	"meetd/domain/room"
	"meetd/ports"
)

// Join makes tokens to join with.
type Join struct {
	// Legacy makes tokens as the backend of early 2025 did, for front ends of that
	// time: everybody administers the LiveKit room and may change his metadata,
	// which has his colour (http-overview.md §10).
	Legacy bool

	key    string
	signer jose.Signer
	now    func() time.Time
}

var _ ports.JoinTokens = (*Join)(nil)

// NewJoin signs with LiveKit's API key and secret.
func NewJoin(key, secret string, now func() time.Time) (*Join, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return nil, fmt.Errorf("LIVEKIT_API_SECRET cannot sign: %w", err)
	}
	return &Join{key: key, signer: signer, now: now}, nil
}

type claims struct {
	Name       string     `json:"name,omitempty"`
	Metadata   string     `json:"metadata,omitempty"`
	Video      video      `json:"video"`
	Attributes attributes `json:"attributes"`
	Sub        string     `json:"sub"`
	Iss        string     `json:"iss"`
	Nbf        int64      `json:"nbf"`
	Exp        int64      `json:"exp"`
}

type video struct {
	RoomAdmin            bool          `json:"roomAdmin"`
	RoomJoin             bool          `json:"roomJoin"`
	Room                 string        `json:"room"`
	CanPublish           bool          `json:"canPublish"`
	CanSubscribe         bool          `json:"canSubscribe"`
	CanPublishData       bool          `json:"canPublishData"`
	CanPublishSources    []room.Source `json:"canPublishSources"`
	CanUpdateOwnMetadata bool          `json:"canUpdateOwnMetadata"`
}

type attributes struct {
	Color           string  `json:"color"`
	RoomRole        *string `json:"room_role"`
	IsAuthenticated string  `json:"is_authenticated"`
}

// Join makes the token of one participant.
func (j *Join) Join(g ports.JoinGrant) (string, error) {
	now := j.now()
	if g.Color == "" {
		g.Color = Color(g.Identity)
	}
	if g.Sources == nil {
		g.Sources = []room.Source{}
	}
	c := claims{
		Name: g.Name,
		Video: video{
			RoomAdmin: g.Role.Privileged(), RoomJoin: true, Room: g.Room,
			CanPublish: len(g.Sources) > 0, CanSubscribe: true, CanPublishData: true, CanPublishSources: g.Sources,
		},
		Attributes: attributes{Color: g.Color, IsAuthenticated: strconv.FormatBool(g.LoggedIn)},
		Sub:        g.Identity, Iss: j.key, Nbf: now.Unix(), Exp: now.Add(g.TTL).Unix(),
	}
	if g.Role != "" {
		role := string(g.Role)
		c.Attributes.RoomRole = &role
	}
	if j.Legacy {
		c.Video.RoomAdmin, c.Video.CanUpdateOwnMetadata = true, true
		c.Metadata = `{"color": "` + g.Color + `"}`
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("a token to join: %w", err)
	}
	signed, err := j.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign a token to join: %w", err)
	}
	return signed.CompactSerialize()
}

// Color is the colour that Join gives a participant who has none.
func (j *Join) Color(identity string) string { return Color(identity) }

// Color is the colour of a participant: the same for the same identity, drawn
// the way the reference implementation draws it (livekit.md §3).
func Color(identity string) string {
	sum := sha1.Sum([]byte(identity)) //nolint:gosec // picks a colour, protects nothing
	mt := prng.NewMT19937()
	mt.SeedFromKeys([]uint32{uint32(binary.BigEndian.Uint16(sum[len(sum)-2:]))})
	below := func(n uint32) uint32 {
		for {
			if x := mt.Uint32() >> (32 - bits.Len32(n)); x < n {
				return x
			}
		}
	}
	hue, saturation, lightness := below(361), 50+below(26), 25+below(36)
	return fmt.Sprintf("hsl(%d, %d%%, %d%%)", hue, saturation, lightness)
}
