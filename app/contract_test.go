package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// contractCase is one file of testdata/contract/<endpoint>: a request and the
// answer the contract wants. In path, body and answer {{name}} stands for
// something of the case's world; in the answer "{{uuid}}", "{{time}}",
// "{{text}}" and "{{any}}" stand for whatever has that form.
type contractCase struct {
	Env     map[string]string // what the service is configured with
	As      string            // ada owns the room and the recording, abe administers, mel is a member, grace is nobody's; empty: anonymous
	Method  string
	Path    string
	Headers map[string]string
	Body    json.RawMessage // sent as it is; a text is sent without its quotes
	Status  int
	Want    map[string]string // headers of the answer; empty: absent
	Answer  json.RawMessage   // absent: no body, or none that counts
}

func TestContract(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "contract", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	services := map[string]*service{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c contractCase
		dec := json.NewDecoder(strings.NewReader(string(text)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		key := fmt.Sprint(c.Env)
		if services[key] == nil {
			services[key] = startService(t, c.Env)
		}
		name := strings.TrimSuffix(filepath.Join(filepath.Base(filepath.Dir(file)), filepath.Base(file)), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t, services[key])
		})
	}
}

// newWorld makes the people and things of one case.
func newWorld(t *testing.T, s *service) (people map[string]account, names map[string]string) {
	t.Helper()
	suffix := uuid.NewString()[:8]
	people = map[string]account{"": {}}
	names = map[string]string{"suffix": suffix, "unknown": uuid.NewString()}
	for _, name := range []string{"ada", "abe", "mel", "grace"} {
		people[name] = s.login(t, name+"-"+suffix)
		names[name] = people[name].ID.String()
	}
	room := s.room(t, people["ada"])
	id := s.recording(t, screen, "saved", roles{people["ada"]: "owner", people["abe"]: "administrator", people["mel"]: "member"})
	for name, role := range map[string]string{"abe": "administrator", "mel": "member"} {
		id := uuid.New()
		s.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
			VALUES ($1, now() + make_interval(secs => $5), now(), $2, $3, $4)`, id, role, room, people[name].ID, len(name)+len(role))
		names[name+".access"] = id.String()
	}
	var own uuid.UUID
	if err := s.DB.QueryRow(t.Context(), `SELECT id FROM meet_resource_access WHERE resource_id = $1 AND role = 'owner'`, room).Scan(&own); err != nil {
		t.Fatal(err)
	}
	names["ada.access"] = own.String()
	names["room"], names["slug"], names["recording"] = room.String(), "room-"+room.String()[:8], id.String()
	guest := uuid.New()
	s.exec(t, `INSERT INTO meetd.lobby_entry (room_id, participant_id, identity, status, username, color, since, expires_at)
		VALUES ($1, $2, $2::uuid::text, 'waiting', 'Gus', 'red', now(), now() + interval '1 hour')`, room, guest)
	names["guest"] = guest.String()
	for name, level := range map[string]string{"public": "public", "trusted": "trusted"} {
		other := s.room(t, people["ada"])
		s.exec(t, `UPDATE meet_room SET access_level = $2, configuration = '{"can_publish_sources": ["camera"]}', pin_code = $3 WHERE resource_id = $1`,
			other, level, other.String()[:8])
		names[name], names[name+".slug"], names[name+".pin"] = other.String(), "room-"+other.String()[:8], other.String()[:8]
	}
	return people, names
}

func (c contractCase) run(t *testing.T, s *service) {
	t.Helper()
	people, names := newWorld(t, s)
	fill := func(text string) string {
		for name, value := range names {
			text = strings.ReplaceAll(text, "{{"+name+"}}", value)
		}
		return text
	}
	body := string(c.Body)
	var raw string
	if json.Unmarshal(c.Body, &raw) == nil {
		body = raw
	}
	req, err := http.NewRequestWithContext(t.Context(), c.Method, s.URL+fill(c.Path), strings.NewReader(fill(body)))
	if err != nil {
		t.Fatal(err)
	}
	who, ok := people[c.As]
	if !ok {
		t.Fatalf("nobody is called %q", c.As)
	}
	if len(c.Body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if who.Secret != "" {
		req.AddCookie(&http.Cookie{Name: "meet_sessionid", Value: who.Secret})
		req.AddCookie(&http.Cookie{Name: "csrftoken", Value: token})
		req.Header.Set("X-CSRFToken", token)
	}
	for name, value := range c.Headers {
		if value == "" {
			req.Header.Del(name)
		} else {
			req.Header.Set(name, fill(value))
		}
		if name == "Host" {
			req.Host = value
		}
	}
	got := s.send(t, req)
	if got.Status != c.Status {
		t.Errorf("status %d, want %d: %s", got.Status, c.Status, got.Body)
	}
	for name, want := range c.Want {
		if have := got.Header.Get(name); have != fill(want) {
			t.Errorf("%s: %q, want %q", name, have, fill(want))
		}
	}
	if len(c.Answer) == 0 {
		return
	}
	var have, want any
	if err := json.Unmarshal(got.Body, &have); err != nil {
		t.Fatalf("no JSON: %s", got.Body)
	}
	if err := json.Unmarshal([]byte(fill(string(c.Answer))), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, match(have, want)); diff != "" {
		t.Errorf("answer: %s", diff)
	}
	// The order of the keys is part of the contract.
	if ordered, wanted := keyOrder(got.Body), keyOrder([]byte(fill(string(c.Answer)))); c.Status < 300 && !cmp.Equal(ordered, wanted) {
		t.Errorf("order of keys: %v, want %v", ordered, wanted)
	}
}

var forms = map[string]*regexp.Regexp{
	"{{uuid}}":  regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
	"{{time}}":  regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$`),
	"{{text}}":  regexp.MustCompile(`.`),
	"{{token}}": regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`),
}

// match replaces in have what fits a form in want by that form.
func match(have, want any) any {
	switch w := want.(type) {
	case string:
		if w == "{{any}}" {
			return w
		}
		if form, ok := forms[w]; ok {
			if text, isText := have.(string); isText && form.MatchString(text) {
				return w
			}
		}
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return have
		}
		out := map[string]any{}
		for name, v := range h {
			out[name] = match(v, w[name])
		}
		return out
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return have
		}
		out := make([]any, len(h))
		for i := range h {
			out[i] = match(h[i], w[i])
		}
		return out
	}
	return have
}

// keyOrder lists the keys of the outermost object.
func keyOrder(text []byte) []string {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var keys []string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return keys
		}
		keys = append(keys, fmt.Sprint(key))
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return keys
		}
	}
	return keys
}
