package app_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	lk "github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"meetd/adapters/devstack/jwttest"
)

const (
	liveKitKey    = "livekit-key"
	liveKitSecret = "livekit-secret-of-at-least-32-characters"
)

// liveKit answers as it is told, over LiveKit's own protocol, and remembers
// what it was asked. The real server is used where it says more than yes.
type liveKit struct {
	lk.Egress
	lk.RoomService
	meeting

	mu       sync.Mutex
	starts   []*lk.RoomCompositeEgressRequest
	stops    []string
	metadata map[string]string // of the open rooms
	sent     []*lk.SendDataRequest

	onStart func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error)
	onStop  func(id string) (*lk.EgressInfo, error)
	onList  func() ([]*lk.EgressInfo, error) // all egresses
	onShow  func(metadata string)            // before it is written
}

func startLiveKit(t *testing.T) (*liveKit, map[string]string) {
	t.Helper()
	l := &liveKit{metadata: map[string]string{}}
	mux := http.NewServeMux()
	mux.Handle(lk.EgressPathPrefix, lk.NewEgressServer(l))
	mux.Handle(lk.RoomServicePathPrefix, lk.NewRoomServiceServer(l))
	l.meeting.serve(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return l, map[string]string{"LIVEKIT_API_URL": srv.URL}
}

func (l *liveKit) StartRoomCompositeEgress(_ context.Context, r *lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
	l.mu.Lock()
	l.starts = append(l.starts, r)
	answer := l.onStart
	l.mu.Unlock()
	if answer != nil {
		return answer(r)
	}
	return &lk.EgressInfo{EgressId: "EG_" + r.GetRoomName(), RoomName: r.GetRoomName()}, nil
}

func (l *liveKit) StopEgress(_ context.Context, r *lk.StopEgressRequest) (*lk.EgressInfo, error) {
	l.mu.Lock()
	l.stops = append(l.stops, r.GetEgressId())
	answer := l.onStop
	l.mu.Unlock()
	if answer != nil {
		return answer(r.GetEgressId())
	}
	return &lk.EgressInfo{EgressId: r.GetEgressId(), Status: lk.EgressStatus_EGRESS_ENDING}, nil
}

func (l *liveKit) ListEgress(_ context.Context, r *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
	l.mu.Lock()
	answer := l.onList
	l.mu.Unlock()
	if answer == nil {
		return nil, errLiveKit
	}
	items, err := answer()
	if id := r.GetEgressId(); id != "" {
		items = slices.DeleteFunc(slices.Clone(items), func(e *lk.EgressInfo) bool { return e.GetEgressId() != id })
	}
	return &lk.ListEgressResponse{Items: items}, err
}

func (l *liveKit) ListRooms(_ context.Context, r *lk.ListRoomsRequest) (*lk.ListRoomsResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := &lk.ListRoomsResponse{}
	for _, name := range r.GetNames() {
		if meta, ok := l.metadata[name]; ok {
			out.Rooms = append(out.Rooms, &lk.Room{Name: name, Metadata: meta, Sid: l.opened(name)})
		}
	}
	return out, nil
}

func (l *liveKit) UpdateRoomMetadata(_ context.Context, r *lk.UpdateRoomMetadataRequest) (*lk.Room, error) {
	l.mu.Lock()
	onShow := l.onShow
	l.mu.Unlock()
	if onShow != nil {
		onShow(r.GetMetadata())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.metadata[r.GetRoom()] = r.GetMetadata()
	return &lk.Room{Name: r.GetRoom(), Metadata: r.GetMetadata()}, nil
}

func (l *liveKit) SendData(_ context.Context, r *lk.SendDataRequest) (*lk.SendDataResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, r)
	return &lk.SendDataResponse{}, nil
}

// messages lists what was sent to a room.
func (l *liveKit) messages(room string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, r := range l.sent {
		if r.GetRoom() == room && r.GetKind() == lk.DataPacket_RELIABLE && r.Topic == nil {
			out = append(out, string(r.GetData()))
		}
	}
	return out
}

// counts tells how often it was asked to start and to stop.
func (l *liveKit) counts() (starts, stops int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.starts), len(l.stops)
}

// open opens a room.
func (l *liveKit) open(room, metadata string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.metadata[room] = metadata
}

// shown is the metadata of a room as it was written.
func (l *liveKit) shown(room string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.metadata[room]
}

func (l *liveKit) roomMetadata(room string) map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	var meta map[string]any
	_ = json.Unmarshal([]byte(l.metadata[room]), &meta)
	return meta
}

var (
	errLiveKit  = twirp.NewError(twirp.Unavailable, "no response from servers")
	errNotTaken = twirp.InvalidArgumentError("name exceeds max length", "256")
)

// webhook sends an event as LiveKit does: JSON, signed with the hash of the body.
func (s *service) webhook(t *testing.T, event map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return s.request(t, account{}, http.MethodPost, "/api/v1.0/rooms/webhooks-livekit/", string(body), http.Header{
		"Content-Type": {"application/webhook+json"}, "Authorization": {webhookToken(t, body, nil)},
	})
}

// webhookToken signs a body; claims replace the usual ones.
func webhookToken(t *testing.T, body []byte, claims map[string]any) string {
	t.Helper()
	sum := sha256.Sum256(body)
	all := map[string]any{
		"iss": liveKitKey, "nbf": time.Now().Unix() - 1, "exp": time.Now().Unix() + 300,
		"sha256": base64.StdEncoding.EncodeToString(sum[:]),
	}
	maps.Copy(all, claims)
	return jwttest.Sign(t, jose.HS256, []byte(liveKitSecret), "", all)
}

// egressEvent is an event about an egress, without the request it came from.
func egressEvent(name, id, room, status string) map[string]any {
	info := map[string]any{"egressId": id, "roomName": room}
	if status != "EGRESS_STARTING" {
		info["status"] = status
	}
	return map[string]any{"event": name, "id": "EV_" + id + name + status, "egressInfo": info}
}

// LiveKit in development has the secret "secret", which is shorter than our
// libraries like.
func TestShortLiveKitSecret(t *testing.T) {
	t.Parallel()
	const secret = "secret"
	signature := func(input string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		_, _ = mac.Write([]byte(input)) // never fails
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	isOurs := func(token string) bool {
		dot := strings.LastIndexByte(token, '.')
		return dot > 0 && signature(token[:dot]) == token[dot+1:]
	}
	sign := func(claims map[string]any) string {
		t.Helper()
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
		return input + "." + signature(input)
	}
	var bearer atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bearer.Store(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		w.Header().Set("Content-Type", "application/protobuf")
	}))
	t.Cleanup(server.Close)
	s := startService(t, map[string]string{"LIVEKIT_API_KEY": "devkey", "LIVEKIT_API_SECRET": secret, "LIVEKIT_API_URL": server.URL})
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	var got struct{ LiveKit struct{ Token string } }
	if a := s.request(t, ada, http.MethodGet, "/api/v1.0/rooms/"+room.String()+"/", "", nil); a.Status != 200 ||
		json.Unmarshal(a.Body, &got) != nil || !isOurs(got.LiveKit.Token) {
		t.Fatalf("room: %d %s", a.Status, a.Body)
	}
	header := http.Header{"Authorization": {"Bearer " + got.LiveKit.Token}, "Content-Type": {"application/json"}}
	if a := s.request(t, account{}, http.MethodPost, "/api/v1.0/rooms/"+room.String()+"/toggle-hand/", `{"raised":true}`, header); a.Status != 200 {
		t.Errorf("raise the hand: %d %s", a.Status, a.Body)
	}
	if token, _ := bearer.Load().(string); !isOurs(token) {
		t.Errorf("LiveKit was asked with %q", token)
	}
	body := `{"event":"participant_joined","room":{"name":"` + room.String() + `"}}`
	sum := sha256.Sum256([]byte(body))
	hook := http.Header{"Content-Type": {"application/webhook+json"}, "Authorization": {sign(map[string]any{
		"iss": "devkey", "exp": time.Now().Add(time.Minute).Unix(), "sha256": base64.StdEncoding.EncodeToString(sum[:]),
	})}}
	if a := s.request(t, account{}, http.MethodPost, "/api/v1.0/rooms/webhooks-livekit/", body, hook); a.Status != 200 {
		t.Errorf("webhook: %d %s", a.Status, a.Body)
	}
}
