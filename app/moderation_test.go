package app_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"
)

const (
	ok           = `{"status":"success"}`
	noPermission = `{"detail":"You do not have permission to perform this action."}`
	noPrivileges = `{"detail":"You must have privileges on room to perform this action."}`
	noCredential = `{"detail":"Authentication credentials were not provided."}`
	noRoom       = `{"detail":"No Room matches the given query."}`
	absent       = `{"error":"Participant not found"}`
)

// crowd is a running meeting: ada owns its room, abe administers it, mel is a
// member, grace is nobody's; guest is not logged in. All but abe are there.
type crowd struct {
	*service
	live                 *liveKit
	ada, abe, mel, grace account
	room, other          uuid.UUID
	path                 string
}

func newCrowd(t *testing.T, env map[string]string) crowd {
	t.Helper()
	live, vars := startLiveKit(t)
	for name, value := range env {
		vars[name] = value
	}
	c := crowd{service: startService(t, vars), live: live}
	c.ada, c.abe, c.mel, c.grace = c.login(t, "ada"), c.login(t, "abe"), c.login(t, "mel"), c.login(t, "grace")
	c.room, c.other = c.service.room(t, c.ada), c.service.room(t, c.grace)
	c.give(t, c.room, c.abe, "administrator")
	c.give(t, c.room, c.mel, "member")
	c.path = "/api/v1.0/rooms/" + c.room.String()
	live.enter(c.room, "sub-ada", "sub-mel", "sub-grace", "guest")
	return c
}

// give gives a role on a room.
func (s *service) give(t *testing.T, room uuid.UUID, to account, role string) {
	t.Helper()
	s.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
		VALUES ($1, now(), now(), $2, $3, $4)`, uuid.New(), role, room, to.ID)
}

// role is what somebody is on a room.
func (c crowd) role(t *testing.T, of account) string {
	t.Helper()
	var role string
	if err := c.DB.QueryRow(t.Context(), `SELECT coalesce((SELECT role FROM meet_resource_access WHERE resource_id = $1 AND user_id = $2), '')`,
		c.room, of.ID).Scan(&role); err != nil {
		t.Fatal(err)
	}
	return role
}

// wantAsked checks what LiveKit was asked since the last time.
func (c crowd) wantAsked(t *testing.T, what, want string) {
	t.Helper()
	if got := c.live.takeAsked(); got != want {
		t.Errorf("%s: LiveKit was asked %q, want %q", what, got, want)
	}
}

func TestMute(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nil)
	path := c.path + "/mute-participant/"
	const body = `{"participant_identity":"guest","track_sid":"TR_1"}`
	token := joinToken(t, c.room, "sub-mel", nil)
	elsewhere := joinToken(t, c.other, "sub-ada", nil)

	for _, who := range []account{c.ada, c.abe} {
		wantAnswer(t, "by session", c.write(t, who, path, body), 200, ok)
		c.wantAsked(t, "by session", "mute guest TR_1 true")
	}
	wantAnswer(t, "by token", c.shows(t, account{}, token, path, body), 200, ok)
	c.wantAsked(t, "by token", "get sub-mel; mute guest TR_1 true")
	wantAnswer(t, "an owner by token", c.shows(t, c.ada, joinToken(t, c.room, "sub-ada", nil), path, body), 200, ok)
	c.wantAsked(t, "an owner by token", "get sub-ada; mute guest TR_1 true")

	for name, r := range map[string]struct {
		got    answer
		status int
		body   string
	}{
		"anonymous":                     {c.write(t, account{}, path, body), 403, noCredential},
		"a member without token":        {c.write(t, c.mel, path, body), 403, noPermission},
		"nobody's":                      {c.write(t, c.grace, path, body), 403, noPermission},
		"a token of another room":       {c.shows(t, account{}, elsewhere, path, body), 403, noPermission},
		"the same with a good session":  {c.shows(t, c.ada, elsewhere, path, body), 403, noPermission},
		"a bad token, a good session":   {c.shows(t, c.ada, "garbage", path, body), 403, `{"detail":"Invalid LiveKit token: Not enough segments"}`},
		"no CSRF token":                 {c.shows(t, c.ada, "", path, body), 403, `{"detail":"CSRF Failed: CSRF cookie not set."}`},
		"unknown room":                  {c.write(t, c.ada, "/api/v1.0/rooms/"+uuid.NewString()+"/mute-participant/", body), 404, noRoom},
		"unknown room, stranger":        {c.write(t, account{}, "/api/v1.0/rooms/"+uuid.NewString()+"/mute-participant/", body), 404, noRoom},
		"blank track":                   {c.write(t, c.ada, path, `{"participant_identity":"guest","track_sid":" "}`), 400, `{"track_sid":["This field may not be blank."]}`},
		"nothing":                       {c.write(t, c.ada, path, `{}`), 400, `{"participant_identity":["This field is required."],"track_sid":["This field is required."]}`},
		"long track":                    {c.write(t, c.ada, path, `{"participant_identity":"guest","track_sid":"`+strings.Repeat("x", 256)+`"}`), 400, `{"track_sid":["Ensure this field has no more than 255 characters."]}`},
		"a stranger's bad body":         {c.write(t, c.grace, path, `{}`), 403, noPermission},
		"the room's own webhook token":  {c.shows(t, account{}, webhookToken(t, []byte(body), nil), path, body), 403, `{"detail":"Invalid LiveKit token: Token missing user identity"}`},
		"not of those who are in there": {c.shows(t, account{}, joinToken(t, c.room, "ghost", nil), path, "{}"), 400, ""},
	} {
		wantAnswer(t, name, r.got, r.status, r.body)
	}
	c.wantAsked(t, "refusals", "")

	wantAnswer(t, "not there any more", c.shows(t, account{}, joinToken(t, c.room, "ghost", nil), path, body), 403, `{"error":"Could not verify caller presence"}`)
	c.wantAsked(t, "not there any more", "get ghost")
	c.live.failing("get", errLiveKit)
	wantAnswer(t, "nobody knows", c.shows(t, account{}, token, path, body), 403, `{"error":"Could not verify caller presence"}`)
	c.wantAsked(t, "nobody knows", "get sub-mel")
	c.live.failing("get", nil)
	c.live.lock.Lock()
	c.live.people[c.room.String()+" sub-mel"] = lk.ParticipantInfo_DISCONNECTED
	c.live.lock.Unlock()
	wantAnswer(t, "disconnected", c.shows(t, account{}, token, path, body), 403, `{"error":"Could not verify caller presence"}`)
	c.wantAsked(t, "disconnected", "get sub-mel")
	c.live.enter(c.room, "sub-mel")

	wantAnswer(t, "absent", c.write(t, c.ada, path, `{"participant_identity":"ghost","track_sid":"TR_1"}`), 404, absent)
	c.live.failing("mute", twirp.NewError(twirp.Unknown, "?"))
	wantAnswer(t, "LiveKit fails", c.write(t, c.ada, path, body), 500, `{"error":"Failed to mute participant"}`)
	c.live.failing("mute", nil)
	c.live.takeAsked()

	for _, no := range []string{"false", "null", `"no"`, "0"} {
		c.exec(t, `UPDATE meet_room SET configuration = jsonb_build_object('everyone_can_mute', $2::jsonb) WHERE resource_id = $1`, c.room, no)
		wantAnswer(t, no+", by token", c.shows(t, account{}, token, path, body), 403, noPermission)
		wantAnswer(t, no+", the owner's token", c.shows(t, c.ada, joinToken(t, c.room, "sub-ada", nil), path, body), 403, noPermission)
		c.wantAsked(t, no, "")
		wantAnswer(t, no+", the owner", c.write(t, c.ada, path, body), 200, ok)
		c.live.takeAsked()
	}
}

func TestUpdateParticipant(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nil)
	path := c.path + "/update-participant/"
	with := func(fields string) string { return `{"participant_identity":"guest",` + fields + `}` }
	for fields, asked := range map[string]string{
		`"name":" Ada "`:                                                 "name=Ada",
		`"metadata":{"b":[1],"a":null}`:                                  `metadata={"a":null,"b":[1]}`,
		`"metadata":{}`:                                                  "metadata={}",
		`"attributes":{"handRaisedAt":"","x":"y"}`:                       "handRaisedAt= x=y",
		`"permission":{}`:                                                "permission=false,false,false,[],false,false,false,false,false",
		`"permission":{"can_subscribe":true}`:                            "permission=true,false,false,[],false,false,false,false,false",
		`"permission":{"can_publish":"yes"}`:                             "permission=false,true,false,[],false,false,false,false,false",
		`"permission":{"can_publish_data":1}`:                            "permission=false,false,true,[],false,false,false,false,false",
		`"permission":{"can_publish_sources":["camera","screen_share"]}`: "permission=false,false,false,[CAMERA SCREEN_SHARE],false,false,false,false,false",
		`"permission":{"can_update_metadata":true}`:                      "permission=false,false,false,[],false,false,true,false,false",
		`"permission":{"can_subscribe_metrics":true}`:                    "permission=false,false,false,[],false,false,false,false,true",
		`"permission":{"hidden":null,"can_subscribe":null}`:              "permission=false,false,false,[],false,false,false,false,false",
		`"permission":"{\"can_publish\":true}"`:                          "permission=false,true,false,[],false,false,false,false,false",
		`"permission":null,"metadata":null,"attributes":null,"name":"x"`: "name=x",
	} {
		wantAnswer(t, fields, c.write(t, c.abe, path, with(fields)), 200, ok)
		c.wantAsked(t, fields, "update guest "+asked)
	}
	const (
		none      = `{"non_field_errors":["At least one of the following fields must be provided: metadata, attributes, permission, name."]}`
		forbidden = `{"detail":"Bad Request"}`
		url       = "https://errors.pydantic.dev/2.13/v/"
		sources   = `'camera', 'microphone', 'screen_share' or 'screen_share_audio'`
	)
	for fields, want := range map[string]string{
		`"name":""`:         none,
		`"name":"  "`:       none,
		`"permission":null`: none,
		`"name":"` + strings.Repeat("x", 256) + `"`: `{"name":["Ensure this field has no more than 255 characters."]}`,
		`"name":[]`:                     `{"name":["Not a valid string."]}`,
		`"metadata":"x"`:                `{"metadata":["Expected a dictionary of items but got type \"str\"."]}`,
		`"attributes":[]`:               `{"attributes":["Expected a dictionary of items but got type \"list\"."]}`,
		`"attributes":{"a":1}`:          `{"attributes":{"a":["Not a valid string."]}}`,
		`"permission":{"can_fly":true}`: `{"permission":[{"type":"extra_forbidden","loc":["can_fly"],"msg":"Extra inputs are not permitted","input":"True","url":"` + url + `extra_forbidden"}]}`,
		`"permission":{"can_publish_sources":["CAMERA"]}`: `{"permission":[{"type":"literal_error","loc":["can_publish_sources","0"],"msg":"Input should be ` + sources +
			`","input":"CAMERA","ctx":{"expected":"` + sources + `"},"url":"` + url + `literal_error"}]}`,
		`"permission":{"can_publish_sources":null}`:                     `{"permission":[{"type":"list_type","loc":["can_publish_sources"],"msg":"Input should be a valid list","input":"None","url":"` + url + `list_type"}]}`,
		`"permission":{"hidden":"maybe"}`:                               `{"permission":[{"type":"bool_parsing","loc":["hidden"],"msg":"Input should be a valid boolean, unable to interpret input","input":"maybe","url":"` + url + `bool_parsing"}]}`,
		`"permission":"x"`:                                              `{"permission":[{"type":"json_invalid","loc":[],"msg":"Invalid JSON: expected value at line 1 column 1","input":"x","ctx":{"error":"expected value at line 1 column 1"},"url":"` + url + `json_invalid"}]}`,
		`"permission":{"hidden":true}`:                                  forbidden,
		`"permission":{"recorder":false}`:                               forbidden,
		`"permission":{"agent":true,"hidden":false,"can_publish":true}`: forbidden,
	} {
		wantAnswer(t, fields, c.write(t, c.ada, path, with(fields)), 400, want)
	}
	if logged := "Setting the following participant permissions is not allowed: hidden, agent."; !strings.Contains(c.logs.String(), logged) {
		t.Errorf("the log does not say: %s", logged)
	}
	wantAnswer(t, "identity as a list", c.write(t, c.ada, path, `{"participant_identity":[],"name":"x"}`), 400, `{"participant_identity":["Not a valid string."]}`)
	for name, who := range map[string]account{"member": c.mel, "nobody's": c.grace} {
		wantAnswer(t, name, c.write(t, who, path, `{}`), 403, noPrivileges)
	}
	wantAnswer(t, "anonymous", c.write(t, account{}, path, with(`"name":"x"`)), 401, noCredential)
	wantAnswer(t, "an owner's token", c.shows(t, account{}, joinToken(t, c.room, "sub-ada", nil), path, with(`"name":"x"`)), 401, noCredential)
	wantAnswer(t, "unknown room", c.write(t, c.ada, "/api/v1.0/rooms/none/update-participant/", "{}"), 404, noRoom)
	c.wantAsked(t, "refusals", "")
	wantAnswer(t, "absent", c.write(t, c.ada, path, `{"participant_identity":"ghost","name":"x"}`), 404, absent)
	c.live.failing("update", errLiveKit)
	wantAnswer(t, "LiveKit fails", c.write(t, c.ada, path, with(`"name":"x"`)), 500, `{"error":"Failed to update participant"}`)
	c.live.failing("update", errNotTaken)
	wantAnswer(t, "LiveKit does not take it", c.write(t, c.ada, path, with(`"name":"x"`)), 400, `{"error":"Failed to update participant"}`)
}

// An installation may allow what is forbidden by itself.
func TestUpdateParticipantAllowed(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, map[string]string{"PARTICIPANT_FORBIDDEN_PERMISSION_FIELDS": ""})
	wantAnswer(t, "hidden", c.write(t, c.ada, c.path+"/update-participant/",
		`{"participant_identity":"guest","permission":{"hidden":true,"recorder":true,"agent":true}}`), 200, ok)
	c.wantAsked(t, "hidden", "update guest permission=false,false,false,[],true,true,false,true,false")
}

func TestUpdateParticipantRole(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nil)
	path := c.path + "/update-participant-role/"
	assign := func(who account, identity, role string) answer {
		return c.write(t, who, path, `{"participant_identity":"`+identity+`","role":"`+role+`"}`)
	}
	for _, step := range []struct{ identity, role string }{
		{"sub-mel", "administrator"}, {"sub-mel", "administrator"}, {"sub-mel", "member"}, {"sub-grace", "member"},
	} {
		wantAnswer(t, step.identity, assign(c.ada, step.identity, step.role), 200, `{"role":"`+step.role+`","livekit_synced":true}`)
		c.wantAsked(t, step.identity, "get sub-ada; get "+step.identity+"; update "+step.identity+" room_role="+step.role)
	}
	if mel, grace := c.role(t, c.mel), c.role(t, c.grace); mel != "member" || grace != "member" {
		t.Errorf("mel is %q, grace is %q", mel, grace)
	}
	before := c.dump(t)
	for name, r := range map[string]struct {
		who            account
		identity, role string
		status         int
		body, asked    string
	}{
		"anonymous":        {account{}, "sub-mel", "member", 401, noCredential, ""},
		"member":           {c.mel, "sub-grace", "administrator", 403, noPrivileges, ""},
		"a member himself": {c.mel, "sub-mel", "owner", 403, noPrivileges, ""},
		"not in there":     {c.abe, "sub-mel", "nonsense", 403, `{"detail":"You must be connected to the meeting to perform this action."}`, "get sub-abe"},
		"owner":            {c.ada, "sub-mel", "owner", 400, `{"role":["\"owner\" is not a valid choice."]}`, "get sub-ada"},
		"self":             {c.ada, "sub-ada", "member", 403, `{"error":"You cannot change your own role."}`, "get sub-ada"},
		"without account":  {c.ada, "guest", "member", 404, `{"error":"This participant has no user account and cannot be assigned a role."}`, "get sub-ada; get guest"},
		"nobody there":     {c.ada, "ghost", "member", 404, `{"error":"Participant is not connected to this meeting."}`, "get sub-ada; get ghost"},
		"has an account":   {c.ada, "sub-abe", "member", 404, `{"error":"Participant is not connected to this meeting."}`, "get sub-ada; get sub-abe"},
	} {
		wantAnswer(t, name, assign(r.who, r.identity, r.role), r.status, r.body)
		c.wantAsked(t, name, r.asked)
	}
	wantAnswer(t, "nothing", c.write(t, c.ada, path, "{}"), 400, `{"participant_identity":["This field is required."],"role":["This field is required."]}`)
	if c.dump(t) != before {
		t.Error("a refusal changed something")
	}
	c.live.enter(c.room, "sub-abe")
	wantAnswer(t, "an owner", assign(c.abe, "sub-ada", "member"), 403, `{"error":"Room owners cannot be demoted."}`)
	if got := c.role(t, c.ada); got != "owner" {
		t.Errorf("the owner is %q", got)
	}
	c.live.failing("update", errLiveKit)
	wantAnswer(t, "not shown", assign(c.ada, "sub-mel", "administrator"), 200, `{"role":"administrator","livekit_synced":false}`)
	if got := c.role(t, c.mel); got != "administrator" {
		t.Errorf("the role was not kept: %q", got)
	}
	c.live.failing("get", errLiveKit)
	wantAnswer(t, "nobody knows", assign(c.ada, "sub-mel", "member"), 403, `{"detail":"You must be connected to the meeting to perform this action."}`)
	if got := c.role(t, c.mel); got != "administrator" {
		t.Errorf("the role was changed: %q", got)
	}
}

func TestOwnHandAndName(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nil)
	hand, name := c.path+"/toggle-hand/", c.path+"/rename/"
	for _, identity := range []string{"sub-grace", "guest"} {
		token := joinToken(t, c.room, identity, nil)
		wantAnswer(t, "raise", c.shows(t, account{}, token, hand, `{"raised":true}`), 200, ok)
		if got := c.live.takeAsked(); !regexp.MustCompile(`^update ` + identity + ` handRaisedAt=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$`).MatchString(got) {
			t.Errorf("raise: LiveKit was asked %q", got)
		}
		wantAnswer(t, "lower", c.shows(t, c.ada, token, hand, `{"raised":"off"}`), 200, ok) // whose session it is does not count
		c.wantAsked(t, "lower", "update "+identity+" handRaisedAt=")
		wantAnswer(t, "rename", c.shows(t, account{}, token, name, `{"name":" Ada L. "}`), 200, ok)
		c.wantAsked(t, "rename", "update "+identity+" name=Ada L.")
	}
	good := joinToken(t, c.room, "guest", nil)
	for body, want := range map[string]string{
		`{}`:                         `{"raised":["This field is required."]}`,
		`{"raised":null}`:            `{"raised":["This field may not be null."]}`,
		`{"raised":"not-a-boolean"}`: `{"raised":["Must be a valid boolean."]}`,
	} {
		wantAnswer(t, body, c.shows(t, account{}, good, hand, body), 400, want)
	}
	for body, want := range map[string]string{
		`{}`:           `{"name":["This field is required."]}`,
		`{"name":" "}`: `{"name":["This field may not be blank."]}`,
		`{"name":"` + strings.Repeat("é", 256) + `"}`: `{"name":["Ensure this field has no more than 255 characters."]}`,
	} {
		wantAnswer(t, body, c.shows(t, account{}, good, name, body), 400, want)
	}
	for path, body := range map[string]string{hand: `{"raised":true}`, name: `{"name":"x"}`} {
		now := time.Now().Unix()
		unknown := "/api/v1.0/rooms/" + uuid.NewString() + path[len(c.path):]
		for what, r := range map[string]struct {
			got    answer
			status int
			body   string
		}{
			"no token":              {c.write(t, account{}, path, body), 403, noCredential},
			"a session":             {c.write(t, c.ada, path, body), 403, noCredential},
			"another room":          {c.shows(t, account{}, joinToken(t, c.other, "guest", nil), path, body), 403, noPermission},
			"no room":               {c.shows(t, account{}, joinToken(t, c.room, "guest", map[string]any{"video": nil}), path, body), 403, noPermission},
			"expired":               {c.shows(t, account{}, joinToken(t, c.room, "guest", map[string]any{"exp": now - 120}), path, body), 403, `{"detail":"Invalid LiveKit token: Signature has expired"}`},
			"malformed":             {c.shows(t, account{}, "garbage", path, body), 403, `{"detail":"Invalid LiveKit token: Not enough segments"}`},
			"no shape":              {c.shows(t, account{}, "two words", path, body), 403, `{"detail":"Authorization header must be: Bearer <token>"}`},
			"unknown room":          {c.shows(t, account{}, good, unknown, body), 404, noRoom},
			"unknown room, nothing": {c.write(t, account{}, unknown, body), 404, noRoom},
			"bad body, other room":  {c.shows(t, account{}, joinToken(t, c.other, "guest", nil), path, "{"), 403, noPermission},
		} {
			wantAnswer(t, path+", "+what, r.got, r.status, r.body)
		}
		c.wantAsked(t, path, "")
		wantAnswer(t, path+" by slug", c.shows(t, account{}, good, "/api/v1.0/rooms/room-"+c.room.String()[:8]+path[len(c.path):], body), 200, ok)
		wantAnswer(t, path+" of one who left", c.shows(t, account{}, joinToken(t, c.room, "ghost", nil), path, body), 404, absent)
		c.live.takeAsked()
	}
	c.live.failing("update", errLiveKit)
	wantAnswer(t, "hand", c.shows(t, account{}, good, hand, `{"raised":true}`), 500, `{"error":"Failed to update participant hand state"}`)
	wantAnswer(t, "name", c.shows(t, account{}, good, name, `{"name":"x"}`), 500, `{"error":"Failed to rename participant"}`)
	c.live.failing("update", errNotTaken)
	wantAnswer(t, "a name of too many bytes", c.shows(t, account{}, good, name, `{"name":"`+strings.Repeat("é", 200)+`"}`), 400, `{"error":"Failed to rename participant"}`)
	wantAnswer(t, "hand", c.shows(t, account{}, good, hand, `{"raised":true}`), 400, `{"error":"Failed to update participant hand state"}`)
}

func TestSubtitles(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, map[string]string{"ROOM_SUBTITLE_ENABLED": "true", "ROOM_SUBTITLE_AGENT_NAME": "writer"})
	path := c.path + "/start-subtitle/"
	good := joinToken(t, c.room, "guest", nil)
	wantAnswer(t, "start", c.shows(t, account{}, good, path, ""), 200, ok)
	c.wantAsked(t, "start", "dispatch writer "+c.room.String()+" ")
	wantAnswer(t, "anonymous", c.shows(t, account{}, "", path, ""), 403, noCredential)
	wantAnswer(t, "logged in", c.write(t, c.ada, path, ""), 403, noCredential)
	wantAnswer(t, "garbage", c.shows(t, account{}, "garbage", path, ""), 403, `{"detail":"Invalid LiveKit token: Not enough segments"}`)
	wantAnswer(t, "wrong signature", c.shows(t, account{}, good[:len(good)-4]+"AAAA", path, ""), 403, `{"detail":"Invalid LiveKit token: Signature verification failed"}`)
	wantAnswer(t, "another room", c.shows(t, account{}, joinToken(t, c.other, "guest", nil), path, ""), 403, noPermission)
	c.wantAsked(t, "refusals", "")
	c.live.failing("dispatch", errLiveKit)
	wantAnswer(t, "LiveKit fails", c.shows(t, account{}, good, path, ""), 500, `{"error":"Subtitles failed to start for room room-`+c.room.String()[:8]+`"}`)

	off := newCrowd(t, nil)
	path = off.path + "/start-subtitle/"
	wantAnswer(t, "off", off.shows(t, account{}, joinToken(t, off.room, "guest", nil), path, ""), 404, `{"detail":"Not found."}`)
	wantAnswer(t, "off, no token", off.shows(t, account{}, "", path, ""), 404, `{"detail":"Not found."}`)
	wantAnswer(t, "off, bad token", off.shows(t, account{}, "garbage", path, ""), 403, "")
	wantAnswer(t, "method", off.request(t, account{}, http.MethodGet, path, "", nil), 405, `{"detail":"Method \"GET\" not allowed."}`)
}

// What meetd itself hands out to join with is what it takes.
func TestOwnTokenIsTaken(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nil)
	var room struct{ LiveKit struct{ Token string } }
	got := c.request(t, c.mel, http.MethodGet, c.path+"/", "", nil)
	if err := json.Unmarshal(got.Body, &room); err != nil || room.LiveKit.Token == "" {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	wantAnswer(t, "rename", c.shows(t, account{}, room.LiveKit.Token, c.path+"/rename/", `{"name":"Mel"}`), 200, ok)
	c.wantAsked(t, "rename", "update sub-mel name=Mel")
}

func TestRemoveParticipant(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, nil)
	path := c.path + "/remove-participant/"
	remove := func(who account, identity string) answer {
		return c.write(t, who, path, `{"participant_identity":"`+identity+`"}`)
	}
	wait := func(room uuid.UUID, identity string) {
		c.exec(t, `INSERT INTO meetd.lobby_entry (room_id, participant_id, identity, status, username, color, since, expires_at)
			VALUES ($1, $2, $3, 'accepted', 'x', '', now(), now() + interval '6 hours')`, room, uuid.New(), identity)
	}
	entries := func() string {
		return strings.Join(c.lines(t, `SELECT identity FROM meetd.lobby_entry ORDER BY identity`), " ")
	}
	wait(c.room, "guest")
	wait(c.room, "sub-grace")
	wait(c.room, "ghost")
	wait(c.other, "other")
	for name, r := range map[string]struct {
		got    answer
		status int
		body   string
	}{
		"anonymous":        {remove(account{}, "guest"), 401, noCredential},
		"member":           {remove(c.mel, "guest"), 403, noPrivileges},
		"nobody's":         {remove(c.grace, "guest"), 403, noPrivileges},
		"unknown room":     {c.write(t, c.ada, "/api/v1.0/rooms/none/remove-participant/", "{}"), 404, noRoom},
		"missing":          {c.write(t, c.ada, path, `{}`), 400, `{"participant_identity":["This field is required."]}`},
		"no text":          {c.write(t, c.ada, path, `{"participant_identity":{}}`), 400, `{"participant_identity":["Not a valid string."]}`},
		"NUL":              {c.write(t, c.ada, path, `{"participant_identity":"a\u0000"}`), 400, `{"participant_identity":["Null characters are not allowed."]}`},
		"an owner's token": {c.shows(t, account{}, joinToken(t, c.room, "sub-ada", nil), path, `{"participant_identity":"guest"}`), 401, noCredential},
	} {
		wantAnswer(t, name, r.got, r.status, r.body)
	}
	c.wantAsked(t, "refusals", "")
	if got := entries(); got != "ghost guest other sub-grace" {
		t.Errorf("after refusals: %s", got)
	}
	wantAnswer(t, "a guest", remove(c.abe, "guest"), 200, ok)
	c.wantAsked(t, "a guest", "remove guest")
	wantAnswer(t, "not there", remove(c.ada, "ghost"), 404, absent)
	c.live.failing("remove", errLiveKit)
	wantAnswer(t, "LiveKit fails", remove(c.ada, "sub-grace"), 500, `{"error":"Failed to remove participant"}`)
	if got := entries(); got != "other" { // whatever LiveKit says, he has to ask again
		t.Errorf("after removals: %s", got)
	}
}
