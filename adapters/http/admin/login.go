package admin

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/app/accounts"
	"meetd/domain/fault"
)

// loginForm is the page one logs in on.
type loginForm struct {
	Username string
	Next     string
	Provider string // where to log in with OpenID Connect
	Problem  string
}

// target is where to go after a login: a page of this site, whatever was asked.
func target(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(next, Root) ||
		strings.Contains(next, `\`) || strings.ContainsFunc(next, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Root
	}
	return next
}

func (h *hosted) showLogin(c echo.Context) error {
	next := target(c.QueryParam("next"))
	_, err := h.identify(c)
	switch {
	case err == nil:
		return c.Redirect(http.StatusFound, next)
	case !errors.Is(err, fault.Unauthenticated):
		return err
	}
	return h.loginPage(c, http.StatusOK, loginForm{Next: next})
}

func (h *hosted) loginPage(c echo.Context, status int, f loginForm) error {
	if h.Provider != "" {
		f.Provider = h.Provider + url.QueryEscape(f.Next)
	}
	return h.render(c, status, "login", view{Title: "Sign in", Body: f})
}

func (h *hosted) logIn(c echo.Context) error {
	if err := h.host.CheckCSRF(c); err != nil {
		return err
	}
	form := c.Request().PostForm
	f := loginForm{Username: form.Get("username"), Next: target(form.Get("next"))}
	to, err := h.Accounts.LoginByPassword(c.Request().Context(), accounts.PasswordLogin{
		Secret: h.host.Secret(c), Client: h.host.Client(c.Request()), Email: f.Username, Password: form.Get("password"), Target: f.Next,
	})
	var refused *fault.Error
	switch {
	case errors.As(err, &refused) && refused.Kind == fault.Forbidden:
		h.host.Failed(c, err)
		f.Problem = "Please enter the correct email and password for a staff account. Note that both fields may be case-sensitive."
		return h.loginPage(c, http.StatusOK, f)
	case errors.As(err, &refused) && refused.Kind == fault.TooMany:
		h.host.Failed(c, err)
		c.Response().Header().Set("Retry-After", refused.Subject)
		f.Problem = "There were too many tries. Wait a quarter of an hour, or sign in with OpenID Connect."
		return h.loginPage(c, http.StatusTooManyRequests, f)
	case err != nil:
		return err
	}
	if err := h.host.LogIn(c, to.Secret); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, to.URL)
}

// logOut ends the session here, whoever it is of.
func (h *hosted) logOut(c echo.Context) error {
	if err := h.host.CheckCSRF(c); err != nil {
		return err
	}
	r, err := h.identify(c)
	if err != nil && (r == nil || !errors.Is(err, fault.Forbidden)) && !errors.Is(err, fault.Unauthenticated) {
		return err
	}
	if r != nil {
		if err := h.Accounts.End(c.Request().Context(), h.host.Secret(c), r.op.ID); err != nil {
			return err
		}
	}
	h.host.LogOut(c)
	return c.Redirect(http.StatusSeeOther, "/admin/login/")
}
