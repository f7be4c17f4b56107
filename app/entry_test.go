package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// guest is a browser that keeps the cookie of the lobby.
type guest struct {
	s      *service
	as     account
	cookie string // empty: none yet
}

type entryAnswer struct {
	Status, Username, ID, Color string
	LiveKit                     *struct{ URL, Room, Token string }
}

// ask polls once; the answer must have the status.
func (g *guest) ask(t *testing.T, room any, name string, status int) entryAnswer {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json"}}
	var cookies []string
	if g.cookie != "" {
		cookies = append(cookies, "lobbyParticipantId="+g.cookie)
	}
	if g.as.Secret != "" {
		cookies = append(cookies, g.s.cookie+"="+g.as.Secret, "csrftoken="+token)
		header.Set("X-Csrftoken", token)
	}
	if cookies != nil {
		header.Set("Cookie", strings.Join(cookies, "; "))
	}
	got := g.s.request(t, account{}, http.MethodPost, fmt.Sprintf("/api/v1.0/rooms/%s/request-entry/", room), `{"username":"`+name+`"}`, header)
	if got.Status != status {
		t.Fatalf("%s asks: %d %s, want %d", name, got.Status, got.Body, status)
	}
	var a entryAnswer
	if status != http.StatusOK {
		if set := got.Header.Get("Set-Cookie"); set != "" {
			t.Errorf("a refusal sets the cookie %q", set)
		}
		return a
	}
	value, rest, _ := strings.Cut(strings.TrimPrefix(got.Header.Get("Set-Cookie"), "lobbyParticipantId="), "; ")
	if value == "" || rest != "Path=/; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("cookie %q", got.Header.Get("Set-Cookie"))
	}
	g.cookie = value
	if err := json.Unmarshal(got.Body, &a); err != nil {
		t.Fatal(err)
	}
	if (a.Status == "accepted") != (a.LiveKit != nil) {
		t.Errorf("%s is %s with a token: %v", name, a.Status, a.LiveKit != nil)
	}
	return a
}

// expect is ask with the status of the entry.
func (g *guest) expect(t *testing.T, room any, name, want string) entryAnswer {
	t.Helper()
	a := g.ask(t, room, name, http.StatusOK)
	if a.Status != want {
		t.Errorf("%s is %s, want %s", name, a.Status, want)
	}
	return a
}

func (s *service) decide(t *testing.T, as account, room uuid.UUID, id string, allow bool) int {
	t.Helper()
	return s.write(t, as, fmt.Sprintf("/api/v1.0/rooms/%s/enter/", room), fmt.Sprintf(`{"participant_id":%q,"allow_entry":%v}`, id, allow)).Status
}

func (s *service) waitingIn(t *testing.T, as account, room uuid.UUID) []string {
	t.Helper()
	got := s.request(t, as, http.MethodGet, fmt.Sprintf("/api/v1.0/rooms/%s/waiting-participants/", room), "", nil)
	var list struct{ Participants []entryAnswer }
	if err := json.Unmarshal(got.Body, &list); err != nil || got.Status != http.StatusOK {
		t.Fatalf("who waits: %d %s", got.Status, got.Body)
	}
	names := []string{}
	for _, p := range list.Participants {
		names = append(names, p.Username)
	}
	return names
}

type joinClaims struct {
	Sub, Name  string
	Video      struct{ RoomAdmin bool }
	Attributes map[string]any
}

func readToken(t *testing.T, a entryAnswer) (c joinClaims) {
	t.Helper()
	if a.LiveKit == nil {
		t.Fatal("no token")
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(a.LiveKit.Token, ".")[1])
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A guest waits, is refused, asks again, is let in, and is forgotten.
func TestLobby(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	gus := &guest{s: s}
	first := gus.expect(t, room, "Gus", "waiting")
	if first.ID == gus.cookie || strings.Contains(gus.cookie, first.ID) {
		t.Error("everybody sees what the guest is known by")
	}
	if again := gus.expect(t, room, "Another", "waiting"); again != first {
		t.Errorf("asked again: %+v, then %+v", first, again)
	}
	if got := s.waitingIn(t, ada, room); len(got) != 1 || got[0] != "Gus" {
		t.Errorf("%q wait", got)
	}
	s.shiftClock(2 * time.Second)
	gus.expect(t, room, "Gus", "waiting")
	s.shiftClock(2 * time.Second)
	if got := s.waitingIn(t, ada, room); len(got) != 1 {
		t.Errorf("%q wait: the poll did not renew", got)
	}
	s.shiftClock(2 * time.Second)
	if got := s.waitingIn(t, ada, room); len(got) != 0 {
		t.Errorf("%q wait, who are gone", got)
	}
	if code := s.decide(t, ada, room, first.ID, true); code != http.StatusNotFound {
		t.Errorf("let in who is gone: %d", code)
	}

	gus.expect(t, room, "Gus", "waiting")
	if code := s.decide(t, ada, room, first.ID, false); code != http.StatusOK {
		t.Errorf("refuse: %d", code)
	}
	for range 2 {
		gus.expect(t, room, "Gus", "denied")
		s.shiftClock(2 * time.Second)
	}
	if got := s.waitingIn(t, ada, room); len(got) != 0 {
		t.Errorf("%q wait, who are refused", got)
	}
	s.shiftClock(2 * time.Second)
	gus.expect(t, room, "Gus", "waiting")
	s.decide(t, ada, room, first.ID, false)
	if code := s.decide(t, ada, room, first.ID, true); code != http.StatusOK {
		t.Errorf("let in after all: %d", code)
	}
	in := gus.expect(t, room, "Gustav", "accepted")
	if in.Username != "Gus" || in.ID != first.ID || in.Color != first.Color || in.LiveKit.Room != room.String() {
		t.Errorf("let in: %+v", in)
	}
	if c := readToken(t, in); c.Sub != first.ID || c.Name != "Gustav" || c.Video.RoomAdmin || c.Attributes["color"] != first.Color ||
		c.Attributes["room_role"] != nil || c.Attributes["is_authenticated"] != "false" {
		t.Errorf("token %+v", c)
	}
	s.shiftClock(6*time.Hour - time.Second)
	gus.expect(t, room, "Gus", "accepted")
	s.shiftClock(2 * time.Second)
	gus.expect(t, room, "Gus", "waiting")
	gus.expect(t, s.room(t, ada), "Gus", "waiting")
}

// Somebody with an account is known by the cookie in the lobby, and by his
// subject in the meeting.
func TestLobbyWithAccount(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	mel := &guest{s: s, as: s.login(t, "mel")}
	a := mel.expect(t, room, "Mel", "waiting")
	s.decide(t, ada, room, a.ID, true)
	a = mel.expect(t, room, "Mel", "accepted")
	if c := readToken(t, a); c.Sub != "sub-mel" || c.Attributes["color"] != a.Color || c.Attributes["is_authenticated"] != "true" {
		t.Errorf("token %+v", c)
	}
	var identity string
	if err := s.DB.QueryRow(t.Context(), `SELECT identity FROM meetd.lobby_entry WHERE room_id = $1`, room).Scan(&identity); err != nil || identity != "sub-mel" {
		t.Errorf("to be removed by %q, %v", identity, err)
	}
	owner := &guest{s: s, as: ada}
	if c := readToken(t, owner.expect(t, room, "Ada", "accepted")); !c.Video.RoomAdmin || c.Attributes["room_role"] != "owner" {
		t.Errorf("token of the owner %+v", c)
	}
}

// Who was let in and then removed has to ask again, with an account and without.
func TestLobbyAfterRemoval(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	for name, g := range map[string]*guest{"Gus": {s: s}, "Mel": {s: s, as: s.login(t, "mel")}} {
		s.decide(t, ada, room, g.expect(t, room, name, "waiting").ID, true)
		in := readToken(t, g.expect(t, room, name, "accepted"))
		s.write(t, ada, fmt.Sprintf("/api/v1.0/rooms/%s/remove-participant/", room), fmt.Sprintf(`{"participant_identity":%q}`, in.Sub))
		g.expect(t, room, name, "waiting")
	}
}

// Who was let in as a guest and then logs in, or the other way round, has not two
// ways in, of which one is left when he is removed.
func TestLobbyAfterRemovalOfOneOfTwo(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada, mel := s.login(t, "ada"), s.login(t, "mel")
	room := s.room(t, ada)
	for name, as := range map[string][2]account{"a guest who logged in": {{}, mel}, "an account that logged out": {mel, {}}} {
		g := &guest{s: s, as: as[0]}
		id := g.expect(t, room, "Mel", "waiting").ID
		s.decide(t, ada, room, id, true)
		in := readToken(t, g.expect(t, room, "Mel", "accepted"))
		g.as = as[1]
		if a := g.expect(t, room, "Mel", "waiting"); a.ID != id {
			t.Errorf("%s: was %s, is %s", name, id, a.ID)
		}
		s.write(t, ada, fmt.Sprintf("/api/v1.0/rooms/%s/remove-participant/", room), fmt.Sprintf(`{"participant_identity":%q}`, in.Sub))
		g.expect(t, room, "Mel", "waiting")
	}
}

// Guests whom one address makes up do not hide those who come from elsewhere.
func TestLobbyListIsShared(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	s.exec(t, `INSERT INTO meetd.lobby_entry (room_id, participant_id, identity, status, username, color, client, since, expires_at)
		SELECT $1, gen_random_uuid(), 'made up', 'waiting', 'Made up', '', '192.0.2.66', now() - interval '1 hour', now() + interval '1 hour'
		FROM generate_series(1, 600)`, room)
	(&guest{s: s}).expect(t, room, "Gus", "waiting")
	if names := s.waitingIn(t, ada, room); len(names) != 500 || names[499] != "Gus" {
		t.Errorf("%d are listed, the last is %s, want 500 and Gus", len(names), names[max(0, len(names)-1)])
	}
}

// What others see of a guest does not make them the guest.
func TestLobbyImpersonation(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	gus := &guest{s: s}
	victim := gus.expect(t, room, "Gus", "waiting")
	s.decide(t, ada, room, victim.ID, true)
	for _, cookie := range []string{victim.ID, strings.ToUpper(victim.ID), strings.ReplaceAll(victim.ID, "-", ""), gus.cookie + "x", strings.ToLower(gus.cookie)} {
		thief := &guest{s: s, cookie: cookie}
		if a := thief.expect(t, room, "Gus", "waiting"); a.ID == victim.ID {
			t.Errorf("%q is known as %s", cookie, a.ID)
		}
	}
	long := &guest{s: s, cookie: strings.Repeat("x", 257)}
	if long.expect(t, room, "Long", "waiting"); len(long.cookie) > 256 {
		t.Error("a secret without bounds is kept")
	}
	gus.expect(t, room, "Gus", "accepted")
}

// Whether somebody has to ask is looked at again each time.
func TestLobbyAccessChanges(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	gus, mel := &guest{s: s}, &guest{s: s, as: s.login(t, "mel")}
	first := gus.expect(t, room, "Gus", "waiting")
	mel.expect(t, room, "Mel", "waiting")
	level := func(l string) { s.exec(t, `UPDATE meet_room SET access_level = $2 WHERE resource_id = $1`, room, l) }
	level("trusted")
	gus.expect(t, room, "Gus", "waiting")
	mel.expect(t, room, "Mel", "accepted")
	level("public")
	if a := gus.expect(t, room, "Other", "accepted"); a.ID != first.ID || a.Color != first.Color || a.Username != "Gus" {
		t.Errorf("public now: %+v, was %+v", a, first)
	}
	if c := readToken(t, mel.expect(t, room, "Mel", "accepted")); c.Sub != "sub-mel" {
		t.Errorf("token %+v", c)
	}
	level("restricted")
	gus.expect(t, room, "Gus", "waiting")
	mel.expect(t, room, "Mel", "waiting")
	s.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
		VALUES (gen_random_uuid(), now(), now(), 'member', $1, $2)`, room, mel.as.ID)
	if c := readToken(t, mel.expect(t, room, "Mel", "accepted")); c.Attributes["room_role"] != "member" {
		t.Errorf("token %+v", c)
	}
	if got := s.ask(t, ada, http.MethodDelete, fmt.Sprintf("/api/v1.0/rooms/%s/", room), ""); got.Status != http.StatusNoContent {
		t.Fatalf("delete: %d", got.Status)
	}
	gus.ask(t, room, "Gus", http.StatusNotFound)
}

// expectMessages waits until the room was told so often, and no more.
func expectMessages(t *testing.T, l *liveKit, room uuid.UUID, want int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages", want), func() bool { return len(l.messages(room.String())) >= want })
	if got := l.messages(room.String()); len(got) != want {
		t.Fatalf("told %q, want %d messages", got, want)
	}
}

// A room that is open is told that somebody waits: when he comes, and again
// while he waits.
func TestLobbyNotice(t *testing.T) {
	t.Parallel()
	l, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room, closed := s.room(t, ada), s.room(t, ada)
	l.open(room.String(), "")
	gus, ben := &guest{s: s}, &guest{s: s}
	ben.expect(t, closed, "Ben", "waiting")
	gus.expect(t, room, "Gus", "waiting")
	expectMessages(t, l, room, 1)
	if got := l.messages(room.String())[0]; got != `{"type": "participantWaiting"}` {
		t.Errorf("told %s", got)
	}
	for range 4 {
		s.shiftClock(2 * time.Second)
		gus.expect(t, room, "Gus", "waiting")
	}
	ben.expect(t, room, "Ben", "waiting") // told at once
	expectMessages(t, l, room, 2)
	s.shiftClock(2 * time.Second)
	gus.expect(t, room, "Gus", "waiting")
	ben.expect(t, room, "Ben", "waiting")
	for range 4 {
		s.shiftClock(2 * time.Second)
		gus.expect(t, room, "Gus", "waiting")
	}
	expectMessages(t, l, room, 3)
	(&guest{s: s}).expect(t, room, "Eve", "waiting") // comes just after a notice
	if got := len(l.messages(room.String())); got != 3 {
		t.Errorf("%d notices within a second", got)
	}
	if got := l.messages(closed.String()); got != nil {
		t.Errorf("a closed room was told %q", got)
	}
	if strings.Contains(s.logs.String(), "not told") {
		t.Error("that a room is not open was logged")
	}
}

// Who is refused and asks on and on is heard once in a while.
func TestLobbyRefusedGuest(t *testing.T) {
	t.Parallel()
	l, env := startLiveKit(t)
	env["REQUEST_ENTRY_THROTTLE_RATES"] = ""
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	l.open(room.String(), "")
	gus := &guest{s: s}
	a := gus.expect(t, room, "Gus", "waiting")
	for window := range 4 {
		expectMessages(t, l, room, window+1)
		if code := s.decide(t, ada, room, a.ID, false); code != http.StatusOK {
			t.Fatal(code)
		}
		for range 250 {
			gus.expect(t, room, "Gus", "denied")
		}
		expectMessages(t, l, room, window+1)
		s.shiftClock(6 * time.Second)
		gus.expect(t, room, "Gus", "waiting")
	}
}

// A LiveKit that hangs holds no guest up.
func TestLobbyLiveKitHangs(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(hang) })
	s := startService(t, map[string]string{"LIVEKIT_API_URL": srv.URL})
	ada := s.login(t, "ada")
	start := time.Now()
	for range 40 { // more than may hang at the same time
		(&guest{s: s}).expect(t, s.room(t, ada), "Gus", "waiting")
	}
	if took := time.Since(start); took > 2500*time.Millisecond {
		t.Errorf("40 guests took %s", took)
	}
	if !strings.Contains(s.logs.String(), "LiveKit is slow") {
		t.Error("that rooms were not told is nowhere said")
	}
}

func TestLobbyLiveKitIsDown(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	(&guest{s: s}).expect(t, s.room(t, s.login(t, "ada")), "Gus", "waiting")
}

func TestLobbyThrottle(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"REQUEST_ENTRY_THROTTLE_RATES": "2/minute", "MEETD_REQUEST_ENTRY_ANONYMOUS_THROTTLE_RATES": "5/minute"})
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	known, mel, other := &guest{s: s, cookie: "known"}, &guest{s: s, as: s.login(t, "mel")}, &guest{s: s, cookie: "other"}
	known.ask(t, room, "Gus", 200) // the first newcomer of this address
	known.ask(t, room, "", 400)    // counts
	known.ask(t, room, "Gus", 429)
	mel.ask(t, room, "Mel", 200)
	mel.cookie = "new"
	mel.ask(t, room, "Mel", 200)
	mel.ask(t, room, "Mel", 429)
	other.ask(t, room, "Gus", 200)
	last := &guest{s: s}
	for range 2 {
		(&guest{s: s}).ask(t, room, "Gus", 200)
	}
	last.ask(t, room, "Gus", 200)
	last.ask(t, room, "Gus", 200) // with the cookie that he got he is no newcomer
	(&guest{s: s}).ask(t, room, "Gus", 429)
	(&guest{s: s, cookie: "yet another"}).ask(t, room, "Gus", 429) // a cookie of his own choice is no way around
	other.ask(t, room, "Gus", 200)                                 // who waits already is not held up
	open := s.room(t, ada)
	s.exec(t, `UPDATE meet_room SET access_level = 'public' WHERE resource_id = $1`, open)
	for i, to := range []any{open, room, "unknown"} { // wherever it is tried
		(&guest{s: s, cookie: fmt.Sprint("made up ", i)}).ask(t, to, "", 429)
	}
	var buckets int
	if err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meetd.throttle`).Scan(&buckets); err != nil || buckets != 7 {
		t.Errorf("%d buckets, %v, want those of known, other, mel, the address and three newcomers", buckets, err)
	}
	var entries int
	if err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meetd.lobby_entry`).Scan(&entries); err != nil || entries != 7 {
		t.Errorf("%d entries, %v, want 7", entries, err)
	}
	got := s.request(t, account{}, http.MethodPost, fmt.Sprintf("/api/v1.0/rooms/%s/request-entry/", room), `{}`, nil)
	if want := `{"detail":"Request was throttled. Expected available in `; got.Status != 429 || !strings.HasPrefix(string(got.Body), want) ||
		got.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", got.Status, got.Body, got.Header)
	}
	if got := s.request(t, account{}, http.MethodGet, fmt.Sprintf("/api/v1.0/rooms/%s/request-entry/", room), "", nil); got.Status != 429 {
		t.Errorf("the method before the throttle: %d", got.Status)
	}
}

func (s *service) takeCallback(t *testing.T, as account, id string) string {
	t.Helper()
	got := s.write(t, as, "/api/v1.0/rooms/creation-callback/", `{"callback_id":"`+id+`"}`)
	if got.Status != http.StatusOK {
		return fmt.Sprint(got.Status)
	}
	return string(got.Body)
}

// A room is found by its callback once, for some minutes.
func TestCreationCallback(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"CREATION_CALLBACK_THROTTLE_RATES": "30/minute"})
	ada := s.login(t, "ada")
	create := func(body string, status int) {
		t.Helper()
		if got := s.write(t, ada, "/api/v1.0/rooms/", body); got.Status != status {
			t.Fatalf("create %s: %d %s, want %d", body, got.Status, got.Body, status)
		}
	}
	const none = `{"status":"success","room":{}}`
	found := func(slug string) string { return `{"status":"success","room":{"slug":"` + slug + `"}}` }
	create(`{"name":"Weekly","callback_id":"abc"}`, 201)
	create(`{"name":"weekly","callback_id":"refused"}`, 400)
	create(`{"name":"By number","callback_id":17}`, 201)
	create(`{"name":"Not asked for","callback_id":null}`, 201)
	create(`{"name":"Too late","callback_id":"late"}`, 201)
	var mu sync.Mutex
	answers := map[string]int{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			a := s.takeCallback(t, account{}, "abc")
			mu.Lock()
			defer mu.Unlock()
			answers[a]++
		})
	}
	wg.Wait()
	if answers[found("weekly")] != 1 || answers[none] != 7 {
		t.Errorf("eight asked at the same time: %v", answers)
	}
	for id, want := range map[string]string{"refused": none, "17": found("by-number"), "None": none, "": "400"} {
		if got := s.takeCallback(t, ada, id); got != want {
			t.Errorf("%q: %s, want %s", id, got, want)
		}
	}
	s.shiftClock(10*time.Minute + time.Second)
	if got := s.takeCallback(t, account{}, "late"); got != none {
		t.Errorf("after ten minutes: %s", got)
	}
	for range 29 {
		s.takeCallback(t, account{}, "x")
	}
	if got := s.takeCallback(t, account{}, "x"); got != "429" {
		t.Errorf("the thirty-first: %s", got)
	}
	if got := s.takeCallback(t, ada, "x"); got != none {
		t.Errorf("logged in: %s", got)
	}
}
