package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"meetd/adapters/devstack/storetest"
)

// deeds lists who did what to what, oldest first, and forgets nothing. names are
// what to call ids.
func (s *service) deeds(t *testing.T, names map[string]string) []string {
	t.Helper()
	list := s.lines(t, `SELECT concat_ws(' ', action, coalesce(actor_id::text, 'nobody'), subject,
			(SELECT string_agg(k || '=' || v, ' ' ORDER BY k) FROM jsonb_each_text(details) d (k, v)))
		FROM meetd.audit_event ORDER BY id`)
	for i := range list {
		for id, name := range names {
			list[i] = strings.ReplaceAll(list[i], id, name)
		}
	}
	return list
}

// Each thing that is done is written down once, with who did it and to what; what
// was refused, or changed nothing, is not.
func TestDeeds(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nil)
	names := map[string]string{
		c.ada.ID.String(): "ada", c.abe.ID.String(): "abe", c.mel.ID.String(): "mel", c.grace.ID.String(): "grace", c.room.String(): "room",
	}
	accesses := "/api/v1.0/resource-accesses/"
	var guestID, recording, access string
	gus := &guest{s: c.service}
	for _, d := range []struct {
		name   string
		do     func() answer
		status int
		want   string
	}{
		{"start, a member", func() answer { return c.start(t, c.mel, c.room, `{"mode":"screen_recording"}`) }, 403, ""},
		{"start", func() answer { return c.start(t, c.ada, c.room, `{"mode":"screen_recording"}`) }, 201, "recording_started ada recording mode=screen_recording room=room"},
		{"start twice", func() answer { return c.start(t, c.ada, c.room, `{"mode":"screen_recording"}`) }, 409, ""},
		{"stop, a stranger", func() answer { return c.stop(t, c.grace, c.room) }, 403, ""},
		{"stop", func() answer { return c.stop(t, c.abe, c.room) }, 200, "recording_stopped abe recording mode=screen_recording room=room"},
		{"stop twice", func() answer { return c.stop(t, c.abe, c.room) }, 404, ""},
		{"admit, a member", func() answer { return answer{Status: c.decide(t, c.mel, c.room, guestID, true)} }, 403, ""},
		{"admit", func() answer { return answer{Status: c.decide(t, c.ada, c.room, guestID, true)} }, 200, "guest_admitted ada guest room=room"},
		{"refuse", func() answer { return answer{Status: c.decide(t, c.abe, c.room, guestID, false)} }, 200, "guest_refused abe guest room=room"},
		{"admit nobody", func() answer { return answer{Status: c.decide(t, c.ada, c.room, uuid.NewString(), true)} }, 404, ""},
		{"give a role", func() answer {
			return c.ask(t, c.ada, http.MethodPost, accesses, `{"user":"`+c.grace.ID.String()+`","resource":"`+c.room.String()+`","role":"member"}`)
		}, 201, "role_given ada grace room=room to=member"},
		{"give it twice", func() answer {
			return c.ask(t, c.ada, http.MethodPost, accesses, `{"user":"`+c.grace.ID.String()+`","resource":"`+c.room.String()+`","role":"member"}`)
		}, 400, ""},
		{"change it", func() answer {
			access = s1(t, c.service, `SELECT id::text FROM meet_resource_access WHERE user_id = $1 AND resource_id = $2`, c.grace.ID, c.room)
			return c.ask(t, c.abe, http.MethodPatch, accesses+access+"/", `{"role":"administrator"}`)
		}, 200, "role_changed abe grace from=member room=room to=administrator"},
		{"change nothing", func() answer {
			return c.ask(t, c.abe, http.MethodPatch, accesses+access+"/", `{"role":"administrator"}`)
		}, 200, ""},
		{"change, a member", func() answer { return c.ask(t, c.mel, http.MethodPatch, accesses+access+"/", `{"role":"member"}`) }, 403, ""},
		{"take it", func() answer { return c.ask(t, c.ada, http.MethodDelete, accesses+access+"/", "") }, 204, "role_taken ada grace from=administrator room=room"},
		{"take it twice", func() answer { return c.ask(t, c.ada, http.MethodDelete, accesses+access+"/", "") }, 404, ""},
		{"a role in the meeting", func() answer {
			return c.write(t, c.ada, c.path+"/update-participant-role/", `{"participant_identity":"sub-mel","role":"administrator"}`)
		}, 200, "role_changed ada mel from=member room=room to=administrator"},
		{"the same role", func() answer {
			return c.write(t, c.ada, c.path+"/update-participant-role/", `{"participant_identity":"sub-mel","role":"administrator"}`)
		}, 200, ""},
		{"a new role in the meeting", func() answer {
			return c.write(t, c.ada, c.path+"/update-participant-role/", `{"participant_identity":"sub-grace","role":"member"}`)
		}, 200, "role_given ada grace room=room to=member"},
		{"send out, a member", func() answer {
			return c.write(t, c.grace, c.path+"/remove-participant/", `{"participant_identity":"sub-mel"}`)
		}, 403, ""},
		{"send out", func() answer {
			return c.write(t, c.ada, c.path+"/remove-participant/", `{"participant_identity":"sub-mel"}`)
		}, 200, "participant_removed ada mel room=room"},
		{"send a guest out", func() answer {
			c.live.enter(c.room, guestID)
			return c.write(t, c.ada, c.path+"/remove-participant/", `{"participant_identity":"`+guestID+`"}`)
		}, 200, "participant_removed ada guest room=room"},
		{"send nobody out", func() answer {
			return c.write(t, c.ada, c.path+"/remove-participant/", `{"participant_identity":"sub-nobody"}`)
		}, 404, ""},
		{"delete the recording", func() answer {
			c.exec(t, `UPDATE meet_recording SET status = 'saved'`)
			return c.ask(t, c.ada, http.MethodDelete, "/api/v1.0/recordings/"+recording+"/", "")
		}, 204, "recording_deleted ada recording reason=request room=room status=saved"},
		{"delete the room, an administrator", func() answer { return c.ask(t, c.abe, http.MethodDelete, c.path+"/", "") }, 403, ""},
		{"delete the room", func() answer { return c.ask(t, c.ada, http.MethodDelete, c.path+"/", "") }, 204, "room_deleted ada room"},
		{"delete it twice", func() answer { return c.ask(t, c.ada, http.MethodDelete, c.path+"/", "") }, 404, ""},
	} {
		if guestID == "" {
			guestID = gus.expect(t, c.room, "Gus", "waiting").ID
			names[guestID] = "guest"
		}
		before := len(c.deeds(t, nil))
		if got := d.do(); got.Status != d.status {
			t.Errorf("%s: %d %s, want %d", d.name, got.Status, got.Body, d.status)
		}
		if recording == "" {
			if recording = s1(t, c.service, `SELECT coalesce(max(id::text), '') FROM meet_recording`); recording != "" {
				names[recording] = "recording"
			}
		}
		var want []string
		if d.want != "" {
			want = []string{d.want}
		}
		if diff := cmp.Diff(want, append([]string(nil), c.deeds(t, names)[before:]...)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", d.name, diff)
		}
	}
	if _, said, err := c.verify(t, ""); err != nil {
		t.Errorf("%s %v", said, err)
	}
}

// s1 is the one value that a query gives.
func s1(t *testing.T, s *service, query string, args ...any) (value string) {
	t.Helper()
	if err := s.DB.QueryRow(t.Context(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// A download is written down once an hour, whatever way it takes and however often
// the file is asked for; a refusal is none, and neither is a look.
func TestDownloadsAreWrittenDown(t *testing.T) {
	t.Parallel()
	ranged := http.Header{"Range": {"bytes=1-2"}}
	for way, c := range map[string]struct {
		delivery string
		ask      func(t *testing.T, s *service, as account, method string, film uuid.UUID) answer
		status   int
	}{
		"check": {"stream", func(t *testing.T, s *service, as account, method string, film uuid.UUID) answer {
			t.Helper()
			return s.raw(t, as, http.MethodGet, mediaAuth, "X-Original-URL: "+filmPath(film), "X-Original-Method: "+method)
		}, 200},
		"stream": {"stream", func(t *testing.T, s *service, as account, method string, film uuid.UUID) answer {
			t.Helper()
			return s.request(t, as, method, filmPath(film), "", ranged)
		}, 206},
		"redirect": {"redirect", func(t *testing.T, s *service, as account, method string, film uuid.UUID) answer {
			t.Helper()
			return s.request(t, as, method, filmPath(film), "", ranged)
		}, 302},
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			st := storetest.Embedded(t, storetest.Hook{})
			env := storeEnv(st)
			env["MEETD_MEDIA_DELIVERY"] = c.delivery
			s := startService(t, env)
			// One more node, which keeps what it gathers to itself.
			env["DATABASE_URL"] = s.conf.Database.DSN()
			other := startService(t, env)
			ada, eve := s.login(t, "ada"), s.login(t, "eve")
			film, second := s.recording(t, screen, "saved", roles{ada: "owner"}), s.recording(t, screen, "saved", roles{ada: "administrator"})
			putFilm(t, st, film)
			putFilm(t, st, second)
			hour := 0 * time.Hour // that the clock is put forward; the store takes no signature of another hour
			if way != "stream" {
				hour = time.Hour
				s.shiftClock(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour + time.Minute))) // no hour ends during the test
				other.offset.Store(s.offset.Load())
			}
			for range 20 {
				if got := c.ask(t, s, ada, http.MethodGet, film); got.Status != c.status {
					t.Fatalf("%d %s", got.Status, got.Body)
				}
			}
			c.ask(t, other, ada, http.MethodGet, film)
			c.ask(t, s, eve, http.MethodGet, film)
			c.ask(t, s, account{}, http.MethodGet, film)
			c.ask(t, s, ada, http.MethodHead, second)
			s.shiftClock(hour)
			other.shiftClock(hour)
			c.ask(t, s, ada, http.MethodGet, film)
			c.ask(t, s, ada, http.MethodGet, film)
			c.ask(t, other, ada, http.MethodGet, film)
			want := []string{"recording_downloaded ada film"}
			if hour > 0 {
				want = append(want, want[0])
			}
			eventually(t, "the downloads are written down", func() bool {
				return s.count(t, `SELECT count(*) FROM meetd.audit_event`) >= len(want)
			})
			got := s.deeds(t, map[string]string{ada.ID.String(): "ada", film.String(): "film"})
			if diff := cmp.Diff(want, got); diff != "" && hour > 0 || !strings.HasPrefix(strings.Join(got, "\n")+"\n", want[0]+"\n") {
				t.Error(diff)
			}
		})
	}
}

// What was gathered is written down when the program ends.
func TestDownloadsAreKeptAtTheEnd(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	n := startNode(t, storeEnv(st))
	ada := n.login(t, "ada")
	film := n.recording(t, screen, "saved", roles{ada: "owner"})
	checkAllowed(t, n.raw(t, ada, http.MethodGet, mediaAuth, "X-Original-URL: "+filmPath(film)))
	if err := n.process.Stop(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := n.count(t, `SELECT count(*) FROM meetd.audit_event WHERE action = 'recording_downloaded'`); got != 1 {
		t.Errorf("%d downloads are written down", got)
	}
}

// Roles that the administration gives are in the trail as those that the API gives;
// teams have names, which events have not.
func TestDeedsOfTheAdministration(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	root, ada, bob := s.root(t, "root"), s.login(t, "ada"), s.login(t, "bob")
	room, film := s.room(t, ada), s.recording(t, screen, "saved", roles{ada: "owner"})
	names := map[string]string{root.ID.String(): "root", ada.ID.String(): "ada", bob.ID.String(): "bob", room.String(): "room", film.String(): "film"}
	access := s1(t, s, `SELECT id::text FROM meet_resource_access WHERE resource_id = $1`, room)
	share := s1(t, s, `SELECT id::text FROM meet_recording_access WHERE recording_id = $1`, film)
	roomPath, filmPath := "/admin/core/room/"+room.String()+"/change/", "/admin/core/recording/"+film.String()+"/change/"
	form := func(pairs ...string) url.Values {
		f := url.Values{"name": {s1(t, s, `SELECT name FROM meet_room WHERE resource_id = $1`, room)}, "access_level": {"restricted"}, "configuration": {"{}"}, "external_process_id": {""}}
		for i := 0; i < len(pairs); i += 2 {
			f.Set(pairs[i], pairs[i+1])
		}
		return f
	}
	for _, d := range []struct {
		name, path string
		form       url.Values
		want       []string
	}{
		{"nothing", roomPath, form(), nil},
		{"the last owner of a room", roomPath, form("role-"+access, "member"), nil},
		{"another owner of a room", roomPath, form("role-"+access, "member", "new-0-user", "bob@example.org", "new-0-role", "owner"), []string{
			"admin_changed root room accesses=2 model=core.room", "role_changed root ada from=owner room=room to=member", "role_given root bob room=room to=owner",
		}},
		{"a role on a room", roomPath, form("remove-"+access, "on"), []string{
			"admin_changed root room accesses=1 model=core.room", "role_taken root ada from=member room=room",
		}},
		{"roles on a recording", filmPath, form("role-"+share, "administrator", "new-0-user", "bob@example.org", "new-0-role", "owner"), []string{
			"admin_changed root film accesses=2 model=core.recording", "role_changed root ada from=owner recording=film to=administrator", "role_given root bob recording=film to=owner",
		}},
		{"a team on a recording", filmPath, form("new-0-team", "legal", "new-0-role", "member"), []string{"admin_changed root film accesses=1 model=core.recording"}},
		{"a role on a recording", filmPath, form("remove-"+share, "on"), []string{
			"admin_changed root film accesses=1 model=core.recording", "role_taken root ada from=administrator recording=film",
		}},
	} {
		before := len(s.deeds(t, nil))
		s.submit(t, root, d.path, d.form)
		if diff := cmp.Diff(d.want, append([]string(nil), s.deeds(t, names)[before:]...)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", d.name, diff)
		}
	}
}
