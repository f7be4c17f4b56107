package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// call asks as the front end does, with fetch: JSON, cookies, and the CSRF token
// as soon as its cookie is there. out takes the answer; nil: it is not read.
func (v *visitor) call(method, path string, body, out any) int {
	v.t.Helper()
	var text string
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			v.t.Fatal(err)
		}
		text = string(b)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.s.URL+"/api/v1.0"+path, strings.NewReader(text))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token := v.cookie("csrftoken"); token != "" {
		req.Header.Set("X-CSRFToken", token)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if len(answer) > 0 && resp.Header.Get("Content-Type") != "application/json" {
		v.t.Errorf("%s %s: %s is no JSON", method, path, resp.Header.Get("Content-Type"))
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(answer, out); err != nil {
			v.t.Fatalf("%s %s: %s", method, path, answer)
		}
	}
	return resp.StatusCode
}

func (v *visitor) must(method, path string, body, out any, want int) {
	v.t.Helper()
	if got := v.call(method, path, body, out); got != want {
		v.t.Errorf("%s %s: %d, want %d", method, path, got, want)
	}
}

type frontRoom struct {
	ID, Slug    string
	AccessLevel string `json:"access_level"`
	LiveKit     *struct{ Room, Token string }
}

// What the front end does, call by call, from the first page to the logout: an
// owner and a guest (what the real one sends and reads was observed).
func TestFrontEnd(t *testing.T) {
	t.Parallel()
	l, env := startLiveKit(t)
	env["ALLOW_UNREGISTERED_ROOMS"] = "false"
	env["LOBBY_WAITING_TIMEOUT"] = "30"
	s := signIn(t, env)
	owner, visitor := s.visitor(t), s.visitor(t)

	// Every page begins like this; nobody is logged in.
	var config struct {
		LiveKit   *struct{ URL string }
		Subtitle  *struct{ Enabled bool }
		Analytics map[string]any
		Support   map[string]any
		Silent    bool `json:"is_silent_login_enabled"`
	}
	owner.must("GET", "/config/", nil, &config, 200)
	if config.LiveKit == nil || config.LiveKit.URL == "" || config.Subtitle == nil || config.Analytics == nil || config.Support == nil || !config.Silent {
		t.Errorf("config: %+v", config)
	}
	owner.must("GET", "/users/me", nil, nil, 401)

	// A silent login finds nobody and comes back to the page, then a real one.
	home := s.URL + "/?a=b&c=d"
	if resp := owner.login("?silent=true&returnTo="+url.QueryEscape(home), "nobody"); resp.Header.Get("Location") != home {
		t.Errorf("silent: to %s", resp.Header.Get("Location"))
	}
	owner.must("GET", "/users/me", nil, nil, 401)
	if resp := owner.login("?silent=false&returnTo="+url.QueryEscape(home), "ada"); resp.Header.Get("Location") != home {
		t.Errorf("login: to %s", resp.Header.Get("Location"))
	}
	if owner.cookie("csrftoken") == "" {
		t.Fatal("no CSRF token after the login")
	}
	var me, changed struct{ ID, Email, Timezone, Language string }
	owner.must("GET", "/users/me", nil, &me, 200)
	owner.must("PUT", "/users/"+me.ID+"/", map[string]string{"timezone": "Europe/Paris", "language": "fr-fr"}, &changed, 200)
	if changed.Timezone != "Europe/Paris" || changed.Language != "fr-fr" || changed.ID != me.ID || me.Email != "ada@example.org" {
		t.Errorf("%+v became %+v", me, changed)
	}

	// A room that nobody has: created on the fly, entered with the token of the answer.
	const slug = "abc-defg-hij"
	owner.must("GET", "/rooms/"+slug+"/?username=Ada", nil, nil, 404)
	visitor.must("GET", "/rooms/"+slug+"/", nil, nil, 404)
	visitor.must("POST", "/rooms/?username=", map[string]string{"name": slug}, nil, 401)
	var created frontRoom
	owner.must("POST", "/rooms/?username=Ada", map[string]string{"name": slug, "callback_id": "from-a-pop-up"}, &created, 201)
	if created.Slug != slug || created.LiveKit == nil || created.LiveKit.Token == "" || created.LiveKit.Room != created.ID {
		t.Fatalf("created: %+v", created)
	}
	var callback struct {
		Status string
		Room   struct{ Slug string }
	}
	visitor.must("POST", "/rooms/creation-callback/", map[string]string{"callback_id": "from-a-pop-up"}, &callback, 200)
	if callback.Room.Slug != slug {
		t.Errorf("callback: %+v", callback)
	}
	l.open(created.ID, `{}`)

	// It is closed to strangers; those who are in it see that at once.
	var room frontRoom
	owner.must("PATCH", "/rooms/"+slug+"/", map[string]string{"access_level": "restricted"}, &room, 200)
	eventually(t, "the level is shown", func() bool { return strings.Contains(l.shown(created.ID), `"access_level":"restricted"`) })
	var seen frontRoom
	visitor.must("GET", "/rooms/"+slug+"/?username=Guest", nil, &seen, 200)
	if seen.LiveKit != nil || seen.ID != created.ID || seen.Slug != slug {
		t.Errorf("a stranger sees %+v", seen)
	}

	// The guest asks, the owner is told, looks and lets in.
	var entry struct {
		Status  string
		LiveKit *struct{ Room, Token string }
	}
	ask := func() {
		t.Helper()
		visitor.must("POST", "/rooms/"+slug+"/request-entry/", map[string]string{"username": "Guest"}, &entry, 200)
	}
	visitor.must("POST", "/rooms/"+slug+"/request-entry/", map[string]string{"username": ""}, nil, 400)
	ask()
	if entry.Status != "waiting" || entry.LiveKit != nil {
		t.Errorf("entry: %+v", entry)
	}
	eventually(t, "the room is told", func() bool { return len(l.messages(created.ID)) > 0 })
	if got := l.messages(created.ID)[0]; got != `{"type": "participantWaiting"}` {
		t.Errorf("the room is told %s", got)
	}
	var waiting struct {
		Participants []struct{ ID, Username, Color string }
	}
	owner.must("GET", "/rooms/"+created.ID+"/waiting-participants/", nil, &waiting, 200)
	if len(waiting.Participants) != 1 || waiting.Participants[0].Username != "Guest" || waiting.Participants[0].Color == "" {
		t.Fatalf("waiting: %+v", waiting)
	}
	owner.must("POST", "/rooms/"+created.ID+"/enter/", map[string]any{"participant_id": waiting.Participants[0].ID, "allow_entry": true}, nil, 200)
	ask()
	if entry.Status != "accepted" || entry.LiveKit == nil || entry.LiveKit.Room != created.ID {
		t.Errorf("entry: %+v", entry)
	}

	// Recording, by the id that LiveKit has for the room.
	owner.must("POST", "/rooms/"+created.LiveKit.Room+"/start-recording/", map[string]any{"mode": "screen_recording", "options": map[string]string{"language": "fr"}}, nil, 201)
	eventually(t, "the recording is shown", func() bool { return l.roomMetadata(created.ID)["recording_mode"] == "screen_recording" })
	owner.must("POST", "/rooms/"+created.ID+"/stop-recording/", nil, nil, 200)
	visitor.must("POST", "/rooms/"+created.ID+"/stop-recording/", nil, nil, 401)

	// And out again.
	resp, _ := owner.get("/api/v1.0/logout")
	back, _ := owner.get(owner.atProvider(resp.Header.Get("Location"), ""))
	if back.Header.Get("Location") != "/bye" {
		t.Errorf("logout: to %s", back.Header.Get("Location"))
	}
	owner.must("GET", "/users/me", nil, nil, 401)
}
