package token

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"meetd/domain/access"
	"meetd/domain/room"
	"meetd/ports"
)

// The golden colours of livekit.md §3 and http-users-rooms.md §2.6.
func TestColor(t *testing.T) {
	t.Parallel()
	for identity, want := range map[string]string{
		"": "hsl(55, 70%, 42%)", "a": "hsl(330, 63%, 37%)", "1": "hsl(26, 66%, 55%)", "123": "hsl(22, 66%, 30%)",
		"test-participant-id":                         "hsl(35, 65%, 42%)",
		"00000000-0000-0000-0000-000000000000":        "hsl(351, 72%, 53%)",
		"46d1a121-2426-484d-8fb3-09b5d886f7a8":        "hsl(147, 57%, 44%)",
		"918689fb-038e-4e81-bf09-efd5902c5f0b":        "hsl(154, 66%, 50%)",
		"f47ac10b-58cc-4372-a567-0e02b2c3d479":        "hsl(321, 51%, 48%)",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8":        "hsl(0, 62%, 46%)",
		"alice@example.com":                           "hsl(240, 53%, 43%)",
		"Alice@example.com":                           "hsl(189, 62%, 33%)",
		"john.doe":                                    "hsl(152, 50%, 49%)",
		"user+tag@example.org":                        "hsl(89, 61%, 34%)",
		"éléphant":                                    "hsl(169, 65%, 36%)",
		"日本語":                                         "hsl(230, 66%, 39%)",
		"🙂":                                           "hsl(186, 57%, 37%)",
		"Anonymous":                                   "hsl(10, 52%, 31%)",
		"sip_+33123456789":                            "hsl(237, 60%, 40%)",
		"the quick brown fox jumps over the lazy dog": "hsl(247, 72%, 59%)",
		"owner-sub":                                   "hsl(143, 66%, 35%)", "meet": "hsl(133, 58%, 39%)", "u1": "hsl(17, 50%, 49%)",
		"participant": "hsl(213, 58%, 56%)", "00000000-0000-4000-8000-000000000000": "hsl(307, 72%, 47%)",
	} {
		if got := Color(identity); got != want {
			t.Errorf("Color(%q) = %s, want %s", identity, got, want)
		}
	}
}

func payload(t *testing.T, legacy bool, g ports.JoinGrant) string {
	t.Helper()
	j, err := NewJoin("devkey", "devsecretdevsecretdevsecretdevse", func() time.Time { return time.Unix(0, 0) })
	if err != nil {
		t.Fatal(err)
	}
	j.Legacy = legacy
	g.TTL = 6 * time.Hour
	text, err := j.Join(g)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, ".")
	header, _ := base64.RawURLEncoding.DecodeString(parts[0])
	if string(header) != `{"alg":"HS256","typ":"JWT"}` {
		t.Errorf("header %s", header)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// The golden payloads of livekit.md §2.
func TestJoinGolden(t *testing.T) {
	t.Parallel()
	got := payload(t, false, ports.JoinGrant{
		Room: "918689fb-038e-4e81-bf09-efd5902c5f0b", Identity: "46d1a121-2426-484d-8fb3-09b5d886f7a8", Name: "Jane Doe",
		Role: access.Owner, LoggedIn: true, Sources: room.AllSources(),
	})
	want := `{"name":"Jane Doe","video":{"roomAdmin":true,"roomJoin":true,"room":"918689fb-038e-4e81-bf09-efd5902c5f0b","canPublish":true,"canSubscribe":true,"canPublishData":true,"canPublishSources":["camera","microphone","screen_share","screen_share_audio"],"canUpdateOwnMetadata":false},"attributes":{"color":"hsl(147, 57%, 44%)","room_role":"owner","is_authenticated":"true"},"sub":"46d1a121-2426-484d-8fb3-09b5d886f7a8","iss":"devkey","nbf":0,"exp":21600}`
	if got != want {
		t.Errorf("owner:\n%s, want\n%s", got, want)
	}
	got = payload(t, false, ports.JoinGrant{Room: "r", Identity: "a", Name: "Anonymous"})
	want = `{"name":"Anonymous","video":{"roomAdmin":false,"roomJoin":true,"room":"r","canPublish":false,"canSubscribe":true,"canPublishData":true,"canPublishSources":[],"canUpdateOwnMetadata":false},"attributes":{"color":"hsl(330, 63%, 37%)","room_role":null,"is_authenticated":"false"},"sub":"a","iss":"devkey","nbf":0,"exp":21600}`
	if got != want {
		t.Errorf("anonymous:\n%s, want\n%s", got, want)
	}
}

// Tokens for front ends of early 2025: everybody is admin.
func TestJoinLegacy(t *testing.T) {
	t.Parallel()
	got := payload(t, true, ports.JoinGrant{Room: "r", Identity: "a", Name: "Anonymous", Sources: []room.Source{room.Camera}})
	want := `{"name":"Anonymous","metadata":"{\"color\": \"hsl(330, 63%, 37%)\"}","video":{"roomAdmin":true,"roomJoin":true,"room":"r","canPublish":true,"canSubscribe":true,"canPublishData":true,"canPublishSources":["camera"],"canUpdateOwnMetadata":true},"attributes":{"color":"hsl(330, 63%, 37%)","room_role":null,"is_authenticated":"false"},"sub":"a","iss":"devkey","nbf":0,"exp":21600}`
	if got != want {
		t.Errorf("guest:\n%s, want\n%s", got, want)
	}
	got = payload(t, true, ports.JoinGrant{
		Room: "r", Identity: "u1", Name: "Jane", Role: access.Member, LoggedIn: true, Sources: room.AllSources(), Color: "hsl(1, 2%, 3%)",
	})
	want = `{"name":"Jane","metadata":"{\"color\": \"hsl(1, 2%, 3%)\"}","video":{"roomAdmin":true,"roomJoin":true,"room":"r","canPublish":true,"canSubscribe":true,"canPublishData":true,"canPublishSources":["camera","microphone","screen_share","screen_share_audio"],"canUpdateOwnMetadata":true},"attributes":{"color":"hsl(1, 2%, 3%)","room_role":"member","is_authenticated":"true"},"sub":"u1","iss":"devkey","nbf":0,"exp":21600}`
	if got != want {
		t.Errorf("member, with the colour of the lobby:\n%s, want\n%s", got, want)
	}
}
