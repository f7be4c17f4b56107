package op

import (
	"context"
	"embed"
	"html/template"
	"net/http"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	zop "github.com/zitadel/oidc/v3/pkg/op"
)

const sessionCookie = "meetd_dev_provider"

//go:embed login.html
var pages embed.FS

var loginPage = template.Must(template.ParseFS(pages, "login.html"))

// showLogin is where the library sends every authorization request: it is
// answered from the provider's session if that may be, and by the form if not.
func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	req, ok := p.storage.request(r.FormValue("id"))
	if !ok {
		http.Error(w, "This login has expired. Go back to the application and log in again.", http.StatusBadRequest)
		return
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if s, ok := p.storage.session(cookie.Value); ok && req.accepts(s) {
			p.finish(w, r, req, s)
			return
		}
	}
	if slices.Contains(req.Prompt, oidc.PromptNone) {
		zop.AuthRequestError(w, r, req, oidc.ErrLoginRequired(), p.provider)
		return
	}
	showForm(w, http.StatusOK, form{ID: req.id, Username: req.LoginHint})
}

func (p *Provider) postLogin(w http.ResponseWriter, r *http.Request) {
	req, ok := p.storage.request(r.FormValue("id"))
	if !ok {
		http.Error(w, "This login has expired. Go back to the application and log in again.", http.StatusBadRequest)
		return
	}
	if r.PostFormValue("cancel") != "" {
		zop.AuthRequestError(w, r, req, oidc.ErrAccessDenied(), p.provider)
		return
	}
	username := r.PostFormValue("username")
	user, ok := p.storage.login(username, r.PostFormValue("password"))
	if !ok {
		showForm(w, http.StatusUnauthorized, form{ID: req.id, Username: username, Failed: true})
		return
	}
	s, secret := p.storage.addSession(user)
	http.SetCookie(w, &http.Cookie{ // plain http on purpose
		Name: sessionCookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	p.finish(w, r, req, s)
}

// finish sends the browser to the library, which sends it to the application.
func (p *Provider) finish(w http.ResponseWriter, r *http.Request, req *authRequest, s *session) {
	p.storage.authorize(req.id, s)
	http.Redirect(w, r, zop.AuthCallbackURL(p.provider)(r.Context(), req.id), http.StatusFound)
}

// endSession tells the storage which browser is logging out: with or without an
// id_token_hint the session of this browser ends.
func (p *Provider) endSession(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, cookie.Value))
	}
	p.provider.ServeHTTP(w, r)
}

type sessionKey struct{}

type form struct {
	ID, Username string
	Failed       bool
}

func showForm(w http.ResponseWriter, status int, f form) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = loginPage.Execute(w, f) // the reader may be gone
}

func loggedOut(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("You are logged out.\n")) // the reader may be gone
}
