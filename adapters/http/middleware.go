package http

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/ports/discreet"
)

const (
	keyUser  = "user"  // *user.User of the request
	keyFault = "fault" // error that was answered
	keyPage  = "page"  // set when refusals are pages

	keyPresence = "presence" // *ports.Presence of the request
)

// observe gives the request an id, survives panics, and logs one event when it
// is answered. It is outermost, so that nothing is answered without it.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		start := s.Now()
		r, w := c.Request(), c.Response()
		id := r.Header.Get(echo.HeaderXRequestID)
		if !plausibleID(id) {
			id = rand.Text()
		}
		w.Header().Set(echo.HeaderXRequestID, id)
		end := s.traced(c)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // the value itself is the signal
					defer panic(p)
				} else {
					err = &panicError{value: p, stack: debug.Stack()}
				}
			}
			if err != nil {
				c.Error(err)
			}
			x := exchange(c, id, s.Now().Sub(start))
			s.logRequest(c, x)
			if s.Answered != nil {
				s.Answered(c.Request().Context(), x)
			}
			if end != nil {
				end(x)
			}
			err = nil
		}()
		return next(c)
	}
}

// clientAddress is where a request comes from, to count by: what the trusted
// proxies say, else the peer. What a client writes into the header itself counts
// for nothing. Of an IPv6 address the network counts, since people have a whole
// one each.
func (s *Server) clientAddress(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	at := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for len(hops) > 0 && s.isTrustedProxy(at) {
		hop := strings.TrimSpace(hops[len(hops)-1])
		before, err := netip.ParseAddr(hop)
		if err != nil { // some proxies add the port
			withPort, err := netip.ParseAddrPort(hop)
			if err != nil {
				break
			}
			before = withPort.Addr()
		}
		at, hops = before.Unmap(), hops[:len(hops)-1]
	}
	if at.Is6() {
		network, _ := at.WithZone("").Prefix(64) // an IPv6 address has that many bits
		return network.String()
	}
	return at.String()
}

func plausibleID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// traced has the request followed, and gives what ends that; nil when nobody
// follows.
func (s *Server) traced(c echo.Context) (end func(Exchange)) {
	if s.Trace == nil {
		return nil
	}
	r, end := s.Trace(c.Request())
	c.SetRequest(r)
	return end
}

// exchange is what happened.
func exchange(c echo.Context, id string, took time.Duration) Exchange {
	x := Exchange{ID: id, Method: c.Request().Method, Route: c.Path(), Status: c.Response().Status, Took: took}
	x.Media = isMediaAuth(x.Route) || x.Route == mediaPath
	x.Err, _ = c.Get(keyFault).(error)
	if x.Err != nil {
		var p *panicError
		if errors.As(x.Err, &p) {
			x.Stack = p.stack
		}
	}
	return x
}

// logRequest logs what happened. What an ingress was allowed is in its own log, and
// who downloaded what in the audit trail: it would be a line for each part of a film
// that somebody looks at.
func (s *Server) logRequest(c echo.Context, x Exchange) {
	ctx, level := c.Request().Context(), slog.LevelInfo
	failed := x.Stack != nil || x.Err != nil && x.Status >= http.StatusInternalServerError
	switch {
	case failed:
		level = slog.LevelError
	case x.Status < http.StatusBadRequest && isMediaAuth(x.Route):
		level = slog.LevelDebug
	}
	if !s.Log.Enabled(ctx, level) {
		return
	}
	attrs := [9]slog.Attr{ // of the usual five none is allocated
		slog.String("id", x.ID), slog.String("method", x.Method), slog.String("route", x.Route),
		slog.Int("status", x.Status), slog.Duration("took", x.Took),
	}
	n := 5
	add := func(a slog.Attr) { attrs[n] = a; n++ }
	if u := current(c); u != nil {
		add(slog.String("user", u.ID.String()))
	}
	var f *fault.Error
	if errors.As(x.Err, &f) {
		add(slog.String("fault", f.Code))
	}
	if failed && x.Err != nil {
		add(slog.String("error", discreet.Text(x.Err.Error())))
	}
	if x.Stack != nil {
		add(slog.String("stack", string(x.Stack)))
	}
	s.Log.LogAttrs(ctx, level, "request", attrs[:n]...)
}

// guard holds what concerns every answer: known host, https, security headers,
// CORS. The two heartbeats are asked by pods' addresses over plain http.
func (s *Server) guard(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		proxied := isMediaAuth(r.URL.Path) // that answer goes to a proxy, not to a browser
		if !proxied {
			h["X-Frame-Options"] = deny
			h["X-Content-Type-Options"] = nosniff
			h["Referrer-Policy"] = sameOrigin
			h["Cross-Origin-Opener-Policy"] = sameOrigin
			h.Set("Vary", "origin")
		}
		// What is no path, as x:@evil, would be sent on as a part of our address.
		if r.URL.Opaque != "" || !s.Config.isAllowedHost(r.Host) {
			return fault.New(fault.Invalid, "host")
		}
		path := strings.TrimPrefix(r.URL.Path, "/")
		heartbeat := strings.HasPrefix(path, "__lbheartbeat__") || strings.HasPrefix(path, "__heartbeat__")
		if s.secure(r) {
			if s.Config.HSTS != "" {
				h.Set("Strict-Transport-Security", s.Config.HSTS)
			}
		} else if s.Config.RedirectToHTTPS && !heartbeat {
			return c.Redirect(http.StatusMovedPermanently, "https://"+r.Host+r.URL.RequestURI())
		}
		if proxied {
			return next(c)
		}
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		if origin := r.Header.Get("Origin"); origin != "" && s.corsAllowed(origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			if preflight {
				h.Set("Access-Control-Allow-Headers", "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with")
				h.Set("Access-Control-Allow-Methods", "DELETE, GET, OPTIONS, PATCH, POST, PUT")
				h.Set("Access-Control-Max-Age", "86400")
			}
		}
		if preflight { // answered for any path, to foreign origins without a word
			return c.NoContent(http.StatusOK)
		}
		return next(c)
	}
}

// Header values that never change are shared between answers.
var (
	deny       = []string{"DENY"}
	nosniff    = []string{"nosniff"}
	sameOrigin = []string{"same-origin"}
)

func (s *Server) corsAllowed(origin string) bool {
	if s.Config.CORSAll || slices.Contains(s.Config.CORSOrigins, origin) {
		return true
	}
	for _, p := range s.Config.CORSPatterns {
		if at := p.FindStringIndex(origin); at != nil && at[0] == 0 {
			return true
		}
	}
	return false
}

// decodePath has routes and their parameters found in the path as it is meant, not
// as it was written: a UUID may come as %7b…%7d. An escaped slash is in no path
// of the API (http-overview.md §1). What proxies ask about is left as it is.
func decodePath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if u.RawPath == "" || !strings.HasPrefix(u.Path, "/api/") || isMediaAuth(u.Path) {
			return next(c)
		}
		if strings.Contains(strings.ToUpper(u.RawPath), "%2F") {
			return echo.ErrNotFound
		}
		u.RawPath = ""
		return next(c)
	}
}

// appendSlash serves reads of a known path without its last slash, and sends
// everything else there: a write is never executed (http-overview.md §1).
func (s *Server) appendSlash(e *echo.Echo) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			u := c.Request().URL
			if u.Path != API && !strings.HasPrefix(u.Path, API+"/") || strings.HasSuffix(u.Path, "/") {
				return next(c)
			}
			probe := e.NewContext(c.Request(), nil)
			e.Router().Find(c.Request().Method, u.EscapedPath()+"/", probe)
			if probe.Path() == "" || !strings.HasSuffix(probe.Path(), "/") {
				return next(c)
			}
			if m := c.Request().Method; m == http.MethodGet || m == http.MethodHead {
				u.Path += "/"
				if u.RawPath != "" {
					u.RawPath += "/"
				}
				return next(c)
			}
			target := u.EscapedPath() + "/"
			if u.RawQuery != "" {
				target += "?" + u.RawQuery
			}
			return c.Redirect(http.StatusMovedPermanently, target)
		}
	}
}

// plainQuery has a query read as the contract's clients know it: only & separates,
// and a % that begins no escape is one. Go leaves such pairs out.
func plainQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if !strings.ContainsAny(u.RawQuery, ";%") || isMediaAuth(u.Path) {
			return next(c)
		}
		var b strings.Builder
		for i := range len(u.RawQuery) {
			switch at := u.RawQuery[i]; {
			case at == ';':
				b.WriteString("%3B")
			case at == '%' && !isEscape(u.RawQuery[i:]):
				b.WriteString("%25")
			default:
				b.WriteByte(at)
			}
		}
		u.RawQuery = b.String()
		return next(c)
	}
}

// isEscape reports whether a text begins with a % and two hexadecimal digits.
func isEscape(text string) bool {
	return len(text) >= 3 && strings.Trim(text[1:3], "0123456789abcdefABCDEF") == ""
}

// queryParam is a parameter of the query, empty without one. Of several of a name
// the last counts; bytes that are no text are replaced.
func queryParam(c echo.Context, name string) string {
	values := c.QueryParams()[name]
	if len(values) == 0 {
		return ""
	}
	return strings.ToValidUTF8(values[len(values)-1], "\ufffd")
}

// identifier is the :id of a room path: anything without slash or dot.
func identifier(c echo.Context) (string, error) {
	id := c.Param("id")
	if id == "" || strings.ContainsAny(id, "/.") {
		return "", fault.New(fault.NotFound, "path")
	}
	return id, nil
}

// pathID is the :id of all other paths: a UUID in any form.
func pathID(c echo.Context) (uuid.UUID, error) {
	id, ok := room.ParseID(c.Param("id"))
	if !ok {
		return uuid.Nil, fault.New(fault.NotFound, "path")
	}
	return id, nil
}
