package app_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestRoomKit(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["ROOMKIT_SERVER_TO_SERVER_API_TOKEN"], env["ROOMKIT_ENABLED"] = "gateway-token", "true"
	s := startService(t, env)
	room := s.room(t, s.login(t, "ada"))
	s.exec(t, `UPDATE meet_room SET pin_code = '1234567890' WHERE resource_id = $1`, room)
	const path = "/api/v1.0/roomkit/join/"
	join := func(s *service, authorization, body string) answer {
		header := http.Header{"Content-Type": {"application/json"}}
		if authorization != "" {
			header.Set("Authorization", authorization)
		}
		return s.request(t, account{}, http.MethodPost, path, body, header)
	}
	const good, pin = "Bearer gateway-token", `{"pin_code":" 1234567890 "}`
	for authorization, want := range map[string]string{
		"":                       "Authorization header is missing.",
		"gateway-token":          "Invalid authorization header.",
		"bearer gateway-token":   "Invalid authorization header.",
		"Bearer  gateway-token":  "Invalid authorization header.",
		"Bearer gateway-token x": "Invalid authorization header.",
		"Token gateway-token":    "Invalid authorization header.",
		"Bearer other":           "Invalid server-to-server token.",
		"Bearer " + joinToken(t, room, "guest", nil): "Invalid server-to-server token.",
	} {
		got := join(s, authorization, pin)
		wantAnswer(t, authorization, got, 401, `{"detail":"`+want+`"}`)
		if challenge := got.Header.Get("WWW-Authenticate"); challenge != "Bearer realm='Roomkit server to server'" {
			t.Errorf("%s: challenge %q", authorization, challenge)
		}
	}
	for body, want := range map[string]string{
		`{}`:                         `{"pin_code":["This field is required."]}`,
		`{"pin_code":null}`:          `{"pin_code":["This field may not be null."]}`,
		`{"pin_code":" "}`:           `{"pin_code":["This field may not be blank."]}`,
		`{"pin_code":[]}`:            `{"pin_code":["Not a valid string."]}`,
		`{"pin_code":"123456789"}`:   `{"pin_code":["PIN code length is invalid."]}`,
		`{"pin_code":"12345678901"}`: `{"pin_code":["PIN code length is invalid."]}`,
	} {
		wantAnswer(t, body, join(s, good, body), 400, want)
	}
	wantAnswer(t, "unknown", join(s, good, `{"pin_code":"1234567891"}`), 404, `{"detail":"No room found for this PIN code."}`)
	if asked := live.takeAsked(); asked != "" {
		t.Errorf("refusals: LiveKit was asked %s", asked)
	}
	rule := "SIP_" + room.String() + " " + room.String() + " 1234567890"
	wantAnswer(t, "join", join(s, good, pin), 200, ok)
	wantAnswer(t, "join, as a number", join(s, good, `{"pin_code":1234567890}`), 200, ok)
	if asked := live.takeAsked(); asked != "rules; make "+rule+"; rules; rules" || live.ruleOf(room) != rule {
		t.Errorf("join: LiveKit was asked %s and has %s", asked, live.ruleOf(room))
	}
	live.lock.Lock()
	clear(live.rules)
	live.meantime = func(rule string) { live.rules["SDR_of_another"] = rule }
	live.lock.Unlock()
	wantAnswer(t, "two at the same time", join(s, good, pin), 200, ok)
	live.failing("rules", errLiveKit)
	wantAnswer(t, "LiveKit fails", join(s, good, pin), 500, `{"detail":"Could not create dispatch rule."}`)

	env["ROOMKIT_ENABLED"], env["ROOM_TELEPHONY_ENABLED"] = "false", "true"
	off := startService(t, env)
	wantAnswer(t, "off", join(off, good, pin), 404, `{"detail":"Not found."}`)
	wantAnswer(t, "off, stranger", join(off, "Bearer other", pin), 401, "")
	delete(env, "ROOMKIT_SERVER_TO_SERVER_API_TOKEN")
	unset := startService(t, env)
	for _, authorization := range []string{"", good, "Bearer "} {
		wantAnswer(t, "no token is configured", join(unset, authorization, pin), 401, `{"detail":"Server-to-server token is not configured."}`)
	}
	env["ROOMKIT_SERVER_TO_SERVER_API_TOKEN"], env["ROOMKIT_ENABLED"], env["ROOMKIT_JOIN_THROTTLE_RATES"] = "gateway-token", "true", "2/minute"
	limited := startService(t, env)
	for range 5 { // strangers are not counted
		wantAnswer(t, "stranger", join(limited, "Bearer other", pin), 401, "")
	}
	wantAnswer(t, "first", join(limited, good, `{}`), 400, "")
	wantAnswer(t, "second", join(limited, good, `{}`), 400, "")
	if got := join(limited, good, `{}`); got.Status != 429 || got.Header.Get("Retry-After") == "" {
		t.Errorf("third: %d %s", got.Status, got.Body)
	}
}

func TestConnectionTest(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["CONNECTION_TEST_ENABLED"], env["CONNECTION_TEST_TOKEN_TTL_SECONDS"] = "true", "600"
	env["CONNECTION_TEST_ROOM_EXTRA_AGE_SECONDS"], env["CONNECTION_TEST_THROTTLE_RATES"] = "20", "2/minute"
	s := startService(t, env)
	ada, abe := s.login(t, "ada"), s.login(t, "abe")
	const path = "/api/v1.0/diagnostics/connection/"
	type access struct {
		LiveKit struct {
			URL, Room, Token string
			ExpiresIn        int `json:"expires_in"`
		}
	}
	ask := func(who account) (a access) {
		t.Helper()
		got := s.write(t, who, path, "nonsense")
		if err := json.Unmarshal(got.Body, &a); err != nil || got.Status != 200 || got.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		return a
	}
	first, second, hers := ask(account{}), ask(account{}), ask(ada)
	for _, a := range []access{first, second, hers} {
		id, isTest := strings.CutPrefix(a.LiveKit.Room, "connection-test-")
		if _, err := uuid.Parse(id); !isTest || err != nil || a.LiveKit.ExpiresIn != 600 || a.LiveKit.URL != env["LIVEKIT_API_URL"] {
			t.Errorf("%+v", a)
		}
	}
	if first.LiveKit.Room == second.LiveKit.Room || first.LiveKit.Token == second.LiveKit.Token {
		t.Error("two tests share a room")
	}
	var claims struct {
		Sub, Name string
		Nbf, Exp  int64
		Video     struct {
			Room      string
			RoomAdmin bool
		}
	}
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(hers.LiveKit.Token, ".")[1])
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Sub != "sub-ada" || claims.Name != "Connection Test" ||
		claims.Exp-claims.Nbf != 600 || claims.Video.RoomAdmin || claims.Video.Room != hers.LiveKit.Room {
		t.Errorf("token: %+v, %v", claims, err)
	}
	if got := s.write(t, account{}, path, ""); got.Status != 429 {
		t.Errorf("a third time, anonymous: %d %s", got.Status, got.Body)
	}
	ask(ada)
	if got := s.write(t, ada, path, ""); got.Status != 429 {
		t.Errorf("a third time, ada: %d %s", got.Status, got.Body)
	}
	ask(abe)
	wantAnswer(t, "GET", s.request(t, account{}, http.MethodGet, path, "", http.Header{"X-Forwarded-For": {"192.0.2.7"}}), 405, "")

	var early int
	err := s.DB.QueryRow(t.Context(), `SELECT count(*) FROM meetd.river_job WHERE kind = 'close_test'
		AND state = 'scheduled' AND scheduled_at BETWEEN now() + interval '600 seconds' AND now() + interval '621 seconds'`).Scan(&early)
	if err != nil || early != 5 {
		t.Errorf("%d rooms are to be closed in time, %v", early, err)
	}
	victim := s.room(t, ada)
	s.exec(t, `UPDATE meetd.river_job SET state = 'available', scheduled_at = now(), args = jsonb_set(args, '{room}', to_jsonb($2::text)) WHERE args->>'room' = $1`,
		second.LiveKit.Room, victim.String())
	s.exec(t, `UPDATE meetd.river_job SET state = 'available', scheduled_at = now() WHERE args->>'room' = $1`, first.LiveKit.Room)
	live.failing("close", errAbsent) // it may be over already
	eventually(t, "both jobs are done", func() bool {
		return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'close_test' AND state IN ('completed', 'cancelled')`) == 2
	})
	if asked := live.takeAsked(); asked != "close "+first.LiveKit.Room {
		t.Errorf("LiveKit was asked %s", asked)
	}
	off := startService(t, nil)
	wantAnswer(t, "off", off.write(t, account{}, path, ""), 404, `{"detail":"Not found."}`)
}
