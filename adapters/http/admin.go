package http

import (
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/adapters/http/admin"
	"meetd/domain/user"
)

// host lends the administration our sessions and CSRF tokens.
func (s *Server) host() admin.Host {
	return admin.Host{
		Secret: s.secret,
		Client: s.clientAddress,
		CheckCSRF: func(c echo.Context) error {
			c.Set(keyPage, true)
			return s.checkCSRF(c)
		},
		Token: s.formToken,
		LogIn: s.logInHere,
		LogOut: func(c echo.Context) {
			c.SetCookie(s.cookie(s.Config.SessionCookie, "", -1, true))
		},
		Known:  func(c echo.Context, id uuid.UUID) { c.Set(keyUser, &user.User{ID: id}) },
		Failed: func(c echo.Context, err error) { c.Set(keyFault, err) },
	}
}

// logInHere gives a browser the cookies of a new session.
func (s *Server) logInHere(c echo.Context, secret string) error {
	token, err := csrfToken()
	if err != nil {
		return err
	}
	c.SetCookie(s.cookie(s.Config.SessionCookie, secret, int(s.Config.SessionAge.Seconds()), true))
	c.SetCookie(s.cookie(csrfCookie, token, csrfAge, false))
	return nil
}

// formToken is what a form of ours sends back: the secret of the cookie under a new
// mask. A browser that has no such cookie gets one.
func (s *Server) formToken(c echo.Context) (string, error) {
	secret := ""
	if cookie, err := c.Cookie(csrfCookie); err == nil {
		secret, _ = unmask(cookie.Value)
	}
	if secret == "" {
		var err error
		if secret, err = csrfToken(); err != nil {
			return "", err
		}
		c.SetCookie(s.cookie(csrfCookie, secret, csrfAge, false))
	}
	mask, err := csrfToken()
	if err != nil {
		return "", err
	}
	return masked(mask, secret), nil
}

// masked is the other way round than unmask.
func masked(mask, secret string) string {
	cipher := make([]byte, csrfLength)
	for i := range cipher {
		sum := strings.IndexByte(csrfLetters, mask[i]) + strings.IndexByte(csrfLetters, secret[i])
		cipher[i] = csrfLetters[sum%len(csrfLetters)]
	}
	return mask + string(cipher)
}
