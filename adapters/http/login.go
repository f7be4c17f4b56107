package http

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/app/accounts"
	"meetd/domain/fault"
)

const (
	callbackPath       = API + "/callback/"
	logoutCallbackPath = API + "/logout-callback/"
)

func (s *Server) startLogin(c echo.Context) error {
	r := c.Request()
	to, err := s.Accounts.StartLogin(r.Context(), accounts.LoginStart{
		Secret: s.secret(c), Client: s.clientAddress(r), Host: r.Host, ReturnTo: queryParam(c, s.Config.ReturnToParam),
		Silent: strings.EqualFold(queryParam(c, "silent"), "true"), Hint: queryParam(c, "login_hint"),
		CallbackURL: s.absolute(r, callbackPath),
	})
	return s.follow(c, to, err)
}

func (s *Server) finishLogin(c echo.Context) error {
	r := c.Request()
	to, err := s.Accounts.FinishLogin(r.Context(), accounts.LoginAnswer{
		Secret: s.secret(c), Client: s.clientAddress(r), Code: queryParam(c, "code"), State: queryParam(c, "state"), Error: queryParam(c, "error"),
		CallbackURL: s.absolute(r, callbackPath),
	})
	return s.follow(c, to, err)
}

// logoutMethods leaves out GET where it is switched off.
func (s *Server) logoutMethods() methods {
	m := methods{http.MethodPost: s.startLogout}
	if s.Config.LogoutByGet {
		m[http.MethodGet] = s.startLogout
	}
	return m
}

func (s *Server) startLogout(c echo.Context) error {
	to, err := s.Accounts.StartLogout(c.Request().Context(), s.secret(c), s.absolute(c.Request(), logoutCallbackPath))
	return s.follow(c, to, err)
}

func (s *Server) finishLogout(c echo.Context) error {
	to, err := s.Accounts.FinishLogout(c.Request().Context(), s.secret(c), queryParam(c, "state"))
	return s.follow(c, to, err)
}

// logoutByProvider is the back-channel logout (oidc.md §6).
func (s *Server) logoutByProvider(c echo.Context) error {
	c.Response().Header()["Cache-Control"] = noStore
	body, err := readAll(c, maxBody)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return fault.Wrap(fault.Invalid, "logout_token_missing", err)
	}
	if err := s.Accounts.EndByProvider(c.Request().Context(), form.Get("logout_token"), s.clientAddress(c.Request())); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// keySet publishes the key that others encrypt to (oidc.md §8).
func (s *Server) keySet(c echo.Context) error {
	if s.Config.KeySet == nil {
		return respond(c, http.StatusInternalServerError, map[string]string{"error": s.Config.KeySetFault})
	}
	return c.Blob(http.StatusOK, "application/json", s.Config.KeySet)
}

// follow sets the cookies and sends the browser on.
func (s *Server) follow(c echo.Context, to accounts.Redirect, err error) error {
	c.Response().Header()["Cache-Control"] = noStore
	if err != nil {
		return err
	}
	if to.Secret != "" {
		c.SetCookie(s.cookie(s.Config.SessionCookie, to.Secret, int(s.Config.SessionAge.Seconds()), true))
	}
	if to.Logout {
		c.SetCookie(s.cookie(s.Config.SessionCookie, "", -1, true))
	}
	if to.Login {
		token, err := csrfToken()
		if err != nil {
			return err
		}
		c.SetCookie(s.cookie(csrfCookie, token, csrfAge, false))
	}
	return c.Redirect(http.StatusFound, escaped(to.URL))
}

// escaped makes an address fit for a header: what is no ASCII, and what stands
// in no address, is percent-encoded.
func escaped(address string) string {
	var b strings.Builder
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"<>^{|}`+"`", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (s *Server) cookie(name, value string, maxAge int, httpOnly bool) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: httpOnly, Secure: s.Config.SecureCookies, SameSite: http.SameSiteLaxMode,
	}
}

// csrfToken draws a token that pages can read and send back.
func csrfToken() (string, error) {
	token := make([]byte, csrfLength)
	for i := range token {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(csrfLetters))))
		if err != nil {
			return "", err //nolint:wrapcheck // crypto/rand does not fail
		}
		token[i] = csrfLetters[n.Int64()]
	}
	return string(token), nil
}
