package app

import (
	"net/http"
	"regexp"
	"time"

	"meetd/ports"
)

// LiveKit is the media server.
type LiveKit struct {
	APIKey         Secret
	APISecret      Secret
	APIURL         string // as given to browsers
	VerifySSL      bool
	DefaultSources []string
	LegacyTokens   bool // everybody administers the rooms he joins

	WebhookFilter            *regexp.Regexp // on the room name, not anchored; nil = all rooms
	ConnectionTestRoomPrefix string

	ConnectionTestTTL   time.Duration // of the token
	ConnectionTestExtra time.Duration // how much longer the room may stay
	ConnectionTestRate  ports.Rate    // for each person or address

	ForbiddenPermissions []string // of participants; nobody may set them
	SubtitleAgent        string
}

// Rooms are the rules for rooms.
type Rooms struct {
	DefaultAccessLevel     string // public, trusted or restricted
	AllowUnregistered      bool
	CanEditDisplayName     bool // of authenticated participants
	TelephonyEnabled       bool
	RoomkitEnabled         bool
	RoomkitToken           Secret     // of the telephone gateway; may be empty: nobody may ask
	RoomkitRate            ports.Rate // of all that it asks
	PINLength              int
	PINMaxRetries          int
	CreationCallbackExpiry time.Duration
	CreationCallbackRate   ports.Rate // of those who are not logged in, for each address
}

// Lobby is where people wait to be let into a room.
type Lobby struct {
	Cookie          string
	Notification    string // type of the message to the room
	WaitingTimeout  time.Duration
	DeniedTimeout   time.Duration
	AcceptedTimeout time.Duration
	RequestRate     ports.Rate // for each account or cookie
	NewcomerRate    ports.Rate // guests who come, for each address
}

func loadLiveKit(r *reader) LiveKit {
	l := LiveKit{
		APIKey:                   r.secret("LIVEKIT_API_KEY", ""),
		APISecret:                r.secret("LIVEKIT_API_SECRET", ""),
		APIURL:                   r.text("LIVEKIT_API_URL", ""),
		VerifySSL:                r.boolean("LIVEKIT_VERIFY_SSL", true),
		DefaultSources:           r.list("LIVEKIT_DEFAULT_SOURCES", "camera", "microphone", "screen_share", "screen_share_audio"),
		ConnectionTestRoomPrefix: r.text("CONNECTION_TEST_ROOM_PREFIX", "connection-test"),
		LegacyTokens:             r.boolean("MEETD_LEGACY_TOKENS", false),
		ConnectionTestTTL:        r.seconds("CONNECTION_TEST_TOKEN_TTL_SECONDS", 5*time.Minute),
		ConnectionTestExtra:      r.seconds("CONNECTION_TEST_ROOM_EXTRA_AGE_SECONDS", 10*time.Second),
		ConnectionTestRate:       r.rate("CONNECTION_TEST_THROTTLE_RATES", "30/minute"),
		ForbiddenPermissions:     r.list("PARTICIPANT_FORBIDDEN_PERMISSION_FIELDS", "hidden", "recorder", "agent"),
		SubtitleAgent:            r.text("ROOM_SUBTITLE_AGENT_NAME", "multi-user-transcriber"),
	}
	if l.LegacyTokens {
		r.warnf("MEETD_LEGACY_TOKENS: every participant may mute and remove the others; unset it unless the front end is of early 2025")
	}
	r.absoluteURL("LIVEKIT_API_URL", l.APIURL, "https", "http", "wss", "ws")
	for _, source := range l.DefaultSources {
		r.oneOf("LIVEKIT_DEFAULT_SOURCES", source, "camera", "microphone", "screen_share", "screen_share_audio")
	}
	if text := r.text("LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX", ""); text != "" {
		var err error
		if l.WebhookFilter, err = regexp.Compile(text); err != nil {
			r.warnf("LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX: %s is not a regular expression (RE2 syntax), events are not filtered; correct it", quote(text))
		}
	}
	if l.ConnectionTestRoomPrefix == "" {
		r.warnf("CONNECTION_TEST_ROOM_PREFIX: it is empty, so rooms of connection tests are not told from others; set it or remove the variable")
	}
	return l
}

func loadRooms(r *reader) Rooms {
	s := Rooms{
		DefaultAccessLevel:     r.text("RESOURCE_DEFAULT_ACCESS_LEVEL", "public"),
		AllowUnregistered:      r.boolean("ALLOW_UNREGISTERED_ROOMS", true),
		CanEditDisplayName:     r.boolean("AUTHENTICATED_PARTICIPANTS_CAN_EDIT_DISPLAY_NAME", true),
		TelephonyEnabled:       r.boolean("ROOM_TELEPHONY_ENABLED", false),
		RoomkitEnabled:         r.boolean("ROOMKIT_ENABLED", false),
		RoomkitToken:           r.secret("ROOMKIT_SERVER_TO_SERVER_API_TOKEN", ""),
		RoomkitRate:            r.rate("ROOMKIT_JOIN_THROTTLE_RATES", "300/minute"),
		PINLength:              r.unsigned("ROOM_TELEPHONY_PIN_LENGTH", 10),
		PINMaxRetries:          r.unsigned("ROOM_TELEPHONY_PIN_MAX_RETRIES", 5),
		CreationCallbackExpiry: r.seconds("ROOM_CREATION_CALLBACK_CACHE_TIMEOUT", 10*time.Minute),
		CreationCallbackRate:   r.rate("CREATION_CALLBACK_THROTTLE_RATES", "600/minute"),
	}
	r.oneOf("RESOURCE_DEFAULT_ACCESS_LEVEL", s.DefaultAccessLevel, "public", "trusted", "restricted")
	if (s.TelephonyEnabled || s.RoomkitEnabled) && s.PINLength < 4 {
		r.faultf("ROOM_TELEPHONY_PIN_LENGTH: %d is too short; use 4 or more", s.PINLength)
	}
	return s
}

func loadLobby(r *reader) Lobby {
	l := Lobby{
		Cookie:          r.text("LOBBY_COOKIE_NAME", "lobbyParticipantId"),
		Notification:    r.text("LOBBY_NOTIFICATION_TYPE", "participantWaiting"),
		WaitingTimeout:  r.seconds("LOBBY_WAITING_TIMEOUT", 3*time.Second),
		DeniedTimeout:   r.seconds("LOBBY_DENIED_TIMEOUT", 5*time.Second),
		AcceptedTimeout: r.seconds("LOBBY_ACCEPTED_TIMEOUT", 6*time.Hour),
		RequestRate:     r.rate("REQUEST_ENTRY_THROTTLE_RATES", "150/minute"),
		NewcomerRate:    r.rate("MEETD_REQUEST_ENTRY_ANONYMOUS_THROTTLE_RATES", "600/minute"),
	}
	if (&http.Cookie{Name: l.Cookie}).String() == "" {
		r.faultf("LOBBY_COOKIE_NAME: %s is not a name for a cookie; use letters and digits", quote(l.Cookie))
	}
	return l
}
