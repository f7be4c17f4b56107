package token

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"meetd/domain/fault"
	"meetd/ports"
)

// leeway is how far our clock and LiveKit's may be apart.
const leeway = time.Minute

// Presence verifies tokens to join.
type Presence struct {
	Key    string
	Secret string // empty: no token is ours
	Now    func() time.Time
}

var _ ports.PresenceTokens = Presence{}

type presenceClaims struct {
	Iss   string   `json:"iss"`
	Sub   string   `json:"sub"`
	Exp   *float64 `json:"exp"`
	Nbf   *float64 `json:"nbf"`
	Video struct {
		Room string `json:"room"`
	} `json:"video"`
}

// Verify checks signature, times, issuer and identity, in this order. What it
// says of a token that is none is what clients know (http-users-rooms.md §10).
func (p Presence) Verify(token string) (ports.Presence, error) {
	if strings.Count(token, ".") < 2 {
		return refuse("Not enough segments")
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	var alg *jose.ErrUnexpectedSignatureAlgorithm
	switch {
	case errors.As(err, &alg):
		return refuse("The specified alg value is not allowed")
	case err != nil:
		return refuse("Invalid token")
	case p.Secret == "":
		return refuse("Signature verification failed")
	}
	payload, err := signed.Verify([]byte(p.Secret))
	if err != nil {
		return refuse("Signature verification failed")
	}
	var c presenceClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return refuse("Invalid payload")
	}
	now := float64(p.Now().Unix())
	switch {
	case c.Exp == nil:
		return refuse(`Token is missing the "exp" claim`)
	case c.Nbf != nil && *c.Nbf > now+leeway.Seconds():
		return refuse("The token is not yet valid (nbf)")
	case *c.Exp <= now-leeway.Seconds():
		return refuse("Signature has expired")
	case c.Iss != p.Key:
		return refuse("Invalid issuer")
	case c.Sub == "":
		return refuse("Token missing user identity")
	}
	return ports.Presence{Room: c.Video.Room, Identity: c.Sub}, nil
}

func refuse(why string) (ports.Presence, error) {
	return ports.Presence{}, fault.About(fault.Forbidden, "livekit_token", why)
}
