package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"

	"meetd/adapters/devstack/pgtest"
	"meetd/app"
)

// listener is a program that is told of events.
type listener struct {
	URL string

	mu    sync.Mutex
	code  int // that it answers
	tries int
	heard []event // those it has taken
}

// event is what an event says.
type event struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Recording struct {
		ID   string `json:"id"`
		Room struct {
			ID   string `json:"id"`
			Slug string `json:"slug"`
		} `json:"room"`
		Mode      string `json:"mode"`
		Status    string `json:"status"`
		CreatedAt string `json:"created_at"`
		Key       string `json:"key"`
	} `json:"recording"`
	Reason string `json:"reason"`
}

const (
	webhookKey  = "at least 24 bytes of a secret"
	eventsToken = "events-token"
)

// startListener starts one that checks each call as docs/events.md says.
func startListener(t *testing.T, code int) *listener {
	t.Helper()
	l := &listener{code: code}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("a call breaks off: %v", err)
		}
		id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
		mac := hmac.New(sha256.New, []byte(webhookKey))
		mac.Write([]byte(id + "." + at + "." + string(body)))
		if got, want := r.Header.Get("Webhook-Signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		seconds, err := strconv.ParseInt(at, 10, 64)
		if age := time.Since(time.Unix(seconds, 0)); err != nil || age.Abs() > 5*time.Second {
			t.Errorf("a call of %q, which is %s ago", at, age)
		}
		var e event
		if err := json.Unmarshal(body, &e); err != nil || e.ID != id || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("call %s: %s", id, body)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.tries++
		if l.code/100 == 2 {
			l.heard = append(l.heard, e)
		}
		w.WriteHeader(l.code)
	}))
	t.Cleanup(srv.Close)
	l.URL = srv.URL
	return l
}

func (l *listener) answers(code int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.code = code
}

func (l *listener) told() (tries int, heard []event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries, slices.Clone(l.heard)
}

// telling starts a service that tells these, and whoever shows the token.
func telling(t *testing.T, env map[string]string, listeners ...*listener) *service {
	t.Helper()
	var urls []string
	for _, l := range listeners {
		urls = append(urls, l.URL+"/hook")
	}
	all := map[string]string{
		"MEETD_WEBHOOK_URLS": strings.Join(urls, ","), "MEETD_EVENTS_TOKEN": eventsToken,
		"MEETD_WEBHOOK_SECRET": "whsec_" + base64.StdEncoding.EncodeToString([]byte(webhookKey)),
	}
	maps.Copy(all, env)
	return notifying(t, all)
}

const eventsPath = "/api/v1.0/recordings/events/"

// events reads a page of what was announced.
func (s *service) events(t *testing.T, query string) (list []event, next string) {
	t.Helper()
	got := s.request(t, account{}, http.MethodGet, eventsPath+query, "", http.Header{"Authorization": {"Bearer " + eventsToken}})
	var page struct {
		Results []event `json:"results"`
		Next    string  `json:"next"`
	}
	if err := json.Unmarshal(got.Body, &page); err != nil || got.Status != 200 || got.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("events%s: %d %s", query, got.Status, got.Body)
	}
	return page.Results, page.Next
}

// eventsOf waits until so many can be read: whatever writes on the same server,
// another test for one, may hold back what comes after it.
func (s *service) eventsOf(t *testing.T, query string, n int) (list []event, next string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d events can be read", n), func() bool {
		list, next = s.events(t, query)
		return len(list) >= n
	})
	if len(list) != n {
		t.Errorf("%d events can be read, want %d: %+v", len(list), n, list)
	}
	return list, next
}

// What becomes of a recording is told exactly once, however often it is reported.
func TestEventsAreTold(t *testing.T) {
	t.Parallel()
	one, two := startListener(t, 200), startListener(t, 204)
	s := telling(t, map[string]string{"RECORDING_EXPIRATION_DAYS": "0"}, one, two)
	ada := s.login(t, "lovelace")
	saved, failed := s.recording(t, screen, "active", roles{ada: "owner"}), s.recording(t, transcript, "active", nil)
	s.exec(t, `UPDATE meet_recording SET created_at = '2026-01-15T14:30:00.125Z' WHERE id = $1`, saved)
	ended := egressEvent("egress_ended", "EG_"+failed.String(), "r", "EGRESS_FAILED")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { s.storageEvent(t, minioEvent(saved.String()+".mp4", "video/mp4")) })
		wg.Go(func() {
			again := maps.Clone(ended)
			again["id"] = fmt.Sprintf("EV_%d", i)
			s.webhook(t, again)
		})
	}
	wg.Wait()
	// A saved recording changes once more, which is nobody's business.
	wantAnswer(t, "late", s.webhook(t, egressEvent("egress_ended", "EG_"+saved.String(), "r", "EGRESS_COMPLETE")), 200, "")
	if n := s.count(t, `SELECT count(*) FROM meetd.announcement`); n != 2 {
		t.Errorf("%d events are written down, want 2", n)
	}
	for _, l := range []*listener{one, two} {
		eventually(t, "both are told", func() bool { _, heard := l.told(); return len(heard) >= 2 })
		eventually(t, "all calls are made", func() bool { return strings.Count(s.jobs(t, "deliver_event"), "completed") == 4 })
		tries, heard := l.told()
		if tries != 2 {
			t.Errorf("told %d times", tries)
		}
		slices.SortFunc(heard, func(a, b event) int { return strings.Compare(b.Type, a.Type) })
		a, b := heard[0], heard[1]
		if a.Type != "recording.saved" || a.Recording.ID != saved.String() || a.Recording.Status != "saved" || a.Recording.Mode != screen || a.Reason != "" ||
			a.Recording.Key != "recordings/"+saved.String()+".mp4" || a.Recording.CreatedAt != "2026-01-15T14:30:00.125Z" ||
			a.Recording.Room.Slug != "room-"+a.Recording.Room.ID[:8] || uuid.Validate(a.ID) != nil {
			t.Errorf("told %+v", a)
		}
		if b.Type != "recording.failed" || b.Recording.ID != failed.String() || b.Recording.Status != "aborted" || b.Reason != "egress_failed" {
			t.Errorf("told %+v", b)
		}
		if at, err := time.Parse(time.RFC3339Nano, a.Timestamp); err != nil || time.Since(at).Abs() > time.Minute || !strings.HasSuffix(a.Timestamp, "Z") {
			t.Errorf("it happened %s", a.Timestamp)
		}
	}
	list, _ := s.eventsOf(t, "", 2)
	_, heard := one.told()
	for _, e := range heard {
		if !slices.Contains(list, e) {
			t.Errorf("%+v is not among what can be read: %+v", e, list)
		}
	}
	// Nobody is told who owns it, nor what it is called.
	var bodies string
	if err := s.DB.QueryRow(t.Context(), `SELECT string_agg(payload::text, ' ') FROM meetd.announcement`).Scan(&bodies); err != nil || strings.Contains(bodies, "lovelace") {
		t.Errorf("%v: %s", err, bodies)
	}
}

// A recording that could not be stopped has failed only once that is certain, and
// one that never began has too.
func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := telling(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	live.mu.Lock()
	live.onStop = func(string) (*lk.EgressInfo, error) { return nil, errLiveKit }
	live.mu.Unlock()
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	unsure := s.onlyRecording(t, room)
	wantAnswer(t, "stop", s.stop(t, ada, room), 500, "")
	if n := s.count(t, `SELECT count(*) FROM meetd.announcement`); n != 0 || s.status(t, unsure.ID) != "failed_to_stop" {
		t.Errorf("a recording that is %s is told of", s.status(t, unsure.ID))
	}
	wantAnswer(t, "ended", s.webhook(t, egressEvent("egress_ended", unsure.Worker, room.String(), "EGRESS_ABORTED")), 200, "")
	live.mu.Lock()
	live.onStart = func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) { return nil, errLiveKit }
	live.mu.Unlock()
	wantAnswer(t, "start", s.start(t, ada, s.room(t, ada), film), 502, "")
	list, _ := s.eventsOf(t, "", 2)
	if list[0].Type != "recording.failed" || list[0].Recording.ID != unsure.ID.String() || list[0].Reason != "egress_aborted" ||
		list[1].Type != "recording.failed" || list[1].Recording.Status != "failed_to_start" || list[1].Reason != "not_started" {
		t.Errorf("told %+v", list)
	}
	if got := s.jobs(t, "deliver_event"); got != "" {
		t.Errorf("nobody is to be called, and there are jobs: %s", got)
	}
}

// A recording is deleted once, for one reason; those of a room all together. One
// on hold is not, and nobody is told that it was.
func TestDeletionsAreTold(t *testing.T) {
	t.Parallel()
	s := telling(t, map[string]string{"RECORDING_EXPIRATION_DAYS": "7"})
	ada := s.login(t, "ada")
	asked := s.recording(t, screen, "aborted", roles{ada: "owner"})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { s.erase(t, ada, asked) })
	}
	wg.Wait()
	old := s.recording(t, screen, "saved", nil)
	s.exec(t, `UPDATE meet_recording SET created_at = now() - interval '8 days' WHERE id = $1`, old)
	s.purge(t)
	room := s.room(t, ada)
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
		SELECT gen_random_uuid(), now(), now(), 'saved', $1, 'transcript', '{}' FROM generate_series(1, 3)`, room)
	wantAnswer(t, "room", s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room.String()+"/", ""), 204, "")
	held := s.recording(t, screen, "saved", roles{ada: "owner"})
	s.putOnHold(t, held)
	wantAnswer(t, "held", s.erase(t, ada, held), 403, "")
	list, _ := s.eventsOf(t, "", 5)
	for i, e := range list {
		reason := slices.Concat([]string{"request", "expired"}, slices.Repeat([]string{"room"}, 3))[i]
		if e.Type != "recording.deleted" || e.Reason != reason || e.Recording.Room.Slug != "room-"+e.Recording.Room.ID[:8] {
			t.Errorf("told %+v, want a deletion: %s", e, reason)
		}
	}
	if list[0].Recording.ID != asked.String() || list[0].Recording.Status != "aborted" || list[1].Recording.ID != old.String() ||
		list[2].Recording.Room.ID != room.String() || list[2].Recording.ID == list[3].Recording.ID {
		t.Errorf("told %+v", list)
	}
	if n := s.count(t, `SELECT count(*) FROM meetd.announcement`); n != 5 {
		t.Errorf("%d events are written down", n)
	}
}

// One who is away is called again until it is there; one who wants no more is left
// alone, and neither keeps the other waiting.
func TestListenerIsAway(t *testing.T) {
	t.Parallel()
	away, gone, well := startListener(t, 503), startListener(t, 410), startListener(t, 200)
	s := telling(t, nil, away, gone, well)
	id := s.recording(t, screen, "active", nil)
	s.saved(t, id, screen)
	eventually(t, "the one who is well is told", func() bool { _, heard := well.told(); return len(heard) == 1 })
	eventually(t, "the one who is away is called again", func() bool { tries, _ := away.told(); return tries >= 2 })
	away.answers(200)
	// The next try would be after some seconds; whoever runs the service can hurry it.
	eventually(t, "it waits for the next try", func() bool { return strings.Contains(s.jobs(t, "deliver_event"), "retryable") })
	var said strings.Builder
	if err := app.ListJobs(t.Context(), s.conf, app.JobOptions{State: "retryable", Kind: "deliver_event", Limit: 1}, &said); err != nil ||
		!strings.Contains(said.String(), "it answers 503") || !strings.Contains(said.String(), `"target":`) || strings.Contains(said.String(), "/hook") {
		t.Errorf("listed as %s, %v", said.String(), err)
	}
	if err := app.RetryJobs(t.Context(), s.conf, "deliver_event", nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is told", func() bool { _, heard := away.told(); return len(heard) == 1 })
	_, late := away.told()
	_, first := well.told()
	if late[0] != first[0] {
		t.Errorf("told %+v late and %+v at first", late[0], first[0])
	}
	eventually(t, "the one who is gone is given up", func() bool { return strings.Contains(s.jobs(t, "deliver_event"), "cancelled") })
}

// Who reads page by page misses nothing, not even what began before what he has
// read and is committed after it.
func TestEventsAreReadAgain(t *testing.T) {
	t.Parallel()
	s := telling(t, nil)
	var want []string
	save := func() {
		id := s.recording(t, screen, "active", nil)
		s.saved(t, id, screen)
		want = append(want, id.String())
	}
	for range 7 {
		save()
	}
	var got []string
	cursor := ""
	read := func() {
		t.Helper()
		for {
			list, next := s.events(t, "?limit=3&after="+cursor)
			if len(list) > 3 {
				t.Fatalf("a page of %d", len(list))
			}
			for _, e := range list {
				got = append(got, e.Recording.ID)
			}
			if cursor = next; len(list) == 0 {
				return
			}
		}
	}
	readAll := func() {
		t.Helper()
		if eventually(t, "all is read", func() bool { read(); return len(got) >= len(want) }); !slices.Equal(got, want) {
			t.Fatalf("read %v, want %v", got, want)
		}
	}
	readAll()
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	save() // it begins later, is written down first, and is committed first
	if read(); !slices.Equal(got, want[:7]) {
		t.Errorf("read %v past one that is under way", got[7:])
	}
	held := uuid.NewString()
	if _, err := tx.Exec(t.Context(), `INSERT INTO meetd.announcement (event_id, at, type, recording_id, payload)
		VALUES ($1, now(), 'recording.deleted', $1, `+announced+`)`, held); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	want = slices.Insert(want, 7, held)
	readAll()
	s.eventsOf(t, "?limit=1000", len(want))
}

// Writers and a reader at the same time: all is read, once.
func TestEventsAreReadWhileTheyCome(t *testing.T) {
	t.Parallel()
	s := telling(t, nil)
	const writers, each = 8, 10
	var want []string
	var wg sync.WaitGroup
	for range writers {
		ids := make([]uuid.UUID, each)
		for i := range ids {
			ids[i] = s.recording(t, screen, "active", nil)
			want = append(want, ids[i].String())
		}
		wg.Go(func() {
			for _, id := range ids {
				s.saved(t, id, screen)
			}
		})
	}
	var got []string
	cursor := ""
	eventually(t, "all is read", func() bool {
		list, next := s.events(t, "?limit=7&after="+cursor)
		cursor = next
		for _, e := range list {
			got = append(got, e.Recording.ID)
		}
		return len(got) >= len(want)
	})
	wg.Wait()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("read %d, want each of %d once", len(got), len(want))
	}
}

func TestEventsRefusals(t *testing.T) {
	t.Parallel()
	s := telling(t, nil)
	ahead := base64.RawURLEncoding.EncodeToString([]byte("\x0f......\x00.......1")[:16])
	for name, c := range map[string]struct {
		auth, query string
		status      int
		body        string
	}{
		"no token":     {"", "", 401, `{"detail":"Authorization header is required"}`},
		"no bearer":    {"Basic " + eventsToken, "", 401, `{"detail":"Invalid authorization header format."}`},
		"wrong token":  {"Bearer storage-hook-token", "", 401, `{"detail":"Invalid token"}`},
		"bad cursor":   {"Bearer " + eventsToken, "?after=1", 400, `{"detail":"This is no cursor of this service: go on without one, from the beginning."}`},
		"not yet":      {"Bearer " + eventsToken, "?after=" + ahead, 400, `{"detail":"This is no cursor of this service: go on without one, from the beginning."}`},
		"no limit":     {"Bearer " + eventsToken, "?limit=0", 400, `{"detail":"The limit must be a whole number from 1 to 1000."}`},
		"large limit":  {"Bearer " + eventsToken, "?limit=1001", 400, ""},
		"strange one":  {"Bearer " + eventsToken, "?limit=1e2", 400, ""},
		"nothing yet":  {"Bearer " + eventsToken, "", 200, `{"results":[],"next":"AAAAAAAAAAAAAAAAAAAAAA"}`},
		"nothing more": {"Bearer " + eventsToken, "?limit=1000&after=AAAAAAAAAAAAAAAAAAAAAA", 200, `{"results":[],"next":"AAAAAAAAAAAAAAAAAAAAAA"}`},
	} {
		header := http.Header{}
		if c.auth != "" {
			header.Set("Authorization", c.auth)
		}
		got := s.request(t, account{}, http.MethodGet, eventsPath+c.query, "", header)
		wantAnswer(t, name, got, c.status, c.body)
		if c.status == 401 && got.Header.Get("Www-Authenticate") != "Bearer realm='Recording events API'" {
			t.Errorf("%s: challenge %q", name, got.Header.Get("Www-Authenticate"))
		}
	}
	ada := s.login(t, "ada")
	wantAnswer(t, "with a session", s.request(t, ada, http.MethodGet, eventsPath, "", nil), 401, "")
	wantAnswer(t, "writing without a token", s.ask(t, ada, http.MethodPost, eventsPath, "{}"), 401, "")
	wantAnswer(t, "writing", s.request(t, account{}, http.MethodPost, eventsPath, "{}", http.Header{"Authorization": {"Bearer " + eventsToken}}), 405, "")
}

// Where nobody wants to be told nothing is written.
func TestNobodyIsTold(t *testing.T) {
	t.Parallel()
	s := notifying(t)
	id := s.recording(t, screen, "active", nil)
	s.saved(t, id, screen)
	wantAnswer(t, "events", s.request(t, account{}, http.MethodGet, eventsPath, "", http.Header{"Authorization": {"Bearer "}}), 404, `{"detail":"Not found."}`)
	if n := s.count(t, `SELECT count(*) FROM meetd.announcement`); n != 0 || s.jobs(t, "deliver_event") != "" {
		t.Errorf("%d events are written down", n)
	}
}

// Old events are forgotten. Those of another server, which has counted further,
// come first.
func TestOldEvents(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	first := telling(t, map[string]string{"DATABASE_URL": dsn})
	eventually(t, "what is done at the start is done", func() bool { return first.jobs(t, "purge_announcements") == "completed" })
	for _, days := range []int{31, 29} {
		first.exec(t, `INSERT INTO meetd.announcement (event_id, at, xid, type, recording_id, payload)
			VALUES ($2, now() - make_interval(days => $1), '9000000000', 'recording.saved', $2, `+strings.ReplaceAll(announced, "$1", "$2")+` || jsonb_build_object('reason', $1::text))`, days, uuid.New())
	}
	id := first.recording(t, screen, "active", nil)
	first.saved(t, id, screen)
	first.eventsOf(t, "", 1)
	if err := app.RetryJobs(t.Context(), first.conf, "", []int64{int64(first.count(t, `SELECT id FROM meetd.river_job WHERE kind = 'purge_announcements'`))}, io.Discard); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is old is forgotten", func() bool { return first.count(t, `SELECT count(*) FROM meetd.announcement`) == 2 })
	list, next := first.eventsOf(t, "?limit=1", 1)
	if list[0].Reason != "29" {
		t.Errorf("first comes %+v", list)
	}
	if list, _ = first.eventsOf(t, "?after="+next, 1); list[0].Recording.ID != id.String() {
		t.Errorf("then comes %+v", list)
	}
}

// announced is an event about the recording $1, as it is stored.
const announced = `jsonb_build_object('id', $1::uuid, 'type', 'recording.deleted', 'timestamp', now(), 'recording', jsonb_build_object(
	'id', $1::uuid, 'room', jsonb_build_object('id', $1::uuid, 'slug', 'weekly'), 'mode', 'screen_recording', 'status', 'saved', 'created_at', now(), 'key', 'k'))`
