package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// callers are the columns of the matrix: how they stand to the room that the id
// in the path belongs to.
var callers = []string{"anonymous", "nobody", "member", "administrator", "owner"}

// idRoutes says what each caller gets from every route that has an id. In path
// and body {room}, {access}, {recording}, {owner}, {target} and {waiting} stand
// for things of the owner's world: {access} is the member's, {target} is
// somebody in the meeting, {waiting} in its lobby.
var idRoutes = map[string]struct {
	body string
	want [5]int
}{
	"PUT /users/{owner}/":                         {`{"timezone":"Europe/Paris"}`, [5]int{401, 403, 403, 403, 200}},
	"PATCH /users/{owner}/":                       {`{"language":"fr-fr"}`, [5]int{401, 403, 403, 403, 200}},
	"GET /rooms/{room}/":                          {``, [5]int{200, 200, 200, 200, 200}},
	"PUT /rooms/{room}/":                          {`{"name":"other {room}"}`, [5]int{401, 403, 403, 200, 200}},
	"PATCH /rooms/{room}/":                        {`{"access_level":"public"}`, [5]int{401, 403, 403, 200, 200}},
	"DELETE /rooms/{room}/":                       {``, [5]int{401, 403, 403, 403, 204}},
	"POST /rooms/{room}/invite/":                  {`{"emails":["a@example.org"]}`, [5]int{401, 403, 403, 200, 200}},
	"POST /rooms/{room}/request-entry/":           {`{"username":"x"}`, [5]int{200, 200, 200, 200, 200}},
	"POST /rooms/{room}/enter/":                   {`{"participant_id":"{waiting}","allow_entry":true}`, [5]int{401, 403, 403, 200, 200}},
	"GET /rooms/{room}/waiting-participants/":     {``, [5]int{401, 403, 403, 200, 200}},
	"POST /rooms/{room}/start-recording/":         {film, [5]int{401, 403, 403, 201, 201}},
	"POST /rooms/{room}/stop-recording/":          {``, [5]int{401, 403, 403, 200, 200}},
	"POST /rooms/{room}/mute-participant/":        {`{"participant_identity":"{target}","track_sid":"TR_1"}`, [5]int{403, 403, 403, 200, 200}},
	"POST /rooms/{room}/update-participant/":      {`{"participant_identity":"{target}","name":"x"}`, [5]int{401, 403, 403, 200, 200}},
	"POST /rooms/{room}/remove-participant/":      {`{"participant_identity":"{target}"}`, [5]int{401, 403, 403, 200, 200}},
	"POST /rooms/{room}/update-participant-role/": {`{"participant_identity":"{target}","role":"administrator"}`, [5]int{401, 403, 403, 200, 200}},
	"POST /rooms/{room}/rename/":                  {`{"name":"x"}`, [5]int{403, 403, 403, 403, 403}}, // a session opens none of these
	"POST /rooms/{room}/toggle-hand/":             {`{"raised":true}`, [5]int{403, 403, 403, 403, 403}},
	"POST /rooms/{room}/start-subtitle/":          {``, [5]int{403, 403, 403, 403, 403}},
	"GET /resource-accesses/{access}/":            {``, [5]int{401, 403, 403, 200, 200}},
	"PUT /resource-accesses/{access}/":            {`{"user":"{owner}","resource":"{room}","role":"administrator"}`, [5]int{401, 403, 403, 200, 200}},
	"PATCH /resource-accesses/{access}/":          {`{"role":"administrator"}`, [5]int{401, 403, 403, 200, 200}},
	"DELETE /resource-accesses/{access}/":         {``, [5]int{401, 403, 403, 204, 204}},
	"GET /recordings/{recording}/":                {``, [5]int{401, 404, 403, 200, 200}},
	"DELETE /recordings/{recording}/":             {``, [5]int{401, 404, 403, 204, 204}},
}

// idWorld is a meeting of its own for one cell of the matrix.
type idWorld struct {
	people map[string]account
	names  *strings.Replacer
	room   uuid.UUID
}

func newIDWorld(t *testing.T, s *service, live *liveKit, recording bool) idWorld {
	t.Helper()
	suffix := uuid.NewString()[:8]
	w := idWorld{people: map[string]account{"anonymous": {}}}
	for _, name := range append(slices.Clone(callers[1:]), "target") {
		w.people[name] = s.login(t, name+suffix)
	}
	w.room = s.room(t, w.people["owner"])
	s.give(t, w.room, w.people["member"], "member")
	s.give(t, w.room, w.people["administrator"], "administrator")
	var access uuid.UUID
	if err := s.DB.QueryRow(t.Context(), `SELECT id FROM meet_resource_access WHERE resource_id = $1 AND role = 'member'`, w.room).Scan(&access); err != nil {
		t.Fatal(err)
	}
	film := s.recording(t, screen, "saved", roles{w.people["owner"]: "owner", w.people["administrator"]: "administrator", w.people["member"]: "member"})
	if recording {
		s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options, worker_id)
			VALUES ($1, now(), now(), 'active', $2, 'screen_recording', '{}', $3)`, uuid.New(), w.room, "EG_"+suffix)
	}
	waiting := uuid.New()
	s.exec(t, `INSERT INTO meetd.lobby_entry (room_id, participant_id, identity, status, username, color, since, expires_at)
		VALUES ($1, $2, $3, 'waiting', 'x', '', now(), now() + interval '1 hour')`, w.room, waiting, "sub-target"+suffix)
	for _, name := range append(slices.Clone(callers[1:]), "target") {
		live.enter(w.room, "sub-"+name+suffix)
	}
	w.names = strings.NewReplacer("{room}", w.room.String(), "{access}", access.String(), "{recording}", film.String(),
		"{owner}", w.people["owner"].ID.String(), "{target}", "sub-target"+suffix, "{waiting}", waiting.String())
	return w
}

// everything is a fingerprint of all that a request could change; periodic jobs
// come by themselves.
func (s *service) everything(t *testing.T) string {
	t.Helper()
	return s.dump(t) + strings.Join(s.lines(t, `SELECT x::text FROM meetd.lobby_entry x ORDER BY room_id, participant_id`), "\n") +
		strings.Join(s.lines(t, `SELECT kind || count(*) FROM meetd.river_job WHERE kind NOT IN ('reconcile_recordings', 'seal_audit_trail') AND kind NOT LIKE 'purge%' GROUP BY kind ORDER BY kind`), "\n")
}

// Who may not, gets a refusal, and nothing has happened: in the database or in
// LiveKit.
func TestIDMatrix(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["ROOM_SUBTITLE_ENABLED"], env["MEETD_RECONCILE_PERIOD"] = "true", "3600"
	s := startService(t, env)
	cells, refusals := 0, 0
	for route, r := range idRoutes {
		method, path, _ := strings.Cut(route, " ")
		for i, caller := range callers {
			w := newIDWorld(t, s, live, strings.Contains(path, "stop-recording"))
			live.takeAsked()
			startsBefore, stopsBefore := live.counts()
			before := s.everything(t)
			got := s.ask(t, w.people[caller], method, "/api/v1.0"+w.names.Replace(path), w.names.Replace(r.body))
			cells++
			if got.Status != r.want[i] {
				t.Errorf("%s by %s: %d %s, want %d", route, caller, got.Status, got.Body, r.want[i])
			}
			if r.want[i] < 400 { // a meeting may still have to be closed
				eventually(t, route, func() bool {
					return strings.Trim(strings.ReplaceAll(s.jobs(t, "close_room"), "completed", ""), " ") == ""
				})
				continue
			}
			refusals++
			if s.everything(t) != before {
				t.Errorf("%s by %s was refused and changed something", route, caller)
			}
			starts, stops := live.counts()
			if asked := live.takeAsked(); asked != "" || starts != startsBefore || stops != stopsBefore {
				t.Errorf("%s by %s was refused and LiveKit was asked: %s", route, caller, asked)
			}
		}
	}
	t.Logf("%d cells, %d of them refusals", cells, refusals)
}

// TestIDMatrixIsWhole finds routes that were forgotten.
func TestIDMatrixIsWhole(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	id := regexp.MustCompile(`\{\w+\}`)
	for route := range idRoutes {
		covered[id.ReplaceAllString(route, ":id")] = true
	}
	found := 0
	for _, route := range apiRoutes(t) {
		if !strings.Contains(route, ":") {
			continue
		}
		found++
		if !covered[route] {
			t.Errorf("%s is not in the matrix", route)
		}
	}
	if found != len(covered) {
		t.Errorf("%d routes have an id, %d are in the matrix", found, len(covered))
	}
}

// apiRoutes are the routes in the table of the program, without the beginning of
// their paths, such as POST /rooms/:id/invite/.
func apiRoutes(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "adapters", "http", "server.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"get": http.MethodGet, "post": http.MethodPost, "put": http.MethodPut, "patch": http.MethodPatch, "del": http.MethodDelete}
	var routes []string
	for _, r := range regexp.MustCompile(`\{API \+ "([^"]*)", \w+, methods\{([^}]*)\}`).FindAllStringSubmatch(string(source), -1) {
		for _, m := range regexp.MustCompile(`\b(get|post|put|patch|del):`).FindAllStringSubmatch(r[2], -1) {
			routes = append(routes, names[m[1]]+" "+r[1])
		}
	}
	return routes
}
