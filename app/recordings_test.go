package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"

	"meetd/adapters/devstack/storetest"
)

// eventually waits for a condition that background work brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute) // for machines that do much else
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// start and stop ask for the recording of a room.
func (s *service) start(t *testing.T, as account, room uuid.UUID, body string) answer {
	t.Helper()
	return s.write(t, as, "/api/v1.0/rooms/"+room.String()+"/start-recording/", body)
}

func (s *service) stop(t *testing.T, as account, room uuid.UUID) answer {
	t.Helper()
	return s.write(t, as, "/api/v1.0/rooms/"+room.String()+"/stop-recording/", "")
}

const token = "abcdefghijklmnopqrstuvwxyzABCDEF" // a CSRF token

// write sends a POST as the front end does: JSON, with the CSRF token.
func (s *service) write(t *testing.T, as account, path, body string) answer {
	t.Helper()
	return s.ask(t, as, http.MethodPost, path, body)
}

// ask is write with any method.
func (s *service) ask(t *testing.T, as account, method, path, body string) answer {
	t.Helper()
	return s.send(t, s.asked(t, as, method, path, body))
}

// asked is the request of ask.
func (s *service) asked(t *testing.T, as account, method, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "X-Csrftoken": {token}}
	if as.Secret != "" {
		req.AddCookie(&http.Cookie{Name: s.cookie, Value: as.Secret})
		req.AddCookie(&http.Cookie{Name: "csrftoken", Value: token})
	}
	return req
}

// only is the one recording of a room.
type only struct {
	ID             uuid.UUID
	Status, Worker string
	Options        string
}

func (s *service) onlyRecording(t *testing.T, room uuid.UUID) only {
	t.Helper()
	var r only
	err := s.DB.QueryRow(t.Context(),
		`SELECT id, status, coalesce(worker_id, ''), options::text FROM meet_recording WHERE room_id = $1`, room).
		Scan(&r.ID, &r.Status, &r.Worker, &r.Options)
	if err != nil {
		t.Fatalf("the recording of the room: %v", err)
	}
	return r
}

func (s *service) status(t *testing.T, id uuid.UUID) string {
	t.Helper()
	var status string
	if err := s.DB.QueryRow(t.Context(), `SELECT status FROM meet_recording WHERE id = $1`, id).Scan(&status); err != nil {
		t.Fatal(err)
	}
	return status
}

const film = `{"mode":"screen_recording"}`

func wantAnswer(t *testing.T, what string, got answer, status int, body string) {
	t.Helper()
	if got.Status != status || (body != "" && string(got.Body) != body) {
		t.Errorf("%s: %d %s, want %d %s", what, got.Status, got.Body, status, body)
	}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	slug := "room-" + room.String()[:8]
	live.metadata[room.String()] = `{"access_level":"public"}`

	wantAnswer(t, "start", s.start(t, ada, room, `{"mode":"screen_recording","options":{"language":"fr","transcribe":"yes","original_mode":null}}`),
		201, `{"message":"Recording successfully started for room `+slug+`"}`)
	rec := s.onlyRecording(t, room)
	if rec.Status != "active" || rec.Worker != "EG_"+room.String() || rec.Options != `{"language": "fr", "transcribe": true}` {
		t.Errorf("started: %+v", rec)
	}
	var role string
	if err := s.DB.QueryRow(t.Context(), `SELECT role FROM meet_recording_access WHERE recording_id = $1 AND user_id = $2`, rec.ID, ada.ID).Scan(&role); err != nil || role != "owner" {
		t.Errorf("access of who started: %q, %v", role, err)
	}
	eventually(t, "the participants are told", func() bool { return live.roomMetadata(room.String())["recording_status"] == "starting" })
	if diff := cmp.Diff(map[string]any{"access_level": "public", "recording_mode": "screen_recording", "recording_status": "starting"},
		live.roomMetadata(room.String())); diff != "" {
		t.Errorf("metadata: %s", diff)
	}
	wantAnswer(t, "a second start", s.start(t, ada, room, film), 409, `{"error":"A recording is already in progress for room `+slug+`"}`)

	wantAnswer(t, "stop", s.stop(t, ada, room), 200, `{"message":"Recording stopped for room `+slug+`."}`)
	if got := s.onlyRecording(t, room); got.Status != "stopped" {
		t.Errorf("stopped: %+v", got)
	}
	wantAnswer(t, "a second stop", s.stop(t, ada, room), 404, `{"detail":"No active recording found for this room."}`)
	if starts, stops := live.counts(); starts != 1 || stops != 1 {
		t.Errorf("LiveKit was asked to start %d times and to stop %d times", starts, stops)
	}
}

func TestEgressRequest(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["AWS_S3_REGION_NAME"] = "fr-par"
	env["RECORDING_ENCODING_ENABLED"] = "true"
	s := startService(t, env)
	ada := s.login(t, "ada")
	for _, mode := range []string{"screen_recording", "transcript"} {
		room := s.room(t, ada)
		wantAnswer(t, mode, s.start(t, ada, room, `{"mode":"`+mode+`"}`), 201, "")
		rec := s.onlyRecording(t, room)
		live.mu.Lock()
		got := live.starts[len(live.starts)-1]
		live.mu.Unlock()
		upload := got.GetFileOutputs()[0].GetS3()
		want := "endpoint:" + nowhere + " key secret fr-par meet-media true"
		if have := fmt.Sprintf("endpoint:%s %s %s %s %s %v", upload.GetEndpoint(), upload.GetAccessKey(), upload.GetSecret(),
			upload.GetRegion(), upload.GetBucket(), upload.GetForcePathStyle()); have != want {
			t.Errorf("%s: upload %s, want %s", mode, have, want)
		}
		if got.GetRoomName() != room.String() || len(got.GetFileOutputs()) != 1 {
			t.Errorf("%s: room %s, %d files", mode, got.GetRoomName(), len(got.GetFileOutputs()))
		}
		file := got.GetFileOutputs()[0]
		if mode == "transcript" {
			if !got.GetAudioOnly() || got.GetLayout() != "" || got.GetAdvanced() != nil || file.GetFileType() != lk.EncodedFileType_OGG ||
				file.GetFilepath() != "recordings/"+rec.ID.String()+".ogg" {
				t.Errorf("transcript: %v", got)
			}
			continue
		}
		o := got.GetAdvanced()
		if got.GetAudioOnly() || got.GetLayout() != "speaker-light" || file.GetFileType() != lk.EncodedFileType_MP4 ||
			file.GetFilepath() != "recordings/"+rec.ID.String()+".mp4" || o.GetWidth() != 1280 || o.GetHeight() != 720 ||
			o.GetFramerate() != 30 || o.GetVideoBitrate() != 3000 || o.GetAudioBitrate() != 128 || o.GetKeyFrameInterval() != 4 ||
			o.GetVideoCodec() != lk.VideoCodec_H264_MAIN || o.GetAudioCodec() != lk.AudioCodec_AAC || o.GetAudioFrequency() != 48000 {
			t.Errorf("film: %v", got)
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	for name, onStart := range map[string]func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error){
		"refused": func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) { return nil, errLiveKit },
		"no id":   func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) { return &lk.EgressInfo{}, nil },
	} {
		room := s.room(t, ada)
		live.mu.Lock()
		live.onStart = onStart
		live.mu.Unlock()
		wantAnswer(t, name, s.start(t, ada, room, film), 502, `{"error":"Recording failed to start for room room-`+room.String()[:8]+`"}`)
		if got := s.onlyRecording(t, room); got.Status != "failed_to_start" || got.Worker != "" {
			t.Errorf("%s: %+v", name, got)
		}
		live.mu.Lock()
		live.onStart = nil
		live.mu.Unlock()
		wantAnswer(t, name+", again", s.start(t, ada, room, film), 201, "")
	}
}

// A recording that runs has started, whatever becomes of events that came before.
func TestStartBesideBrokenEvents(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["MEETD_RECORDING_VERIFY_OBJECT"], env["MEETD_RECONCILE_PERIOD"] = "false", "1"
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	live.mu.Lock()
	live.onStart = func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
		wantAnswer(t, "early", s.webhook(t, egressEvent("egress_ended", "EG_1", room.String(), "EGRESS_FAILED")), 200, "")
		s.exec(t, `ALTER TABLE meetd.kept_event RENAME TO away`)
		return &lk.EgressInfo{EgressId: "EG_1"}, nil
	}
	live.mu.Unlock()
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	if got := s.onlyRecording(t, room); got.Status != "active" {
		t.Errorf("started: %+v", got)
	}
	s.exec(t, `ALTER TABLE meetd.away RENAME TO kept_event`)
	eventually(t, "the event is applied", func() bool { return s.onlyRecording(t, room).Status == "aborted" })
}

// A recording that was given up while LiveKit took its time to start is not made.
func TestStartTakesTooLong(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	for _, status := range []string{"failed_to_start", "failed_to_stop"} {
		room := s.room(t, ada)
		live.mu.Lock()
		live.onStart = func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
			s.exec(t, `UPDATE meet_recording SET status = $2 WHERE room_id = $1`, room, status)
			return &lk.EgressInfo{EgressId: "EG_" + status}, nil
		}
		live.mu.Unlock()
		wantAnswer(t, status, s.start(t, ada, room, film), 502, `{"error":"Recording failed to start for room room-`+room.String()[:8]+`"}`)
		eventually(t, status+": the egress is stopped", func() bool {
			live.mu.Lock()
			defer live.mu.Unlock()
			return slices.Contains(live.stops, "EG_"+status)
		})
		if got := s.onlyRecording(t, room); got.Status != status {
			t.Errorf("%s: %+v", status, got)
		}
	}
}

func TestStopAnswers(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	answered := func(status lk.EgressStatus) func(string) (*lk.EgressInfo, error) {
		return func(id string) (*lk.EgressInfo, error) { return &lk.EgressInfo{EgressId: id, Status: status}, nil }
	}
	for name, c := range map[string]struct {
		onStop func(string) (*lk.EgressInfo, error)
		code   int
		status string
	}{
		"ending":   {answered(lk.EgressStatus_EGRESS_ENDING), 200, "stopped"},
		"aborted":  {answered(lk.EgressStatus_EGRESS_ABORTED), 200, "aborted"},
		"active":   {answered(lk.EgressStatus_EGRESS_ACTIVE), 200, "failed_to_stop"},
		"failed":   {answered(lk.EgressStatus_EGRESS_FAILED), 200, "failed_to_stop"},
		"starting": {answered(lk.EgressStatus_EGRESS_STARTING), 500, "failed_to_stop"},
		"refused":  {func(string) (*lk.EgressInfo, error) { return nil, errLiveKit }, 500, "failed_to_stop"},
	} {
		room := s.room(t, ada)
		wantAnswer(t, name+", start", s.start(t, ada, room, film), 201, "")
		live.mu.Lock()
		live.onStop = c.onStop
		live.mu.Unlock()
		got := s.stop(t, ada, room)
		body := ""
		if c.code == 500 {
			body = `{"error":"Recording failed to stop for room room-` + room.String()[:8] + `"}`
		}
		wantAnswer(t, name, got, c.code, body)
		if rec := s.onlyRecording(t, room); rec.Status != c.status {
			t.Errorf("%s: %s, want %s", name, rec.Status, c.status)
		}
	}
}

// The storage event may be handled before the answer to the stop is: saved
// stays saved (spa-flows.md §6).
func TestStoppedNeverOverwritesSaved(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["MEETD_RECORDING_VERIFY_OBJECT"] = "false"
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	id := s.onlyRecording(t, room).ID
	live.mu.Lock()
	live.onStop = func(egress string) (*lk.EgressInfo, error) {
		wantAnswer(t, "event during the stop", s.storageEvent(t, minioEvent(id.String()+".mp4", "video/mp4")), 200, `{"message":"Event processed."}`)
		return &lk.EgressInfo{EgressId: egress, Status: lk.EgressStatus_EGRESS_ENDING}, nil
	}
	live.mu.Unlock()
	wantAnswer(t, "stop", s.stop(t, ada, room), 200, "")
	if got := s.status(t, id); got != "saved" {
		t.Errorf("after the stop it is %s", got)
	}
}

// 50 people press the button at once: one recording, and nothing stays locked.
func TestParallelStarts(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	codes := make([]int, 50)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() { codes[i] = s.start(t, ada, room, film).Status })
	}
	wg.Wait()
	count := map[int]int{}
	for _, c := range codes {
		count[c]++
	}
	if count[201] != 1 || count[409] != 49 {
		t.Errorf("answers: %v, want one 201 and 49 times 409", count)
	}
	if starts, _ := live.counts(); starts != 1 {
		t.Errorf("LiveKit was asked %d times", starts)
	}
	var accesses int
	if err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meet_recording_access`).Scan(&accesses); err != nil || accesses != 1 {
		t.Errorf("%d accesses are left, %v", accesses, err)
	}
	wantAnswer(t, "stop", s.stop(t, ada, room), 200, "")
	wantAnswer(t, "start again", s.start(t, ada, room, film), 201, "")
}

// minioEvent is a notification as MinIO sends it.
func minioEvent(name, contentType string) string {
	return storageBody("s3:ObjectCreated:Put", "meet-media", "recordings%2F"+name, contentType)
}

func storageBody(event, bucket, key, contentType string) string {
	b, _ := json.Marshal(map[string]any{"EventName": event, "Records": []any{storageRecord(event, bucket, key, contentType)}})
	return string(b)
}

func storageRecord(event, bucket, key, contentType string) map[string]any {
	return map[string]any{"eventName": event, "s3": map[string]any{
		"bucket": map[string]any{"name": bucket},
		"object": map[string]any{"key": key, "contentType": contentType, "size": 10, "eTag": "e", "sequencer": "17"},
	}}
}

func (s *service) storageEvent(t *testing.T, body string) answer {
	t.Helper()
	return s.send(t, s.storageRequest(t, body))
}

func (s *service) storageRequest(t *testing.T, body string) *http.Request {
	t.Helper()
	req := s.asked(t, account{}, http.MethodPost, "/api/v1.0/recordings/storage-hook/", body)
	req.Header.Set("Authorization", "Bearer storage-hook-token")
	return req
}

// The whole of attack-cases S that concerns who may call and what is read.
func TestStorageHookRefusals(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_RECORDING_VERIFY_OBJECT": "false"})
	ada := s.login(t, "ada")
	id := s.recording(t, screen, "active", roles{ada: "owner"})
	good := minioEvent(id.String()+".mp4", "video/mp4")
	event := func(key string) string { return storageBody("s3:ObjectCreated:Put", "meet-media", key, "video/mp4") }
	const (
		ignored   = `{"message":"Notification ignored."}`
		malformed = `{"detail":"Invalid request data."}`
	)
	for name, c := range map[string]struct {
		auth, kind, body string
		status           int
		answer           string
	}{
		"no token":       {"", "application/json", good, 401, `{"detail":"Authorization header is required"}`},
		"wrong token":    {"Bearer wrong", "application/json", good, 401, `{"detail":"Invalid token"}`},
		"longer token":   {"Bearer storage-hook-tokenx", "application/json", good, 401, `{"detail":"Invalid token"}`},
		"empty token":    {"Bearer ", "application/json", good, 401, `{"detail":"Invalid authorization header format."}`},
		"only scheme":    {"Bearer", "application/json", good, 401, `{"detail":"Invalid authorization header format."}`},
		"wrong scheme":   {"Basic storage-hook-token", "application/json", good, 401, `{"detail":"Invalid authorization header format."}`},
		"no scheme":      {"storage-hook-token", "application/json", good, 401, `{"detail":"Invalid authorization header format."}`},
		"wrong type":     {"bearer  storage-hook-token", "text/plain", good, 415, `{"detail":"Unsupported media type \"text/plain\" in request."}`},
		"urlencoded":     {"Bearer storage-hook-token", "application/x-www-form-urlencoded", "a=b", 415, ""},
		"form":           {"Bearer storage-hook-token", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"Records\"\r\n\r\n[]\r\n--x--\r\n", 403, malformed},
		"no JSON":        {"Bearer storage-hook-token", "application/json", "{", 400, ""},
		"deep JSON":      {"Bearer storage-hook-token", "application/json", strings.Repeat("[", 100_000), 400, ""},
		"deep valid":     {"Bearer storage-hook-token", "application/json", strings.Repeat("[", 9000) + strings.Repeat("]", 9000), 403, malformed},
		"huge":           {"Bearer storage-hook-token", "application/json", strings.Repeat(" ", 2<<20), 413, ""},
		"empty":          {"Bearer storage-hook-token", "application/json", "", 403, malformed},
		"null":           {"Bearer storage-hook-token", "application/json", "null", 403, malformed},
		"no records":     {"Bearer storage-hook-token", "application/json", `{"Records":[]}`, 403, malformed},
		"wrong types":    {"Bearer storage-hook-token", "application/json", `{"Records":[{"s3":{"bucket":7,"object":"x"}}]}`, 403, malformed},
		"key no text":    {"Bearer storage-hook-token", "application/json", `{"Records":[{"s3":{"bucket":{"name":"meet-media"},"object":{"key":7,"contentType":"video/mp4"}}}]}`, 403, malformed},
		"test event":     {"Bearer storage-hook-token", "application/json", `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"meet-media"}`, 200, ignored},
		"subscription":   {"Bearer storage-hook-token", "application/json", `{"Type":"SubscriptionConfirmation","SubscribeURL":"` + nowhere + `"}`, 200, ignored},
		"other bucket":   {"Bearer storage-hook-token", "application/json", storageBody("s3:ObjectCreated:Put", "other", "recordings%2F"+id.String()+".mp4", "video/mp4"), 403, `{"detail":"Invalid bucket specified."}`},
		"removed":        {"Bearer storage-hook-token", "application/json", storageBody("s3:ObjectRemoved:Delete", "meet-media", "recordings%2F"+id.String()+".mp4", "video/mp4"), 200, ignored},
		"expired":        {"Bearer storage-hook-token", "application/json", storageBody("s3:LifecycleExpiration:Delete", "meet-media", "recordings%2F"+id.String()+".mp4", "video/mp4"), 200, ignored},
		"other kind":     {"Bearer storage-hook-token", "application/json", storageBody("s3:ObjectCreated:Put", "meet-media", "recordings%2F"+id.String()+".mp4", "text/html"), 200, ignored},
		"manifest":       {"Bearer storage-hook-token", "application/json", storageBody("s3:ObjectCreated:Put", "meet-media", "recordings%2FEG_abc.json", "application/json"), 200, ignored},
		"foreign folder": {"Bearer storage-hook-token", "application/json", event("uploads%2F" + id.String() + ".mp4"), 200, ignored},
		"traversal":      {"Bearer storage-hook-token", "application/json", event("recordings%2F..%2Frecordings%2F" + id.String() + ".mp4"), 200, ignored},
		"raw key":        {"Bearer storage-hook-token", "application/json", event("recordings/" + id.String() + ".mp4"), 200, ignored},
		"double encoded": {"Bearer storage-hook-token", "application/json", event("recordings%252F" + id.String() + ".mp4"), 200, ignored},
		"suffix":         {"Bearer storage-hook-token", "application/json", event("recordings%2F" + id.String() + ".mp4.json"), 200, ignored},
		"unknown":        {"Bearer storage-hook-token", "application/json", minioEvent(uuid.NewString()+".mp4", "video/mp4"), 404, `{"detail":"No recording found for this event."}`},
	} {
		before := s.dump(t)
		header := http.Header{"Content-Type": {c.kind}}
		if c.auth != "" {
			header.Set("Authorization", c.auth)
		}
		got := s.request(t, account{}, http.MethodPost, "/api/v1.0/recordings/storage-hook/?token=storage-hook-token", c.body, header)
		wantAnswer(t, name, got, c.status, c.answer)
		if c.status == 401 && got.Header.Get("WWW-Authenticate") != "Bearer realm='Storage event API'" {
			t.Errorf("%s: challenge %q", name, got.Header.Get("WWW-Authenticate"))
		}
		if s.dump(t) != before {
			t.Errorf("%s changed something", name)
		}
	}
	wantAnswer(t, "a good event", s.storageEvent(t, good), 200, `{"message":"Event processed."}`)
	if got := s.status(t, id); got != "saved" {
		t.Errorf("after a good event it is %s", got)
	}
}

// SNS calls its JSON plain text, and is believed because of its header.
func TestStorageHookSNS(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_RECORDING_VERIFY_OBJECT": "false"})
	ada := s.login(t, "ada")
	id := s.recording(t, screen, "active", roles{ada: "owner"})
	envelope := func(message string) string {
		b, _ := json.Marshal(map[string]string{"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-3:1:t", "Message": message})
		return string(b)
	}
	post := func(body, kind string, sns ...string) answer {
		return s.request(t, account{}, http.MethodPost, "/api/v1.0/recordings/storage-hook/", body, http.Header{
			"Content-Type": {kind}, "Authorization": {"Bearer storage-hook-token"}, "X-Amz-Sns-Message-Type": sns,
		})
	}
	good := envelope(minioEvent(id.String()+".mp4", "video/mp4"))
	const plain = "text/plain; charset=UTF-8"
	wantAnswer(t, "without the header", post(good, plain), 415, "")
	wantAnswer(t, "another type", post(good, "text/html", "Notification"), 415, "")
	wantAnswer(t, "no JSON", post("hello", plain, "Notification"), 400, "")
	wantAnswer(t, "no JSON inside", post(envelope("hello"), plain, "Notification"), 403, `{"detail":"Invalid request data."}`)
	wantAnswer(t, "subscription", post(`{"Type":"SubscriptionConfirmation","SubscribeURL":"`+nowhere+`"}`, plain, "SubscriptionConfirmation"), 200, `{"message":"Notification ignored."}`)
	if got := s.status(t, id); got != "active" {
		t.Errorf("before the event it is %s", got)
	}
	wantAnswer(t, "notification", post(good, plain, "Notification"), 200, `{"message":"Event processed."}`)
	if got := s.status(t, id); got != "saved" {
		t.Errorf("after the event it is %s", got)
	}
}

func TestStorageHookSwitches(t *testing.T) {
	t.Parallel()
	off := startService(t, map[string]string{"RECORDING_STORAGE_EVENT_ENABLE": "false"})
	wantAnswer(t, "switched off", off.storageEvent(t, "{}"), 404, `{"detail":"Not found."}`)
	open := startService(t, map[string]string{"RECORDING_ENABLE_STORAGE_EVENT_AUTH": "false"})
	wantAnswer(t, "without authentication", open.request(t, account{}, http.MethodPost, "/api/v1.0/recordings/storage-hook/", "{}",
		http.Header{"Content-Type": {"application/json"}}), 403, "")
	unset := startService(t, map[string]string{"RECORDING_STORAGE_EVENT_TOKEN": ""})
	wantAnswer(t, "no token configured", unset.storageEvent(t, "{}"), 401, `{"detail":"Authentication is enabled but token is not configured."}`)
}

func TestStorageHookStates(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_RECORDING_VERIFY_OBJECT": "false"})
	ada := s.login(t, "ada")
	for _, from := range []string{
		"initiated", "active", "stopped", "saved", "aborted", "failed_to_start", "failed_to_stop",
		"notification_succeeded", "external_process_successful", "external_process_failed",
	} {
		id := s.recording(t, transcript, from, roles{ada: "owner"})
		got := s.storageEvent(t, minioEvent(id.String()+".ogg", "audio/ogg"))
		if from == "active" || from == "stopped" {
			wantAnswer(t, from, got, 200, `{"message":"Event processed."}`)
			if now := s.status(t, id); now != "saved" {
				t.Errorf("%s became %s", from, now)
			}
			continue
		}
		wantAnswer(t, from, got, 403, `{"detail":"Recording with ID `+id.String()+` cannot be saved because it is either, in an error state or has already been saved."}`)
		if now := s.status(t, id); now != from {
			t.Errorf("%s became %s", from, now)
		}
	}
}

// The same event a hundred times at once has one effect.
func TestStorageHookDuplicates(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_RECORDING_VERIFY_OBJECT": "false"})
	ada := s.login(t, "ada")
	id := s.recording(t, screen, "active", roles{ada: "owner"})
	var mu sync.Mutex
	count := map[int]int{}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			got := s.storageEvent(t, minioEvent(id.String()+".mp4", "video/mp4"))
			mu.Lock()
			defer mu.Unlock()
			count[got.Status]++
		})
	}
	wg.Wait()
	if count[200] != 1 || count[403] != 99 {
		t.Errorf("answers: %v, want one 200 and 99 times 403", count)
	}
	if got := s.status(t, id); got != "saved" {
		t.Errorf("it is %s", got)
	}
}

// Every record of a body counts.
func TestStorageHookManyRecords(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_RECORDING_VERIFY_OBJECT": "false"})
	ada := s.login(t, "ada")
	var ids []uuid.UUID
	records := []any{storageRecord("s3:ObjectCreated:Put", "meet-media", "recordings%2FEG_x.json", "application/json")}
	for range 3 {
		id := s.recording(t, screen, "stopped", roles{ada: "owner"})
		ids = append(ids, id)
		records = append(records, storageRecord("s3:ObjectCreated:CompleteMultipartUpload", "meet-media", "recordings%2F"+id.String()+".mp4", "video/mp4"))
	}
	body, _ := json.Marshal(map[string]any{"Records": records})
	wantAnswer(t, "four records", s.storageEvent(t, string(body)), 200, `{"message":"Event processed."}`)
	for _, id := range ids {
		if got := s.status(t, id); got != "saved" {
			t.Errorf("%s is %s", id, got)
		}
	}
}

// A token lets nobody claim a file that is not there.
func TestSavedOnlyWhenSeen(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, st storetest.Store) {
		env := storeEnv(st)
		env["MEETD_RECONCILE_PERIOD"] = "1"
		s := startService(t, env)
		ada := s.login(t, "ada")
		event := func(id uuid.UUID) answer {
			return s.storageEvent(t, storageBody("s3:ObjectCreated:Put", st.Bucket, "recordings%2F"+id.String()+".mp4", "video/mp4"))
		}
		there := s.recording(t, screen, "active", roles{ada: "owner"})
		st.Put(t, "recordings/"+there.String()+".mp4", "video/mp4", []byte("film"))
		wantAnswer(t, "there", event(there), 200, `{"message":"Event processed."}`)
		if got := s.status(t, there); got != "saved" {
			t.Errorf("an object that is there: %s", got)
		}
		forged := s.recording(t, screen, "active", roles{ada: "owner"})
		wantAnswer(t, "forged", event(forged), 200, `{"message":"Event processed."}`)
		if got := s.status(t, forged); got != "active" {
			t.Errorf("an object that is not there: %s", got)
		}
		empty := s.recording(t, screen, "active", roles{ada: "owner"})
		st.Put(t, "recordings/"+empty.String()+".mp4", "video/mp4", nil)
		wantAnswer(t, "empty", event(empty), 200, `{"message":"Event processed."}`)
		if got := s.status(t, empty); got != "active" {
			t.Errorf("an empty object: %s", got)
		}
		// LiveKit's word alone does not do either.
		env["RECORDING_STORAGE_EVENT_ENABLE"] = "false"
		alone := startService(t, env)
		quiet := alone.recording(t, screen, "active", roles{alone.login(t, "ada"): "owner"})
		alone.exec(t, `UPDATE meet_recording SET updated_at = now() + interval '1 hour' WHERE id = $1`, quiet) // nobody looks by himself
		complete := func() answer {
			return alone.webhook(t, egressEvent("egress_ended", "EG_"+quiet.String(), "room", "EGRESS_COMPLETE"))
		}
		wantAnswer(t, "complete without an object", complete(), 200, `{"status":"success"}`)
		if got := alone.status(t, quiet); got != "active" {
			t.Errorf("complete without an object: %s", got)
		}
		st.Put(t, "recordings/"+quiet.String()+".mp4", "video/mp4", []byte("film"))
		wantAnswer(t, "complete with an object", complete(), 200, `{"status":"success"}`)
		if got := alone.status(t, quiet); got != "saved" {
			t.Errorf("complete with an object: %s", got)
		}
		// The kept event is applied when the object appears.
		st.Put(t, "recordings/"+forged.String()+".mp4", "video/mp4", []byte("film"))
		eventually(t, "the late object is found", func() bool { return s.status(t, forged) == "saved" })
	})
}
