package http

import (
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// policy says who may reach an endpoint.
type policy int

const (
	open policy = iota // the session is not looked at
	// asked by proxies, which may pass on what a browser accepts for its file:
	// nothing is negotiated, and the session is looked at by whoever answers.
	asked
	anybody  // with or without a session
	loggedIn // only with one
	// present endpoints look at the token that a participant joined with, and
	// never at the session. Whether there must be one is said by the use case.
	present
	presentOrNot // a token counts alone when there is one; else the session
	// pages are for people with a browser: nothing is negotiated, refusals are
	// pages. The session is looked at by whoever answers.
	pages
	forms // pages whose writes must show the CSRF token, whoever asks
)

type methods map[string]echo.HandlerFunc

// otherwise is what is asked of a request before it is told that its method is not
// there, on endpoints whose policy alone does not decide who may come.
const otherwise = ""

// endpoint is one path with all its methods.
type endpoint struct {
	path    string
	policy  policy
	methods methods
}

// allowed lists the methods in the contract's order.
func (m methods) allowed() string {
	var names []string
	for _, name := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} {
		like := name
		if name == http.MethodHead {
			like = http.MethodGet
		}
		if _, ok := m[like]; ok || name == http.MethodOptions {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// serve runs the checks of an endpoint in the order of http-overview.md §3.5:
// negotiation, authentication with CSRF, permission, throttle, method.
func (s *Server) serve(ep endpoint) echo.HandlerFunc {
	allow, limit := []string{ep.methods.allowed()}, s.limits()[ep.path]
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		h["Allow"] = allow
		if err := s.admit(c, ep.policy); err != nil {
			return err
		}
		if limit != nil {
			if err := s.count(c, limit(c)); err != nil {
				return err
			}
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		handler, ok := ep.methods[method]
		if !ok {
			if method == http.MethodOptions {
				return c.NoContent(http.StatusNoContent)
			}
			if may := ep.methods[otherwise]; may != nil {
				if err := may(c); err != nil {
					return err
				}
			}
			return fault.About(fault.Invalid, "method", r.Method)
		}
		return handler(c)
	}
}

// admit is what an endpoint asks of a request before its method matters.
func (s *Server) admit(c echo.Context, p policy) error {
	switch p {
	case asked:
		return nil
	case pages:
		c.Set(keyPage, true)
		return nil
	case forms:
		c.Set(keyPage, true)
		return s.checkCSRF(c)
	case open, anybody, loggedIn, present, presentOrNot:
	}
	if !acceptsJSON(c.Request().Header.Get("Accept")) {
		return fault.New(fault.Invalid, "not_acceptable")
	}
	if p == open {
		return nil
	}
	if p == present || p == presentOrNot {
		if shown, err := s.identify(c); shown || err != nil || p == present {
			return err
		}
	}
	c.Response().Header().Add("Vary", "Cookie")
	if err := s.authenticate(c); err != nil {
		return err
	}
	if p == loggedIn && current(c) == nil {
		return fault.New(fault.Unauthenticated, "credentials")
	}
	return nil
}

// mustLogIn is for a method that is not open to everybody on an endpoint whose
// other methods are.
func (s *Server) mustLogIn(h echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := isLoggedIn(c); err != nil {
			return err
		}
		return h(c)
	}
}

// isLoggedIn refuses who is not.
func isLoggedIn(c echo.Context) error {
	if current(c) == nil {
		return fault.New(fault.Unauthenticated, "credentials")
	}
	return nil
}

func acceptsJSON(accept string) bool {
	if accept == "" || strings.Contains(accept, "*/*") {
		return true
	}
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, err := mime.ParseMediaType(part)
		if err == nil && (kind == "application/json" || kind == "application/*") {
			return true
		}
	}
	return false
}

// current is the account of the request; nil for an anonymous visitor.
func current(c echo.Context) *user.User {
	u, _ := c.Get(keyUser).(*user.User)
	return u
}

// presence is what the participant's token of the request says; nil without one.
func presence(c echo.Context) *ports.Presence {
	p, _ := c.Get(keyPresence).(*ports.Presence)
	return p
}

// identify reads the token that a participant joined with, and reports whether
// one is shown. A browser never sends it by itself, so no CSRF token goes with
// it (http-overview.md §3.3).
func (s *Server) identify(c echo.Context) (shown bool, err error) {
	header := c.Request().Header.Get("Authorization")
	if header == "" {
		return false, nil
	}
	parts := strings.Fields(header)
	if len(parts) != 2 || !strings.EqualFold(parts[0], "bearer") {
		return true, fault.New(fault.Forbidden, "livekit_header")
	}
	p, err := s.Presences.Verify(parts[1])
	if err != nil {
		return true, err
	}
	c.Set(keyPresence, &p)
	return true, nil
}

// authenticate finds out who asks. A session is a cookie that browsers send by
// themselves, so whoever writes with it must also show the CSRF token.
func (s *Server) authenticate(c echo.Context) error {
	u, err := s.Accounts.User(c.Request().Context(), s.secret(c))
	if err != nil || u == nil {
		return err
	}
	if err := s.checkCSRF(c); err != nil {
		return err
	}
	c.Set(keyUser, u)
	return nil
}

// secret is the session cookie; empty without one.
func (s *Server) secret(c echo.Context) string {
	cookie, err := c.Cookie(s.Config.SessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

const (
	csrfCookie = "csrftoken"
	csrfHeader = "X-CSRFToken"
	csrfField  = "csrfmiddlewaretoken"
	csrfLength = 32
	csrfAge    = 31449600 // seconds: 52 weeks
)

func csrfFault(why string) error { return fault.About(fault.Forbidden, "csrf", why) }

// checkCSRF is http-overview.md §3.2.
func (s *Server) checkCSRF(c echo.Context) error {
	r := c.Request()
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return nil
	}
	if err := s.checkOrigin(r); err != nil {
		return err
	}
	cookie, err := c.Cookie(csrfCookie)
	if err != nil || cookie.Value == "" {
		return csrfFault("CSRF cookie not set.")
	}
	secret, why := unmask(cookie.Value)
	if why != "" {
		return csrfFault("CSRF cookie " + why)
	}
	token, where := csrfShown(c)
	if token == "" {
		return csrfFault("CSRF token missing.")
	}
	shown, why := unmask(token)
	if why != "" {
		return csrfFault("CSRF token from " + where + " " + why)
	}
	if subtle.ConstantTimeCompare([]byte(shown), []byte(secret)) != 1 {
		return csrfFault("CSRF token from " + where + " incorrect.")
	}
	return nil
}

// csrfShown is the token that only a page of ours can know: from the header, or,
// where browsers post forms by themselves, from a field.
func csrfShown(c echo.Context) (token, where string) {
	r := c.Request()
	if token = r.Header.Get(csrfHeader); token == "" && r.Method == http.MethodPost && c.Get(keyPage) != nil {
		r.Body = http.MaxBytesReader(c.Response(), r.Body, maxBody)
		if token = r.PostFormValue(csrfField); token != "" {
			return token, "POST"
		}
	}
	return token, "the 'X-Csrftoken' HTTP header"
}

func (s *Server) checkOrigin(r *http.Request) error {
	self := s.absolute(r, "")
	if origin := r.Header.Get("Origin"); origin != "" {
		if origin == self || s.trusts(origin) {
			return nil
		}
		return csrfFault("Origin checking failed - " + origin + " does not match any trusted origins.")
	}
	if !s.secure(r) {
		return nil
	}
	referer := r.Referer()
	if referer == "" {
		return csrfFault("Referer checking failed - no Referer.")
	}
	u, err := url.Parse(referer)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return csrfFault("Referer checking failed - Referer is malformed.")
	case u.Scheme != "https":
		return csrfFault("Referer checking failed - Referer is insecure while host is secure.")
	case "https://"+u.Host != self && !s.trusts("https://"+u.Host):
		return csrfFault("Referer checking failed - " + referer + " does not match any trusted origins.")
	}
	return nil
}

// trusts reports whether an origin is configured as ours; https://*.example.org
// stands for all subdomains.
func (s *Server) trusts(origin string) bool {
	return slices.ContainsFunc(s.Config.TrustedOrigins, func(t string) bool {
		scheme, domain, wild := strings.Cut(t, "://*.")
		if !wild {
			return t == origin
		}
		host, ok := strings.CutPrefix(origin, scheme+"://")
		return ok && strings.HasSuffix(host, "."+domain)
	})
}

const csrfLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// unmask reads a token: the secret itself, or the 64-character form, which is a
// mask and the secret shifted by it letter by letter. why is empty when it is one.
func unmask(token string) (secret, why string) {
	if len(token) != csrfLength && len(token) != 2*csrfLength {
		return "", "has incorrect length."
	}
	if strings.TrimLeft(token, csrfLetters) != "" {
		return "", "has invalid characters."
	}
	if len(token) == csrfLength {
		return token, ""
	}
	mask, cipher := token[:csrfLength], token[csrfLength:]
	plain := make([]byte, csrfLength)
	for i := range plain {
		shift := strings.IndexByte(csrfLetters, cipher[i]) - strings.IndexByte(csrfLetters, mask[i])
		plain[i] = csrfLetters[(shift+len(csrfLetters))%len(csrfLetters)]
	}
	return string(plain), ""
}
