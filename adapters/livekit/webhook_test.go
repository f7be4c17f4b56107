package livekit

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"meetd/adapters/devstack/jwttest"
	"meetd/domain/fault"
	"meetd/domain/recording"
)

const (
	key    = "devkey"
	secret = "devsecretdevsecretdevsecretdevse"
)

func TestReceive(t *testing.T) {
	t.Parallel()
	body := []byte(`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","roomName":"r","status":"EGRESS_FAILED","futureField":1,` +
		`"roomComposite":{"fileOutputs":[{"filepath":"recordings/x.mp4"}]}},"id":"EV_1"}`)
	sum := sha256.Sum256(body)
	good := func() map[string]any {
		now := time.Now().Unix()
		return map[string]any{"iss": key, "nbf": now - 1, "exp": now + 60, "sha256": base64.StdEncoding.EncodeToString(sum[:])}
	}
	with := func(name string, value any) map[string]any {
		c := good()
		if value == nil {
			delete(c, name)
		} else {
			c[name] = value
		}
		return c
	}
	hs := func(claims map[string]any) string { return jwttest.Sign(t, jose.HS256, []byte(secret), "", claims) }
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30."
	w := Webhooks{Key: key, Secret: secret}

	ev, err := w.Receive(hs(good()), body)
	if err != nil || ev.Name != "egress_ended" || !ev.Known || ev.Room != "r" || ev.Egress.ID != "EG_1" ||
		ev.Egress.Status != recording.EgressFailed || len(ev.Egress.Files) != 1 || ev.Egress.Files[0] != "recordings/x.mp4" {
		t.Fatalf("a good event: %+v %+v, %v", ev, ev.Egress, err)
	}
	if _, err := w.Receive(hs(with("exp", time.Now().Unix()-30)), body); err != nil {
		t.Errorf("expired half a minute ago: %v, want some leeway", err)
	}
	for name, token := range map[string]string{
		"empty":          "",
		"no token":       "nonsense",
		"bearer":         "Bearer " + hs(good()),
		"other secret":   jwttest.Sign(t, jose.HS256, []byte("othersecretothersecretothersecre"), "", good()),
		"other key":      hs(with("iss", "otherkey")),
		"expired":        hs(with("exp", time.Now().Unix()-120)),
		"no expiry":      hs(with("exp", nil)),
		"not yet":        hs(with("nbf", time.Now().Unix()+120)),
		"no hash":        hs(with("sha256", nil)),
		"other body":     hs(with("sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")),
		"RS256":          jwttest.Sign(t, jose.RS256, rsaKey, "", good()),
		"HS512":          jwttest.Sign(t, jose.HS512, []byte(secret+secret), "", good()),
		"alg none":       none,
		"a join token":   hs(map[string]any{"iss": key, "sub": "u", "exp": time.Now().Unix() + 60, "video": map[string]any{"roomJoin": true}}),
		"trailing bytes": hs(good()) + "x",
	} {
		if _, err := w.Receive(token, body); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	broken := []byte(`{"event":`)
	sum = sha256.Sum256(broken)
	if _, err := w.Receive(hs(good()), broken); !errors.Is(err, fault.Invalid) {
		t.Errorf("broken body: %v, want a refusal", err)
	}
}

func FuzzReceive(f *testing.F) {
	f.Add(`{"event":"egress_ended","egressInfo":{"egressId":"EG_1","status":"EGRESS_FAILED"}}`)
	f.Add(`{"event":"room_started","room":{"name":"x"}}`)
	w := Webhooks{Key: key, Secret: secret}
	f.Fuzz(func(t *testing.T, body string) {
		sum := sha256.Sum256([]byte(body))
		token := jwttest.Sign(t, jose.HS256, []byte(secret), "", map[string]any{
			"iss": key, "exp": time.Now().Unix() + 60, "sha256": base64.StdEncoding.EncodeToString(sum[:]),
		})
		if _, err := w.Receive(token, []byte(body)); err != nil && !errors.Is(err, fault.Invalid) {
			t.Fatalf("%q: %v", body, err)
		}
	})
}
