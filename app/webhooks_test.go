package app_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"
)

func TestWebhookRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX": "^[0-9a-f-]*$"})
	ada := s.login(t, "ada")
	id := s.recording(t, screen, "active", roles{ada: "owner"})
	body, _ := json.Marshal(egressEvent("egress_ended", "EG_"+id.String(), "0", "EGRESS_FAILED"))
	other := sha256.Sum256([]byte("other"))
	join := map[string]any{"sha256": nil, "sub": "sub-ada", "video": map[string]any{"roomJoin": true, "room": "0"}}
	for name, c := range map[string]struct {
		token, body string
		status      int
		answer      string
	}{
		"no header":         {"", string(body), 401, `{"status":"error"}`},
		"no token":          {"nonsense", string(body), 400, `{"status":"error"}`},
		"bearer":            {"Bearer " + webhookToken(t, body, nil), string(body), 400, `{"status":"error"}`},
		"other body":        {webhookToken(t, body, nil), string(body) + " ", 400, `{"status":"error"}`},
		"other hash":        {webhookToken(t, body, map[string]any{"sha256": base64.StdEncoding.EncodeToString(other[:])}), string(body), 400, `{"status":"error"}`},
		"expired":           {webhookToken(t, body, map[string]any{"exp": time.Now().Unix() - 120}), string(body), 400, `{"status":"error"}`},
		"other key":         {webhookToken(t, body, map[string]any{"iss": "other"}), string(body), 400, `{"status":"error"}`},
		"a join token":      {webhookToken(t, body, join), string(body), 400, `{"status":"error"}`},
		"unknown event":     {webhookToken(t, []byte(`{"event":"tea_is_ready"}`), nil), `{"event":"tea_is_ready"}`, 422, `{"status":"error"}`},
		"not handled":       {webhookToken(t, []byte(`{"event":"track_published"}`), nil), `{"event":"track_published"}`, 200, `{"status":"success"}`},
		"connection test":   {webhookToken(t, []byte(`{"event":"new","room":{"name":"connection-test-1"}}`), nil), `{"event":"new","room":{"name":"connection-test-1"}}`, 200, `{"status":"success"}`},
		"another's room":    {webhookToken(t, []byte(`{"event":"new","room":{"name":"XYZ"}}`), nil), `{"event":"new","room":{"name":"XYZ"}}`, 200, `{"status":"success"}`},
		"broken":            {webhookToken(t, []byte(`{"event":`), nil), `{"event":`, 400, `{"status":"error"}`},
		"huge":              {webhookToken(t, nil, nil), strings.Repeat(" ", 2<<20), 413, ""},
		"unknown room":      {webhookToken(t, []byte(`{"event":"room_started","room":{"name":"0"}}`), nil), `{"event":"room_started","room":{"name":"0"}}`, 200, `{"status":"success"}`},
		"unknown new field": {webhookToken(t, []byte(`{"event":"room_finished","novelty":{"a":[1]}}`), nil), `{"event":"room_finished","novelty":{"a":[1]}}`, 200, `{"status":"success"}`},
	} {
		before := s.dump(t)
		header := http.Header{"Content-Type": {"application/webhook+json"}}
		if c.token != "" {
			header.Set("Authorization", c.token)
		}
		wantAnswer(t, name, s.request(t, account{}, http.MethodPost, "/api/v1.0/rooms/webhooks-livekit/", c.body, header), c.status, c.answer)
		if s.dump(t) != before {
			t.Errorf("%s changed something", name)
		}
	}
	// And a webhook's token opens nothing else.
	wantAnswer(t, "webhook token as hook token", s.request(t, account{}, http.MethodPost, "/api/v1.0/recordings/storage-hook/", "{}",
		http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + webhookToken(t, []byte("{}"), nil)}}), 401, "")
	room := s.room(t, ada)
	for _, sub := range []any{nil, "sub-ada"} {
		wantAnswer(t, "webhook token as a participant's", s.request(t, account{}, http.MethodPost, "/api/v1.0/rooms/"+room.String()+"/toggle-hand/", `{"raised":true}`,
			http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + webhookToken(t, []byte("{}"), map[string]any{"sub": sub})}}), 403, "")
	}
}

func TestEgressMovesRecording(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		storageEvents string
		from, event   string
		status        string
		want          string
	}{
		"failed":                       {"true", "active", "egress_ended", "EGRESS_FAILED", "aborted"},
		"aborted":                      {"true", "active", "egress_ended", "EGRESS_ABORTED", "aborted"},
		"aborted by update":            {"true", "active", "egress_updated", "EGRESS_ABORTED", "aborted"},
		"failed after the stop":        {"true", "stopped", "egress_ended", "EGRESS_FAILED", "aborted"},
		"limit":                        {"true", "active", "egress_ended", "EGRESS_LIMIT_REACHED", "stopped"},
		"complete, the store reports":  {"true", "active", "egress_ended", "EGRESS_COMPLETE", "active"},
		"complete, nobody else tells":  {"false", "active", "egress_ended", "EGRESS_COMPLETE", "saved"},
		"limit, nobody else tells":     {"false", "active", "egress_ended", "EGRESS_LIMIT_REACHED", "saved"},
		"stopped, nobody else tells":   {"false", "stopped", "egress_ended", "EGRESS_COMPLETE", "saved"},
		"running":                      {"false", "active", "egress_updated", "EGRESS_ACTIVE", "active"},
		"late start of a saved one":    {"false", "saved", "egress_updated", "EGRESS_ACTIVE", "saved"},
		"late failure of a saved one":  {"false", "saved", "egress_ended", "EGRESS_FAILED", "saved"},
		"completion of an aborted one": {"false", "aborted", "egress_ended", "EGRESS_COMPLETE", "aborted"},
		"completion of a failed one":   {"false", "failed_to_stop", "egress_ended", "EGRESS_COMPLETE", "failed_to_stop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string]string{"RECORDING_STORAGE_EVENT_ENABLE": c.storageEvents, "MEETD_RECORDING_VERIFY_OBJECT": "false"})
			id := s.recording(t, screen, c.from, roles{s.login(t, "ada"): "owner"})
			for range 3 { // LiveKit says everything more than once
				wantAnswer(t, name, s.webhook(t, egressEvent(c.event, "EG_"+id.String(), "room", c.status)), 200, `{"status":"success"}`)
			}
			if got := s.status(t, id); got != c.want {
				t.Errorf("it is %s, want %s", got, c.want)
			}
		})
	}
}

// A room whose egress failed can be recorded again: field.md, fact 1.
func TestFailedEgressFreesRoom(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	for i, end := range []string{"EGRESS_FAILED", "EGRESS_ABORTED"} {
		room := s.room(t, ada)
		live.mu.Lock()
		live.metadata[room.String()] = ""
		live.mu.Unlock()
		wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
		egress := s.onlyRecording(t, room).Worker
		eventually(t, "starting is shown", func() bool { return live.roomMetadata(room.String())["recording_status"] == "starting" })
		wantAnswer(t, "active", s.webhook(t, egressEvent("egress_updated", egress, room.String(), "EGRESS_ACTIVE")), 200, "")
		eventually(t, "started is shown", func() bool { return live.roomMetadata(room.String())["recording_status"] == "started" })
		wantAnswer(t, end, s.webhook(t, egressEvent("egress_ended", egress, room.String(), end)), 200, "")
		eventually(t, "nothing is shown any more", func() bool { return len(live.roomMetadata(room.String())) == 0 })
		live.mu.Lock()
		live.onStart = func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
			return &lk.EgressInfo{EgressId: "EG_again" + end}, nil
		}
		live.mu.Unlock()
		wantAnswer(t, "start again", s.start(t, ada, room, film), 201, "")
		if starts, _ := live.counts(); starts != 2*(i+1) {
			t.Errorf("LiveKit was asked %d times", starts)
		}
		live.mu.Lock()
		live.onStart = nil
		live.mu.Unlock()
	}
}

// Who may still be recorded sees it: a stop that LiveKit did not confirm ends
// nothing yet.
func TestFailedStopIsShown(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	live.open(room.String(), "")
	shown := func() any { return live.roomMetadata(room.String())["recording_status"] }
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	egress := s.onlyRecording(t, room).Worker
	wantAnswer(t, "active", s.webhook(t, egressEvent("egress_updated", egress, room.String(), "EGRESS_ACTIVE")), 200, "")
	eventually(t, "started is shown", func() bool { return shown() == "started" })
	live.mu.Lock()
	live.onStop = func(string) (*lk.EgressInfo, error) { return nil, errLiveKit }
	live.mu.Unlock()
	wantAnswer(t, "stop", s.stop(t, ada, room), 500, "")
	eventually(t, "the stop is shown", func() bool { return s.jobs(t, "show_recording") == "completed completed completed" })
	if shown() != "started" {
		t.Errorf("after a stop that may not have worked %v is shown", shown())
	}
	wantAnswer(t, "ended", s.webhook(t, egressEvent("egress_ended", egress, room.String(), "EGRESS_COMPLETE")), 200, "")
	eventually(t, "nothing is shown any more", func() bool { return len(live.roomMetadata(room.String())) == 0 })
}

// A slow write of an old state is not the last one: what is shown in the end is
// what is true.
func TestSlowShow(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	live.open(room.String(), "")
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	eventually(t, "starting is shown", func() bool { return s.jobs(t, "show_recording") == "completed" })
	slow, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	live.mu.Lock()
	live.onShow = func(metadata string) {
		if strings.Contains(metadata, "started") {
			close(slow)
			<-released
		}
	}
	live.mu.Unlock()
	egress := s.onlyRecording(t, room).Worker
	wantAnswer(t, "active", s.webhook(t, egressEvent("egress_updated", egress, room.String(), "EGRESS_ACTIVE")), 200, "")
	<-slow
	wantAnswer(t, "ended", s.webhook(t, egressEvent("egress_ended", egress, room.String(), "EGRESS_FAILED")), 200, "")
	eventually(t, "nothing is shown any more", func() bool { return len(live.roomMetadata(room.String())) == 0 })
	release()
	eventually(t, "all is shown", func() bool { return !strings.Contains(s.jobs(t, "show_recording"), "running") })
	if got := live.roomMetadata(room.String()); len(got) != 0 {
		t.Errorf("shown: %v", got)
	}
}

// Who shows something else of the room does not bring back what is over.
func TestShowsDoNotUndoEachOther(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	live.open(room.String(), "")
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	egress := s.onlyRecording(t, room).Worker
	wantAnswer(t, "active", s.webhook(t, egressEvent("egress_updated", egress, room.String(), "EGRESS_ACTIVE")), 200, "")
	eventually(t, "started is shown", func() bool { return s.jobs(t, "show_recording") == "completed completed" })
	slow, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	var held atomic.Bool
	live.mu.Lock()
	live.onShow = func(metadata string) {
		if strings.Contains(metadata, "access_level") && held.CompareAndSwap(false, true) {
			close(slow)
			<-released
		}
	}
	live.mu.Unlock()
	wantAnswer(t, "open", s.ask(t, ada, http.MethodPatch, "/api/v1.0/rooms/"+room.String()+"/", `{"access_level":"public"}`), 200, "")
	<-slow
	wantAnswer(t, "ended", s.webhook(t, egressEvent("egress_ended", egress, room.String(), "EGRESS_COMPLETE")), 200, "")
	eventually(t, "nothing is shown any more", func() bool { return len(live.roomMetadata(room.String())) == 0 })
	release()
	eventually(t, "the room is shown", func() bool { return s.jobs(t, "show_room") == "completed" })
	if got := live.shown(room.String()); got != `{"access_level":"public","configuration":{}}` {
		t.Errorf("shown in the end: %s", got)
	}
}

// Who administers a room may write into its metadata what he likes.
func TestShowOverNonsense(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	for _, nonsense := range []string{`null`, `[]`, `"text"`, `{`, `7`} {
		room := s.room(t, ada).String()
		live.open(room, nonsense)
		wantAnswer(t, "open", s.ask(t, ada, http.MethodPatch, "/api/v1.0/rooms/"+room+"/", `{"access_level":"public"}`), 200, "")
		eventually(t, nonsense+" is replaced", func() bool { return live.shown(room) == `{"access_level":"public","configuration":{}}` })
	}
}

// LiveKit may report before our own commit (field.md): nothing is lost, in
// whatever order it comes, and nobody gets a 5xx.
func TestEventsBeforeCommit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		early func(t *testing.T, s *service, room string, id uuid.UUID, egress string)
		want  string
	}{
		"the egress failed at once": {func(t *testing.T, s *service, room string, _ uuid.UUID, egress string) {
			t.Helper()
			wantAnswer(t, "ended", s.webhook(t, egressEvent("egress_ended", egress, room, "EGRESS_FAILED")), 200, `{"status":"success"}`)
			wantAnswer(t, "late update", s.webhook(t, egressEvent("egress_updated", egress, room, "EGRESS_ACTIVE")), 200, `{"status":"success"}`)
		}, "aborted"},
		"the file is there already": {func(t *testing.T, s *service, _ string, id uuid.UUID, _ string) {
			t.Helper()
			wantAnswer(t, "storage event", s.storageEvent(t, minioEvent(id.String()+".mp4", "video/mp4")), 403, "")
		}, "saved"},
		"only the start of the egress": {func(t *testing.T, s *service, room string, _ uuid.UUID, egress string) {
			t.Helper()
			wantAnswer(t, "started", s.webhook(t, egressEvent("egress_started", egress, room, "EGRESS_STARTING")), 200, "")
			wantAnswer(t, "active", s.webhook(t, egressEvent("egress_updated", egress, room, "EGRESS_ACTIVE")), 200, "")
		}, "active"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live, env := startLiveKit(t)
			env["MEETD_RECORDING_VERIFY_OBJECT"] = "false"
			s := startService(t, env)
			ada := s.login(t, "ada")
			room := s.room(t, ada)
			egress := "EG_" + uuid.NewString()
			live.onStart = func(r *lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
				c.early(t, s, room.String(), s.onlyRecording(t, room).ID, egress)
				return &lk.EgressInfo{EgressId: egress, RoomName: r.GetRoomName()}, nil
			}
			wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
			if got := s.onlyRecording(t, room); got.Status != c.want || got.Worker != egress {
				t.Errorf("after the start: %+v, want %s", got, c.want)
			}
		})
	}
}

// Events of an egress nobody here asked for are taken and forgotten.
func TestForeignEgress(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	for _, status := range []string{"EGRESS_ACTIVE", "EGRESS_FAILED", "EGRESS_COMPLETE"} {
		wantAnswer(t, status, s.webhook(t, egressEvent("egress_ended", "EG_foreign", room.String(), status)), 200, `{"status":"success"}`)
	}
	wantAnswer(t, "long", s.webhook(t, egressEvent("egress_ended", longName, room.String(), "EGRESS_FAILED")), 200, `{"status":"success"}`)
	if got := s.onlyRecording(t, room); got.Status != "active" {
		t.Errorf("a foreign egress moved the recording: %+v", got)
	}
	if _, stops := live.counts(); stops != 0 {
		t.Errorf("a foreign egress was stopped")
	}
}

// A start that failed for us and not for LiveKit must not go on recording.
func TestAbandonedEgressIsStopped(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	id := s.recording(t, screen, "failed_to_start", roles{s.login(t, "ada"): "owner"})
	s.exec(t, `UPDATE meet_recording SET worker_id = NULL WHERE id = $1`, id)
	event := egressEvent("egress_updated", "EG_ghost", "room", "EGRESS_ACTIVE")
	event["egressInfo"].(map[string]any)["roomComposite"] = map[string]any{
		"fileOutputs": []any{map[string]any{"filepath": "recordings/" + id.String() + ".mp4"}},
	}
	wantAnswer(t, "active", s.webhook(t, event), 200, "")
	// LiveKit is not asked to say it again because it does not answer.
	live.mu.Lock()
	live.onStop = func(string) (*lk.EgressInfo, error) { return nil, errLiveKit }
	live.mu.Unlock()
	wantAnswer(t, "not stopped", s.webhook(t, event), 200, `{"status":"success"}`)
	live.mu.Lock()
	defer live.mu.Unlock()
	if len(live.stops) != 2 || live.stops[0] != "EG_ghost" {
		t.Errorf("stopped: %v", live.stops)
	}
}

// 200 events of one egress at once: one end, and every answer a 200.
func TestWebhookStorm(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"RECORDING_STORAGE_EVENT_ENABLE": "false", "MEETD_RECORDING_VERIFY_OBJECT": "false"})
	id := s.recording(t, screen, "active", roles{s.login(t, "ada"): "owner"})
	states := []string{"EGRESS_ACTIVE", "EGRESS_ENDING", "EGRESS_COMPLETE", "EGRESS_ACTIVE"}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			wantAnswer(t, "event", s.webhook(t, egressEvent("egress_updated", "EG_"+id.String(), "room", states[i%4])), 200, "")
		})
	}
	wg.Wait()
	if got := s.status(t, id); got != "saved" {
		t.Errorf("it is %s", got)
	}
}
