package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"meetd/adapters/devstack/op"
	"meetd/adapters/devstack/storetest"
)

// listed is a page of recordings, by their ids.
type listed struct {
	ids            []string
	count          int
	next, previous string
}

func (s *service) recordings(t *testing.T, as account, query string) listed {
	t.Helper()
	got := s.request(t, as, http.MethodGet, "/api/v1.0/recordings/"+query, "", nil)
	var l struct {
		Count          int
		Next, Previous *string
		Results        []struct {
			ID   string
			Room struct{ Slug string }
		}
	}
	if err := json.Unmarshal(got.Body, &l); got.Status != http.StatusOK || err != nil {
		t.Fatalf("%s: %d %s", query, got.Status, got.Body)
	}
	out := listed{count: l.Count, next: orEmpty(l.Next), previous: orEmpty(l.Previous)}
	for _, r := range l.Results {
		out.ids = append(out.ids, r.ID)
		if r.Room.Slug == "" {
			t.Errorf("%s: a recording without its room", query)
		}
	}
	return out
}

// The newest first, whatever the role, and one line for each, however many have a
// role on it (http-recordings-files.md §1.3).
func TestRecordingList(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada, bob := s.login(t, "ada"), s.login(t, "bob")
	var ids []string // as they should be listed
	for i := range 11 {
		id := s.recording(t, screen, "saved", roles{ada: []string{"owner", "administrator", "member"}[i%3], bob: "owner"})
		s.exec(t, `UPDATE meet_recording SET created_at = now() - make_interval(mins => $2), status = $3 WHERE id = $1`, id, i/2,
			[]string{"saved", "initiated", "aborted"}[i%3])
		ids = append(ids, id.String())
	}
	s.recording(t, screen, "saved", roles{bob: "owner"})
	for i := 0; i < 10; i += 2 { // made at the same moment
		if ids[i] < ids[i+1] {
			ids[i], ids[i+1] = ids[i+1], ids[i]
		}
	}
	// now() differs between the statements: what is meant to be equal has to be made so.
	for i := 0; i < 10; i += 2 {
		s.exec(t, `UPDATE meet_recording SET created_at = (SELECT created_at FROM meet_recording WHERE id = $2) WHERE id = $1`, ids[i], ids[i+1])
	}
	base := s.URL + "/api/v1.0/recordings/"
	for query, want := range map[string]listed{
		"":                       {ids: ids},
		"?page_size=2":           {ids: ids[:2], next: base + "?page=2&page_size=2"},
		"?page=2&page_size=2":    {ids: ids[2:4], next: base + "?page=3&page_size=2", previous: base + "?page_size=2"},
		"?page=6&page_size=2":    {ids: ids[10:], previous: base + "?page=5&page_size=2"},
		"?page=last&page_size=2": {ids: ids[10:], previous: base + "?page=5&page_size=2"},
		"?page_size=0":           {ids: ids},
	} {
		got := s.recordings(t, ada, query)
		if !slices.Equal(got.ids, want.ids) || got.count != 11 || got.next != want.next || got.previous != want.previous {
			t.Errorf("%q: %+v\nwant %+v", query, got, want)
		}
	}
	if got := s.recordings(t, bob, ""); got.count != 12 || len(got.ids) != 12 {
		t.Errorf("bob: %+v", got)
	}
}

// For people with very many rows a list is made in another way: the pages are the
// same.
func TestLongLists(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	// Of 8000 rows everywhere every second one, every third, and the oldest 3000.
	people := map[string]account{"i % 2 = 0": s.login(t, "even"), "i % 3 = 0": s.login(t, "third"), "i <= 3000": s.login(t, "old")}
	s.exec(t, `CREATE TABLE n AS SELECT i, gen_random_uuid() AS id FROM generate_series(1, 8000) i`)
	s.exec(t, `INSERT INTO meet_resource (id, created_at, updated_at) SELECT id, now(), now() FROM n`)
	s.exec(t, `INSERT INTO meet_room (resource_id, name, slug, configuration, access_level)
		SELECT id, 'room ' || lpad((9000 - i)::text, 5, '0'), i, '{}', 'public' FROM n`)
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
		SELECT id, now() - make_interval(mins => (9000 - i) / 3), now(), 'saved', id, 'transcript', '{}' FROM n`)
	for which, a := range people {
		s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
			SELECT gen_random_uuid(), now(), now(), '', 'member', id, $1 FROM n WHERE `+which, a.ID)
		s.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
			SELECT gen_random_uuid(), now(), now(), 'member', id, $1 FROM n WHERE `+which, a.ID)
	}
	// PostgreSQL does not know at first how many rows there are, and does after that.
	for _, statement := range []string{`SELECT 1`, `ANALYZE`} {
		s.exec(t, statement)
		for which, a := range people {
			all := s.lines(t, `SELECT r.id::text FROM meet_recording r JOIN n USING (id) WHERE `+which+` ORDER BY r.created_at DESC, r.id DESC`)
			names := s.lines(t, `SELECT r.name FROM meet_room r JOIN n ON n.id = r.resource_id WHERE `+which+` ORDER BY r.name`)
			for _, page := range []int{1, 2, 5, 6, 7, 20, len(all) / 100, (len(all) + 99) / 100} {
				end := min(page*100, len(all))
				query := fmt.Sprintf("?page_size=100&page=%d", page)
				if got := s.recordings(t, a, query); got.count != len(all) || !slices.Equal(got.ids, all[(page-1)*100:end]) {
					t.Errorf("%s, page %d of recordings: %d of %d", which, page, len(got.ids), got.count)
				}
				var l struct {
					Count   int
					Results []struct{ Name string }
				}
				got := s.request(t, a, http.MethodGet, "/api/v1.0/rooms/"+query, "", nil)
				if err := json.Unmarshal(got.Body, &l); err != nil || l.Count != len(names) || len(l.Results) != end-(page-1)*100 {
					t.Fatalf("%s, page %d of rooms: %d %.200s", which, page, got.Status, got.Body)
				}
				for i, r := range l.Results {
					if r.Name != names[(page-1)*100+i] {
						t.Errorf("%s, page %d of rooms: entry %d is %s, want %s", which, page, i, r.Name, names[(page-1)*100+i])
						break
					}
				}
			}
		}
	}
}

// inTeam gives a team a role on a recording.
func (s *service) inTeam(t *testing.T, id uuid.UUID, team, role string) {
	t.Helper()
	s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id) VALUES (gen_random_uuid(), now(), now(), $1, $2, $3)`, team, role, id)
}

// What the provider says of somebody's teams counts, where that is switched on,
// until the session ends: the strongest role of all.
func TestTeams(t *testing.T) {
	t.Parallel()
	claims := map[string]any{"groups": []any{"red", "blue", 7, ""}}
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			t.Parallel()
			st := storetest.Embedded(t, storetest.Hook{})
			env := storeEnv(st)
			if on {
				env["MEETD_OIDC_TEAMS_CLAIM"] = "groups"
			}
			s, _ := signInAt(t, env, op.Options{Users: []op.User{person("ann", claims)}})
			v := s.visitor(t)
			v.login("", "ann")
			var me struct{ ID uuid.UUID }
			v.must(http.MethodGet, "/users/me/", nil, &me, 200)
			ann := account{ID: me.ID, Secret: v.cookie(s.cookie)}

			type world struct {
				own                  string   // her own role
				teams                []string // team and role
				listed, administered bool
			}
			for name, c := range map[string]world{
				"none":                     {},
				"a foreign team":           {teams: []string{"green owner"}},
				"a team's member":          {teams: []string{"red member"}, listed: true},
				"a team's administrator":   {teams: []string{"red administrator"}, listed: true, administered: true},
				"the stronger of two":      {teams: []string{"red member", "blue owner"}, listed: true, administered: true},
				"the team is stronger":     {own: "member", teams: []string{"blue owner"}, listed: true, administered: true},
				"her own is stronger":      {own: "owner", teams: []string{"blue member"}, listed: true, administered: true},
				"the strong one is abroad": {own: "member", teams: []string{"Red owner", "green owner"}, listed: true},
			} {
				if !on { // her own roles only
					c.listed, c.administered = c.own != "", c.own == "owner"
				}
				access := roles{}
				if c.own != "" {
					access[ann] = c.own
				}
				id := s.recording(t, screen, "saved", access)
				st.Put(t, "recordings/"+id.String()+".mp4", "video/mp4", []byte(content))
				for _, entry := range c.teams {
					team, role, _ := strings.Cut(entry, " ")
					s.inTeam(t, id, team, role)
				}
				list := s.recordings(t, ann, "")
				if n := slices.Index(list.ids, id.String()); (n == 0) != c.listed || list.count != len(list.ids) {
					t.Errorf("%s: listed at %d of %+v", name, n, list)
				}
				read, media, erase := 404, 403, 404
				switch {
				case c.administered:
					read, media, erase = 200, 200, 204
				case c.listed:
					read, erase = 403, 403
				}
				path := "/api/v1.0/recordings/" + id.String() + "/"
				if got := s.request(t, ann, http.MethodGet, path, "", nil); got.Status != read {
					t.Errorf("%s: read %d, want %d", name, got.Status, read)
				}
				if got := s.request(t, ann, http.MethodGet, filmPath(id), "", nil); got.Status != media {
					t.Errorf("%s: download %d, want %d", name, got.Status, media)
				}
				if got := s.ask(t, ann, http.MethodDelete, path, ""); got.Status != erase {
					t.Errorf("%s: delete %d, want %d", name, got.Status, erase)
				}
				s.exec(t, `DELETE FROM meet_recording_access WHERE recording_id = $1`, id)
			}
		})
	}
}
