package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/app/accounts"
	"meetd/app/administration"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// Root is where the site begins.
const Root = "/admin/"

// Host is what the server lends: sessions and CSRF are the same everywhere.
type Host struct {
	Secret    func(c echo.Context) string               // of the session cookie; empty without one
	Client    func(r *http.Request) string              // address to count by
	CheckCSRF func(c echo.Context) error                // also reads the form
	Token     func(c echo.Context) (string, error)      // for a form; sets the cookie that it is compared with
	LogIn     func(c echo.Context, secret string) error // sets the cookies of a new session
	LogOut    func(c echo.Context)                      // forgets the cookie
	Known     func(c echo.Context, id uuid.UUID)        // who asks, for the log
	Failed    func(c echo.Context, err error)           // what was answered, for the log
}

// Site is the administration.
type Site struct {
	Service  *administration.Service
	Accounts *accounts.Service
	// Provider is where a login with OpenID Connect begins, up to the address to come
	// back to; empty: there is none.
	Provider string
}

// request is one request of somebody who may use the administration.
type request struct {
	echo.Context
	op  user.Operator
	key ports.SessionKey
}

type handler func(c *request) error

// route is a page: post may be nil, and get where there is nothing to be read.
type route struct {
	path string
	get  handler
	post handler
}

// routes is the one table of all pages for which one must be logged in.
func (h *hosted) routes() []route {
	users, groups, rooms, recordings := h.users(), h.groups(), h.rooms(), h.recordings()
	return []route{
		{"/admin/", h.index, nil},
		{"/admin/core/user/", h.listUsers, users.act},
		{"/admin/core/user/add/", h.newUser, h.addUser},
		{"/admin/core/user/:id/change/", users.of(h.showUser), users.of(h.changeUser)},
		{"/admin/core/user/:id/password/", users.of(h.showPassword), users.of(h.setPassword)},
		{"/admin/core/user/:id/end-sessions/", nil, users.of(h.endSessions)},
		{"/admin/core/user/:id/delete/", users.of(users.confirm), users.of(users.delete)},
		{"/admin/auth/group/", h.listGroups, groups.act},
		{"/admin/auth/group/add/", h.newGroup, h.addGroup},
		{"/admin/auth/group/:id/change/", groups.of(h.showGroup), groups.of(h.changeGroup)},
		{"/admin/auth/group/:id/delete/", groups.of(groups.confirm), groups.of(groups.delete)},
		{"/admin/core/room/", h.listRooms, rooms.act},
		{"/admin/core/room/add/", h.newRoom, h.addRoom},
		{"/admin/core/room/:id/change/", rooms.of(h.showRoom), rooms.of(h.changeRoom)},
		{"/admin/core/room/:id/delete/", rooms.of(rooms.confirm), rooms.of(rooms.delete)},
		{"/admin/core/recording/", h.listRecordings, h.actOnRecordings},
		{"/admin/core/recording/:id/change/", recordings.of(h.showRecording), recordings.of(h.changeRecording)},
		{"/admin/core/recording/:id/hold/", nil, recordings.of(h.hold)},
		{"/admin/core/recording/:id/release/", nil, recordings.of(h.release)},
		{"/admin/core/recording/:id/delete/", recordings.of(recordings.confirm), recordings.of(recordings.delete)},
		{"/admin/stuck-recordings/", h.listStuck, h.actOnStuck},
		{"/admin/jobs/", h.listJobs, h.actOnJobs},
		{"/admin/log/", h.listLog, nil},
	}
}

// hosted is a site in its server.
type hosted struct {
	Site
	host Host
}

// Mount adds the pages and their style sheet to a server.
func (s Site) Mount(e *echo.Echo, host Host) {
	h := &hosted{s, host}
	group := e.Group("/admin", h.page)
	add := func(path string, get, post echo.HandlerFunc) {
		path = strings.TrimPrefix(path, "/admin")
		if get != nil {
			group.Match(reading, path, get)
			group.Match(reading, strings.TrimSuffix(path, "/"), addSlash)
		}
		if post != nil {
			group.POST(path, post)
		}
	}
	add("/admin/login/", h.showLogin, h.logIn)
	add("/admin/logout/", nil, h.logOut)
	for _, r := range h.routes() {
		add(r.path, h.staff(r.get), h.staff(r.post))
	}
	group.Match(reading, "/*", h.staff(func(*request) error { return fault.New(fault.NotFound, "path") }))
	e.Match(reading, stylePath, style)
}

var reading = []string{http.MethodGet, http.MethodHead}

// addSlash sends a reader to the page's one address.
func addSlash(c echo.Context) error {
	u := *c.Request().URL
	target := url.URL{Path: u.Path + "/", RawQuery: u.RawQuery}
	return c.Redirect(http.StatusMovedPermanently, target.String())
}

// policy lets browsers load our style sheet and nothing else, and send forms to us
// and nobody else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// page holds what concerns every page.
func (h *hosted) page(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Cache-Control", "no-store")
		header.Add("Vary", "Cookie")
		// Pages of other origins may use the API where that is configured, and never
		// read these.
		header.Del("Access-Control-Allow-Origin")
		header.Del("Access-Control-Allow-Credentials")
		if err := next(c); err != nil {
			return h.refuse(c, err)
		}
		return nil
	}
}

// staff lets members of staff through; others are asked to log in, or refused.
func (h *hosted) staff(do handler) echo.HandlerFunc {
	if do == nil {
		return nil
	}
	return func(c echo.Context) error {
		r, err := h.identify(c)
		if errors.Is(err, fault.Unauthenticated) {
			return c.Redirect(http.StatusFound, "/admin/login/?next="+url.QueryEscape(c.Request().URL.RequestURI()))
		} else if err != nil {
			return err
		}
		if c.Request().Method == http.MethodPost {
			if err := h.host.CheckCSRF(c); err != nil {
				return err
			}
		}
		return do(r)
	}
}

// keyOperator is where the operator of a request is kept, for error pages.
const keyOperator = "operator"

// identify finds out who asks; see administration.Operator.
func (h *hosted) identify(c echo.Context) (*request, error) {
	secret := h.host.Secret(c)
	if secret == "" {
		return nil, fault.New(fault.Unauthenticated, "credentials")
	}
	r := &request{Context: c, key: accounts.Key(secret)}
	var err error
	r.op, err = h.Service.Operator(c.Request().Context(), r.key)
	if r.op.ID != uuid.Nil {
		h.host.Known(c, r.op.ID)
		c.Set(keyOperator, r.op)
	}
	return r, err
}

func (c *request) form(name string) string { return c.Request().PostForm.Get(name) }

// tell leaves notes for the next page and goes there.
func (h *hosted) tell(c *request, to string, notes ...user.Note) error {
	if err := h.Service.Tell(c.Request().Context(), c.key, notes...); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to)
}

func done(text string) user.Note { return user.Note{Level: user.Success, Text: text} }

func warn(text string) user.Note { return user.Note{Level: user.Warning, Text: text} }

// nothingSelected is what Django's admin says.
const nothingSelected = "Items must be selected in order to perform actions on them. No items have been changed."

// nothingChanged is said when a form was saved as it was shown.
const nothingChanged = "Nothing was changed."
