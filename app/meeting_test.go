package app_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"meetd/adapters/devstack/jwttest"
)

// meeting is the part of the scripted LiveKit that is about people, dial-in
// rules and agents.
type meeting struct {
	lk.SIP
	lk.AgentDispatchService

	lock     sync.Mutex
	people   map[string]lk.ParticipantInfo_State // by "<room> <identity>"
	fail     map[string]error                    // by method
	asked    []string                            // what was asked, in words
	rules    map[string]string                   // id of a dial-in rule: its name and PIN
	meantime func(rule string)                   // what happens before a dial-in rule is made; nil: nothing
	openings map[string]int                      // of a room
	agents   map[string]string                   // id of a dispatch: agent, room, metadata
}

func (m *meeting) serve(mux *http.ServeMux) {
	m.people, m.fail = map[string]lk.ParticipantInfo_State{}, map[string]error{}
	m.rules, m.agents = map[string]string{}, map[string]string{}
	m.openings = map[string]int{}
	mux.Handle(lk.SIPPathPrefix, lk.NewSIPServer(m))
	mux.Handle(lk.AgentDispatchServicePathPrefix, lk.NewAgentDispatchServiceServer(m))
}

// ask notes a question and finds out how it fails.
func (m *meeting) ask(method string, args ...string) error {
	m.asked = append(m.asked, strings.Join(append([]string{method}, args...), " "))
	return m.fail[method]
}

// enter brings people into a room.
func (m *meeting) enter(room uuid.UUID, identities ...string) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, identity := range identities {
		m.people[room.String()+" "+identity] = lk.ParticipantInfo_ACTIVE
	}
}

// failing makes a method fail; nil lets it work again.
func (m *meeting) failing(method string, err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.fail[method] = err
}

// takeAsked tells what was asked since the last time.
func (m *meeting) takeAsked() string {
	m.lock.Lock()
	defer m.lock.Unlock()
	asked := strings.Join(m.asked, "; ")
	m.asked = nil
	return asked
}

var errAbsent = twirp.NewError(twirp.NotFound, "participant does not exist")

func (m *meeting) has(room, identity string) error {
	if _, ok := m.people[room+" "+identity]; !ok {
		return errAbsent
	}
	return nil
}

func (l *liveKit) GetParticipant(_ context.Context, r *lk.RoomParticipantIdentity) (*lk.ParticipantInfo, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if err := l.ask("get", r.GetIdentity()); err != nil {
		return nil, err
	}
	return &lk.ParticipantInfo{Identity: r.GetIdentity(), State: l.people[r.GetRoom()+" "+r.GetIdentity()]}, l.has(r.GetRoom(), r.GetIdentity())
}

func (l *liveKit) UpdateParticipant(_ context.Context, r *lk.UpdateParticipantRequest) (*lk.ParticipantInfo, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	args := []string{r.GetIdentity()}
	if r.GetName() != "" {
		args = append(args, "name="+r.GetName())
	}
	if r.GetMetadata() != "" {
		args = append(args, "metadata="+r.GetMetadata())
	}
	for _, name := range slices.Sorted(maps.Keys(r.GetAttributes())) {
		args = append(args, name+"="+r.GetAttributes()[name])
	}
	if p := r.GetPermission(); p != nil {
		args = append(args, fmt.Sprintf("permission=%t,%t,%t,%v,%t,%t,%t,%t,%t", p.GetCanSubscribe(), p.GetCanPublish(), p.GetCanPublishData(),
			p.GetCanPublishSources(), p.GetHidden(), p.GetRecorder(), p.GetCanUpdateMetadata(), p.GetAgent(), p.GetCanSubscribeMetrics())) //nolint:staticcheck // all of it
	}
	if err := l.ask("update", args...); err != nil {
		return nil, err
	}
	return &lk.ParticipantInfo{}, l.has(r.GetRoom(), r.GetIdentity())
}

func (l *liveKit) MutePublishedTrack(_ context.Context, r *lk.MuteRoomTrackRequest) (*lk.MuteRoomTrackResponse, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if err := l.ask("mute", r.GetIdentity(), r.GetTrackSid(), fmt.Sprint(r.GetMuted())); err != nil {
		return nil, err
	}
	return &lk.MuteRoomTrackResponse{}, l.has(r.GetRoom(), r.GetIdentity())
}

func (l *liveKit) RemoveParticipant(_ context.Context, r *lk.RoomParticipantIdentity) (*lk.RemoveParticipantResponse, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if err := l.ask("remove", r.GetIdentity()); err != nil {
		return nil, err
	}
	err := l.has(r.GetRoom(), r.GetIdentity())
	delete(l.people, r.GetRoom()+" "+r.GetIdentity())
	return &lk.RemoveParticipantResponse{}, err
}

func (m *meeting) CreateDispatch(_ context.Context, r *lk.CreateAgentDispatchRequest) (*lk.AgentDispatch, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if err := m.ask("dispatch", r.GetAgentName(), r.GetRoom(), r.GetMetadata()); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("AD_%d", len(m.asked))
	m.agents[id] = r.GetAgentName() + " " + r.GetRoom() + " " + r.GetMetadata()
	return &lk.AgentDispatch{Id: id}, nil
}

func (m *meeting) DeleteDispatch(_ context.Context, r *lk.DeleteAgentDispatchRequest) (*lk.AgentDispatch, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if err := m.ask("recall", r.GetDispatchId(), r.GetRoom()); err != nil {
		return nil, err
	}
	if m.agents[r.GetDispatchId()] == "" {
		return nil, errAbsent
	}
	delete(m.agents, r.GetDispatchId())
	return &lk.AgentDispatch{Id: r.GetDispatchId()}, nil
}

func (m *meeting) ListSIPDispatchRule(context.Context, *lk.ListSIPDispatchRuleRequest) (*lk.ListSIPDispatchRuleResponse, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	out := &lk.ListSIPDispatchRuleResponse{}
	for id, rule := range m.rules {
		name, _, _ := strings.Cut(rule, " ")
		out.Items = append(out.Items, &lk.SIPDispatchRuleInfo{SipDispatchRuleId: id, Name: name})
	}
	return out, m.ask("rules")
}

func (m *meeting) CreateSIPDispatchRule(_ context.Context, r *lk.CreateSIPDispatchRuleRequest) (*lk.SIPDispatchRuleInfo, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	direct := r.GetRule().GetDispatchRuleDirect()                                           //nolint:staticcheck // as the client sends it
	rule := strings.Join([]string{r.GetName(), direct.GetRoomName(), direct.GetPin()}, " ") //nolint:staticcheck // likewise
	if err := m.ask("make", rule); err != nil {
		return nil, err
	}
	if m.meantime != nil {
		m.meantime(rule)
	}
	for _, other := range m.rules {
		if strings.HasSuffix(other, " "+direct.GetPin()) {
			return nil, twirp.InvalidArgumentError("pin", "the same combination already exists")
		}
	}
	m.rules[fmt.Sprintf("SDR_%d", len(m.asked))] = rule
	return &lk.SIPDispatchRuleInfo{}, nil
}

func (m *meeting) DeleteSIPDispatchRule(_ context.Context, r *lk.DeleteSIPDispatchRuleRequest) (*lk.SIPDispatchRuleInfo, error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	rule, ok := m.rules[r.GetSipDispatchRuleId()]
	if err := m.ask("unmake", rule); err != nil {
		return nil, err
	}
	if !ok {
		return nil, twirp.NotFoundError("no such rule")
	}
	delete(m.rules, r.GetSipDispatchRuleId())
	return &lk.SIPDispatchRuleInfo{}, nil
}

// opened is the id of an open room; each opening of it has another.
func (m *meeting) opened(room string) string {
	m.lock.Lock()
	defer m.lock.Unlock()
	return fmt.Sprintf("RM_%s_%d", room, m.openings[room])
}

// ruleOf lists the rules whose name is the room's.
func (m *meeting) ruleOf(room uuid.UUID) string {
	m.lock.Lock()
	defer m.lock.Unlock()
	var out []string
	for _, rule := range m.rules {
		if strings.HasPrefix(rule, "SIP_"+room.String()) {
			out = append(out, rule)
		}
	}
	return strings.Join(out, "; ")
}

// begin and shut are what happens to rooms in LiveKit.
func (l *liveKit) begin(room uuid.UUID) (sid string) {
	l.lock.Lock()
	l.openings[room.String()]++
	l.lock.Unlock()
	l.mu.Lock()
	l.metadata[room.String()] = ""
	l.mu.Unlock()
	return l.opened(room.String())
}

func (l *liveKit) shut(room uuid.UUID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.metadata, room.String())
}

// joinToken is a token as participants join with; claims replace the usual ones.
func joinToken(t *testing.T, room uuid.UUID, identity string, claims map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	all := map[string]any{
		"iss": liveKitKey, "sub": identity, "nbf": now, "exp": now + 3600, "video": map[string]any{"room": room.String(), "roomJoin": true},
	}
	maps.Copy(all, claims)
	return jwttest.Sign(t, jose.HS256, []byte(liveKitSecret), "", all)
}

// shows asks with a participant's token.
func (s *service) shows(t *testing.T, as account, token, path, body string) answer {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	return s.request(t, as, http.MethodPost, path, body, header)
}

func (l *liveKit) CreateRoom(_ context.Context, r *lk.CreateRoomRequest) (*lk.Room, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return &lk.Room{Name: r.GetName()}, l.ask("open", r.GetName())
}

func (l *liveKit) DeleteRoom(_ context.Context, r *lk.DeleteRoomRequest) (*lk.DeleteRoomResponse, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return &lk.DeleteRoomResponse{}, l.ask("close", r.GetRoom())
}
