package http

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"meetd/adapters/http/admin"
	"meetd/app/accounts"
	"meetd/app/diagnostics"
	"meetd/app/dialin"
	"meetd/app/entry"
	"meetd/app/media"
	"meetd/app/moderation"
	"meetd/app/outgoing"
	"meetd/app/recordings"
	"meetd/app/rooms"
	"meetd/domain/fault"
	"meetd/ports"
)

// API is where the first-party API begins.
const API = "/api/v1.0"

// Config is what the installation decides about HTTP (settings.md §2).
type Config struct {
	AllowedHosts    []string // names without port; a leading dot for all subdomains; * for all
	TrustedOrigins  []string // DJANGO_CSRF_TRUSTED_ORIGINS
	TrustProto      bool     // X-Forwarded-Proto tells the scheme
	RedirectToHTTPS bool
	HSTS            string // header value on secure answers; empty: none
	CORSAll         bool
	CORSOrigins     []string
	CORSPatterns    []*regexp.Regexp

	SessionCookie string
	SessionAge    time.Duration
	SecureCookies bool

	TrustedProxies []netip.Prefix // may be handed signatures for the store
	MediaProxy     MediaProxy     // who asks whether a download is allowed
	MediaDelivery  MediaDelivery  // what we do with /media/ ourselves
	VersionFile    string

	ReturnToParam string // OIDC_REDIRECT_FIELD_NAME
	FrontEnd      []byte // answer of the config endpoint
	KeySet        []byte // served at /jwks
	KeySetFault   string // why there is none
	LogoutByGet   bool   // ALLOW_LOGOUT_GET_METHOD
	LiveKitURL    string // as browsers get it
	Language      string // of mails to who does not say (DJANGO_LANGUAGE_CODE)

	LobbyCookie      string
	RequestEntryRate ports.Rate // of one person who asks to be let in
	NewcomerRate     ports.Rate // of guests from one address who bring no cookie
	CallbackRate     ports.Rate // of those from one address who ask for a new room

	// ForbiddenPermissions must not be set for a participant
	// (PARTICIPANT_FORBIDDEN_PERMISSION_FIELDS).
	ForbiddenPermissions []string

	RoomKit  RoomKitConfig
	TestRate ports.Rate // of connection tests, for each person or address

	StorageHook HookConfig
	ProcessHook HookConfig // of the summary service
	Events      HookConfig // who may read what was announced
	APIDocs     bool       // the description of the API is served
	// Webhooks of rooms that another installation on the same LiveKit owns.
	WebhookFilter     *regexp.Regexp // on the room name; nil: all rooms
	ConnectionTestTag string         // prefix of rooms whose webhooks are ignored
}

// MediaDelivery is what happens to a download that no proxy serves.
type MediaDelivery string

// The deliveries; any other is none.
const (
	Stream   MediaDelivery = "stream"   // we send the file
	Redirect MediaDelivery = "redirect" // we send the browser to the store
)

// HookConfig says who may call a hook.
type HookConfig struct {
	Enabled bool
	Auth    bool   // require the token
	Token   string // empty: nobody may
}

// Server answers HTTP.
type Server struct {
	Config      Config
	Accounts    *accounts.Service
	Rooms       *rooms.Service
	Entry       *entry.Service
	Recordings  *recordings.Service
	Media       *media.Service
	Moderation  *moderation.Service
	DialIn      *dialin.Service
	Diagnostics *diagnostics.Service
	Outgoing    *outgoing.Service
	Admin       *admin.Site
	Presences   ports.PresenceTokens
	Webhooks    ports.ConferenceEvents
	Throttle    ports.Throttle
	Ping        func(context.Context) error // the database
	Now         func() time.Time
	Log         *slog.Logger

	// Trace begins to follow a request, which goes on with what it returns, and
	// gives what ends that. nil: requests are not followed.
	Trace func(*http.Request) (followed *http.Request, end func(Exchange))
	// Answered is told of every request. nil: nobody is.
	Answered func(context.Context, Exchange)
}

// Exchange is a request and how it was answered, for those who watch.
type Exchange struct {
	ID     string
	Method string
	Route  string // the pattern; empty: none matched
	Status int
	Took   time.Duration
	Media  bool   // it asked whether a file may be downloaded, or for the file
	Err    error  // that was answered; nil: none was
	Stack  []byte // where it panicked; nil: it did not
}

// Handler builds the routes.
func (s *Server) Handler() http.Handler {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.writeError
	e.Pre(s.observe, s.guard, decodePath, s.appendSlash(e), plainQuery)
	for _, ep := range s.endpoints() {
		h := s.serve(ep)
		e.Any(ep.path, h)
		e.RouteNotFound(ep.path, h) // methods that the framework does not know
	}
	for _, path := range absent {
		e.Any(path, notThere)
		e.RouteNotFound(path, notThere)
	}
	if s.Admin != nil {
		s.Admin.Mount(e, s.host())
	}
	if h := map[MediaDelivery]echo.HandlerFunc{Stream: s.streamMedia, Redirect: s.redirectMedia}[s.Config.MediaDelivery]; h != nil {
		e.Match([]string{http.MethodGet, http.MethodHead}, mediaPath, h)
	}
	if s.Config.MediaProxy == Envoy {
		e.Any(mediaAuthPath+"*", s.authorizeMedia)
	}
	if s.Config.APIDocs {
		e.GET(API+"/swagger.json", describe)
		e.GET(API+"/swagger/", describePage)
		e.GET(API+"/redoc/", describePage)
	}
	e.Match([]string{http.MethodGet, http.MethodHead}, "/jwks", s.keySet)
	for path, h := range map[string]echo.HandlerFunc{
		"/__heartbeat__": s.heartbeat, "/__lbheartbeat__": s.lbHeartbeat, "/__version__": s.version,
	} {
		e.GET(path, h)
		e.GET(path+"/", h)
	}
	return e
}

// absent are routes of the contract whose feature there is not: they answer what
// the Django backend answers where it is switched off, to anybody and any method.
var absent = []string{API + "/files/", API + "/files/*", API + "/addons/sessions/*"}

func notThere(echo.Context) error { return fault.New(fault.NotFound, "feature_off") }

// endpoints is the one table of all API routes.
func (s *Server) endpoints() []endpoint {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []endpoint{
		{API + "/", open, methods{get: s.root}},
		{API + "/config/", open, methods{get: s.frontEnd}},
		{API + "/users/", loggedIn, methods{get: s.listUsers}},
		{API + "/users/me/", loggedIn, methods{get: s.me}},
		{API + "/users/:id/", loggedIn, methods{put: s.replaceUser, patch: s.changeUser}},
		{API + "/rooms/", anybody, methods{get: s.listRooms, post: s.mustLogIn(s.createRoom), otherwise: isLoggedIn}},
		{API + "/rooms/webhooks-livekit/", anybody, methods{post: s.liveKitHook}},
		{API + "/rooms/creation-callback/", anybody, methods{post: s.takeCallback}},
		{API + "/rooms/:id/", anybody, methods{
			get: s.retrieveRoom, put: s.mustLogIn(s.replaceRoom), patch: s.mustLogIn(s.changeRoom), del: s.mustLogIn(s.deleteRoom),
			otherwise: isLoggedIn,
		}},
		{API + "/rooms/:id/invite/", loggedIn, methods{post: s.invite}},
		{API + "/rooms/:id/request-entry/", anybody, methods{post: s.requestEntry}},
		{API + "/rooms/:id/enter/", loggedIn, methods{post: s.decideEntry}},
		{API + "/rooms/:id/waiting-participants/", loggedIn, methods{get: s.listWaiting}},
		{API + "/rooms/:id/start-recording/", loggedIn, methods{post: s.startRecording}},
		{API + "/rooms/:id/stop-recording/", loggedIn, methods{post: s.stopRecording}},
		{API + "/rooms/:id/mute-participant/", presentOrNot, methods{post: s.muteParticipant}},
		{API + "/rooms/:id/update-participant/", loggedIn, methods{post: s.updateParticipant}},
		{API + "/rooms/:id/remove-participant/", loggedIn, methods{post: s.removeParticipant}},
		{API + "/rooms/:id/update-participant-role/", loggedIn, methods{post: s.assignRole}},
		{API + "/rooms/:id/rename/", present, methods{post: s.renameParticipant}},
		{API + "/rooms/:id/toggle-hand/", present, methods{post: s.toggleHand}},
		{API + "/rooms/:id/start-subtitle/", present, methods{post: s.startSubtitle}},
		{API + "/roomkit/join/", open, methods{post: s.joinRoomKit, otherwise: s.isGateway}},
		{API + "/diagnostics/connection/", anybody, methods{post: s.testConnection}},
		{API + "/resource-accesses/", loggedIn, methods{get: s.listAccesses, post: s.createAccess}},
		{API + "/resource-accesses/:id/", loggedIn, methods{
			get: s.retrieveAccess, put: s.replaceAccess, patch: s.changeAccess, del: s.deleteAccess,
		}},
		{mediaAuthPath, asked, methods{get: s.authorizeMedia}},
		{API + "/recordings/storage-hook/", open, methods{post: s.storageHook, otherwise: s.isStore}},
		{API + "/recordings/external-process-hook/", open, methods{post: s.processHook, otherwise: s.isWorker}},
		{API + "/recordings/events/", open, methods{get: s.listEvents, otherwise: s.isListener}},
		{API + "/recordings/", loggedIn, methods{get: s.listRecordings}},
		{API + "/recordings/:id/", loggedIn, methods{get: s.retrieveRecording, del: s.deleteRecording}},
		{API + "/authenticate/", pages, methods{get: s.startLogin}},
		{API + "/callback/", pages, methods{get: s.finishLogin}},
		{API + "/logout/", forms, s.logoutMethods()},
		{API + "/logout-callback/", pages, methods{get: s.finishLogout}},
		{API + "/backchannel-logout/", pages, methods{post: s.logoutByProvider}},
	}
}

// isAllowedHost checks the host of a request or an URL, with or without port.
func (c Config) isAllowedHost(host string) bool {
	if host == "" { // HTTP/1.0 needs none, and probes of load balancers speak it
		return slices.Contains(c.AllowedHosts, "*")
	}
	host, ok := hostName(host)
	if !ok {
		return false
	}
	return slices.ContainsFunc(c.AllowedHosts, func(allowed string) bool {
		allowed = strings.ToLower(strings.Trim(allowed, "[]"))
		return allowed == "*" || allowed == host ||
			(strings.HasPrefix(allowed, ".") && (strings.HasSuffix(host, allowed) || host == allowed[1:]))
	})
}

// hostName takes the port off a host, and makes it lower case. It is not ok when
// that is no host: it becomes a part of our addresses.
func hostName(host string) (name string, ok bool) {
	name, port := host, ""
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		name, port = host[:at], host[at+1:]
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return "", false
		}
	}
	name = strings.ToLower(name)
	if address, isAddress := strings.CutPrefix(name, "["); isAddress {
		address, closed := strings.CutSuffix(address, "]")
		return address, closed && strings.Contains(address, ":") && strings.Trim(address, "0123456789abcdef:.") == ""
	}
	name = strings.TrimSuffix(name, ".")
	return name, name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// OwnHost reports whether an absolute URL with this host is one of ours.
func (c Config) OwnHost(host string) bool { return c.isAllowedHost(host) }

// secure reports whether the browser came by https.
func (s *Server) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return s.Config.TrustProto && strings.TrimSpace(first) == "https"
}

// absolute makes a URL of ours absolute, as the browser sees it.
func (s *Server) absolute(r *http.Request, path string) string {
	scheme := "http"
	if s.secure(r) {
		scheme = "https"
	}
	return scheme + "://" + r.Host + path
}
