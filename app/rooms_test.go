package app_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/twitchtv/twirp"
)

// role gives somebody a role on a room and returns the id of the access.
func (s *service) role(t *testing.T, room uuid.UUID, who account, role string) uuid.UUID {
	t.Helper()
	id := uuid.New()
	s.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
		VALUES ($1, now(), now(), $2, $3, $4)`, id, role, room, who.ID)
	return id
}

// The list of rooms in pages (http-users-rooms.md §3.1).
func TestRoomList(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada, bob := s.login(t, "ada"), s.login(t, "bob")
	for i := range 11 {
		id := s.room(t, ada)
		s.exec(t, `UPDATE meet_room SET name = $2 WHERE resource_id = $1`, id, fmt.Sprintf("room %02d", 10-i))
		s.role(t, id, bob, "member")
	}
	other := s.room(t, bob)
	s.exec(t, `UPDATE meet_room SET access_level = 'public' WHERE resource_id = $1`, other)
	base := s.URL + "/api/v1.0/rooms/"
	for query, want := range map[string]struct {
		names          string
		next, previous string
	}{
		"?page_size=2":        {"room 00,room 01", base + "?page=2&page_size=2", ""},
		"?page_size=2&page=2": {"room 02,room 03", base + "?page=3&page_size=2", base + "?page_size=2"},
		"?page_size=2&page=6": {"room 10", "", base + "?page=5&page_size=2"},
		"?page_size=4":        {"room 00,room 01,room 02,room 03", base + "?page=2&page_size=4", ""},
		"?page_size=0&page=1": {"room 00,room 01,room 02,room 03,room 04,room 05,room 06,room 07,room 08,room 09,room 10", "", ""},
		"?page_size=x":        {"room 00,room 01,room 02,room 03,room 04,room 05,room 06,room 07,room 08,room 09,room 10", "", ""},
	} {
		got := s.request(t, ada, http.MethodGet, "/api/v1.0/rooms/"+query, "", nil)
		var l struct {
			Count          int
			Next, Previous *string
			Results        []struct {
				Name     string
				Accesses []struct{ Role string }
				LiveKit  struct{ Token string }
			}
		}
		if err := json.Unmarshal(got.Body, &l); got.Status != 200 || err != nil {
			t.Fatalf("%s: %d %s", query, got.Status, got.Body)
		}
		var names []string
		for _, r := range l.Results {
			names = append(names, r.Name)
			if len(r.Accesses) != 2 || r.LiveKit.Token == "" {
				t.Errorf("%s: %+v", query, r)
			}
		}
		if strings.Join(names, ",") != want.names || l.Count != 11 || orEmpty(l.Next) != want.next || orEmpty(l.Previous) != want.previous {
			t.Errorf("%s: %v of %d, next %q, previous %q", query, names, l.Count, orEmpty(l.Next), orEmpty(l.Previous))
		}
	}
}

// Rooms that nobody created can be joined, but no path of such a room leads into
// one that exists: by its id in disguise, or by a token for no room, with which
// LiveKit lets people into the room they ask for.
func TestUnregisteredRoom(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	room, unknown := s.room(t, s.login(t, "ada")).String(), uuid.NewString()
	for id, want := range map[string]string{ // the room of the token; empty: none
		"R%C3%A9union":                    "reunion",
		unknown:                           unknown,
		room + "!":                        "",
		room + "%20":                      "",
		"%E2%80%8B" + room:                "",
		"-" + strings.ToUpper(room) + "'": "",
		unknown + "!":                     "",
		"-":                               "",
		"%21":                             "",
		"%E6%97%A5%E6%9C%AC":              "",
	} {
		got := s.request(t, account{}, http.MethodGet, "/api/v1.0/rooms/"+id+"/", "", nil)
		var a entryAnswer
		if err := json.Unmarshal(got.Body, &a); err != nil {
			t.Fatalf("%s: %d %s", id, got.Status, got.Body)
		}
		switch {
		case want == "":
			wantAnswer(t, id, got, 404, `{"detail":"No Room matches the given query."}`)
		case got.Status != 200 || a.LiveKit == nil || a.LiveKit.Room != want:
			t.Errorf("%s: %d %s", id, got.Status, got.Body)
		}
	}
}

// A number that stands for a yes or a no is one, however it is written.
func TestConfigurationNumbers(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	room, me := "/api/v1.0/rooms/"+s.room(t, ada).String()+"/", "/api/v1.0/users/"+ada.ID.String()+"/"
	for number, want := range map[string]string{
		"0": "0", "1": "1", "1.0": "1", "-0.0": "0", "1e0": "1", "1e-20000": "0", "0e9999999": "0", "1." + strings.Repeat("0", 20000): "1",
	} {
		shown := `"everyone_can_mute":` + want + `}`
		for path, field := range map[string]string{room: "configuration", me: "default_room_configuration"} {
			got := s.ask(t, ada, http.MethodPatch, path, `{"`+field+`":{"everyone_can_mute":`+number+`}}`)
			if got.Status != 200 || !strings.Contains(string(got.Body), `"`+field+`":{`+shown) {
				t.Errorf("%.20s on %s: %d %.300s", number, path, got.Status, got.Body)
			}
		}
	}
}

// A change is shown to those who are in the room, by merging; whether they can
// be told does not matter to who changes it (http-users-rooms.md §3.4).
func TestRoomChangeIsShown(t *testing.T) {
	t.Parallel()
	l, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	path := "/api/v1.0/rooms/" + room.String() + "/"
	l.open(room.String(), `{"recording_status":"started"}`)
	if got := s.ask(t, ada, http.MethodPatch, path, `{"name":"other name"}`); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := s.ask(t, ada, http.MethodPatch, path, `{"configuration":{}}`); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if n := s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'show_room'`); n != 0 {
		t.Errorf("%d jobs for nothing", n)
	}
	for _, c := range []struct{ body, want string }{
		{`{"access_level":"public"}`, `{"access_level":"public","configuration":{},"recording_status":"started"}`},
		{`{"configuration":{"everyone_can_mute":"y"}}`, `{"access_level":"public","configuration":{"everyone_can_mute":"y"},"recording_status":"started"}`},
	} {
		if got := s.ask(t, ada, http.MethodPatch, path, c.body); got.Status != 200 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		eventually(t, c.body, func() bool { return l.shown(room.String()) == c.want })
	}
	down := startService(t, nil) // LiveKit is nowhere
	eve := down.login(t, "eve")
	closed := down.room(t, eve)
	if got := down.ask(t, eve, http.MethodPatch, "/api/v1.0/rooms/"+closed.String()+"/", `{"access_level":"trusted"}`); got.Status != 200 {
		t.Errorf("LiveKit down: %d %s", got.Status, got.Body)
	}
	if n := down.count(t, `SELECT count(*) FROM meet_room WHERE access_level = 'trusted'`); n != 1 {
		t.Error("LiveKit down: nothing was stored")
	}
}

// A slow write of an old access level is not the last one.
func TestRoomChangeIsShownLate(t *testing.T) {
	t.Parallel()
	l, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada).String()
	l.open(room, "")
	slow, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	var held atomic.Bool
	l.mu.Lock()
	l.onShow = func(string) {
		if held.CompareAndSwap(false, true) {
			close(slow)
			<-released
		}
	}
	l.mu.Unlock()
	wantAnswer(t, "open", s.ask(t, ada, http.MethodPatch, "/api/v1.0/rooms/"+room+"/", `{"access_level":"public"}`), 200, "")
	<-slow
	wantAnswer(t, "close", s.ask(t, ada, http.MethodPatch, "/api/v1.0/rooms/"+room+"/", `{"access_level":"trusted"}`), 200, "")
	eventually(t, "the second is shown", func() bool { return l.roomMetadata(room)["access_level"] == "trusted" })
	release()
	eventually(t, "both are done", func() bool { return s.jobs(t, "show_room") == "completed completed" })
	if got := l.shown(room); got != `{"access_level":"trusted","configuration":{}}` {
		t.Errorf("shown in the end: %s", got)
	}
}

// With a room everything goes that hangs on it, and nothing else.
func TestRoomDelete(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada, bob := s.login(t, "ada"), s.login(t, "bob")
	s.recording(t, screen, "saved", roles{ada: "owner"})
	before := s.dump(t)
	room := s.room(t, ada)
	s.role(t, room, bob, "member")
	id := uuid.New()
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options) VALUES ($1, now(), now(), 'saved', $2, 'transcript', '{}')`, id, room)
	s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id) VALUES (gen_random_uuid(), now(), now(), '', 'owner', $1, $2)`, id, bob.ID)
	s.exec(t, `INSERT INTO meetd.recording_state (recording_id, egress, updated_at) VALUES ($1, '', now())`, id)
	if got := s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room.String()+"/", ""); got.Status != 204 || len(got.Body) != 0 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if s.dump(t) != before || s.count(t, `SELECT count(*) FROM meet_resource`) != 1 {
		t.Error("something is left, or something else is gone")
	}
}

// Nobody stays in a room that is deleted, nor gets in again by its id.
func TestRoomDeleteEndsMeeting(t *testing.T) {
	t.Parallel()
	l, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	for _, open := range []bool{true, false} {
		room := s.room(t, ada).String()
		if !open {
			l.failing("close", twirp.NotFoundError("no such room"))
		}
		l.takeAsked()
		wantAnswer(t, "delete", s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room+"/", ""), 204, "")
		eventually(t, "the job is done", func() bool { return strings.HasSuffix(s.jobs(t, "close_room"), "completed") })
		if got := l.takeAsked(); got != "close "+room {
			t.Errorf("LiveKit was asked %s", got)
		}
		s.exec(t, `DELETE FROM meetd.river_job`)
	}
}

// A room that is deleted while it is recorded is recorded no longer.
func TestRoomDeleteStopsRecording(t *testing.T) {
	t.Parallel()
	l, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	if got := s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room.String()+"/", ""); got.Status != 204 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	eventually(t, "the egress is stopped", func() bool {
		_, stops := l.counts()
		return stops == 1
	})
}

// Whatever owners do at once, a room keeps one.
func TestLastOwnerAtOnce(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	for round := range 8 {
		owners := make([]account, 4)
		for i := range owners {
			owners[i] = s.login(t, fmt.Sprintf("owner-%d-%d", round, i))
		}
		room := s.room(t, owners[0])
		ids := make([]string, len(owners))
		for i, o := range owners[1:] {
			ids[i+1] = s.role(t, room, o, "owner").String()
		}
		if err := s.DB.QueryRow(t.Context(), `SELECT id::text FROM meet_resource_access WHERE resource_id = $1 AND user_id = $2`, room, owners[0].ID).Scan(&ids[0]); err != nil {
			t.Fatal(err)
		}
		done := make(chan int, len(owners))
		for i, o := range owners {
			go func() {
				if i%2 == 0 {
					done <- s.ask(t, o, http.MethodDelete, "/api/v1.0/resource-accesses/"+ids[i]+"/", "").Status
				} else {
					done <- s.ask(t, o, http.MethodPatch, "/api/v1.0/resource-accesses/"+ids[i]+"/", `{"role":"member"}`).Status
				}
			}()
		}
		refused := 0
		for range owners {
			if code := <-done; code == 403 {
				refused++
			} else if code >= 300 {
				t.Errorf("status %d", code)
			}
		}
		var left int
		if err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meet_resource_access WHERE resource_id = $1 AND role = 'owner'`, room).Scan(&left); err != nil || left != 1 || refused != 1 {
			t.Errorf("round %d: %d owners left, %d refused, %v", round, left, refused, err)
		}
	}
}

// How somebody wants to be called goes into his token, whatever he sends, but not
// without end.
func TestUsernameOfToken(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	path := "/api/v1.0/rooms/" + s.room(t, ada).String() + "/"
	long := strings.Repeat("é", 255)
	own := ""
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"Ada", "Ada"},
		{"%20Ada%09", "Ada"},
		{"%20", ""},
		{"%00", ""},
		{"A%00d%ffa", "Ad\uFFFDa"},
		{url.QueryEscape(long), long},
		{url.QueryEscape(long + "é"), long},
		{url.QueryEscape(long[:2*254]+" ") + "x", long[:2*254]},
	} {
		for _, ask := range []func() answer{
			func() answer { return s.request(t, ada, http.MethodGet, path+"?username="+c.query, "", nil) },
			func() answer { return s.ask(t, ada, http.MethodPatch, path+"?username="+c.query, `{}`) },
			func() answer {
				return s.ask(t, ada, http.MethodPost, "/api/v1.0/rooms/?username="+c.query, `{"name":"Room `+uuid.NewString()+`"}`)
			},
		} {
			got := ask()
			var in entryAnswer
			if err := json.Unmarshal(got.Body, &in); err != nil || got.Status/100 != 2 {
				t.Fatalf("%q: %d %s", c.query, got.Status, got.Body)
			}
			name := readToken(t, in).Name
			if c.query == "" {
				own = name
			}
			if want := cmp.Or(c.want, own); name != want {
				t.Errorf("%q: called %q, want %q", c.query, name, want)
			}
		}
	}
}

// A form whose text is no UTF-8 is no failure of the server.
func TestFormWithoutUTF8(t *testing.T) {
	t.Parallel()
	_, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	path := "/api/v1.0/rooms/" + s.room(t, ada).String() + "/"
	for action, field := range map[string]string{"remove-participant": "participant_identity", "invite": "emails"} {
		body := "--x\r\nContent-Disposition: form-data; name=\"" + field + "\"\r\n\r\na\xffb\r\n--x--\r\n"
		req := s.asked(t, ada, http.MethodPost, path+action+"/", body)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		if got := s.send(t, req); got.Status >= 500 || !utf8.Valid(got.Body) {
			t.Errorf("%s: %d %s", action, got.Status, got.Body)
		}
	}
}
