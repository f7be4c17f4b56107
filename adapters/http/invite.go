package http

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/language"

	"meetd/app/rooms"
	"meetd/domain/user"
)

func (s *Server) invite(c echo.Context) error {
	held, in, err := readAbout(c, s.Rooms.MayInvite)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	to, wrong := emailsField(in, "emails")
	if wrong != nil {
		return fieldErrors{{"emails", wrong}}
	}
	if err := s.Rooms.Invite(ctx, current(c), held, to, s.language(c.Request())); err != nil {
		return err
	}
	return respond(c, http.StatusOK, struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}{"success", "invitations sent"})
}

// emailsField reads a list of addresses. What is wrong with single ones is told
// by their place in the list (http-users-rooms.md §8).
func emailsField(o *object, name string) (emails []string, wrong any) {
	v, ok := o.get(name)
	list, isList := v.([]any)
	switch {
	case !ok:
		return nil, []string{"This field is required."}
	case v == nil:
		return nil, []string{"This field may not be null."}
	case !isList:
		return nil, []string{`Expected a list of items but got type "` + pythonType(v) + `".`}
	case len(list) == 0:
		return nil, []string{"This list may not be empty."}
	case len(list) > rooms.MaxInvited:
		return nil, []string{"Ensure this field has no more than " + strconv.Itoa(rooms.MaxInvited) + " elements."}
	}
	bad := map[string][]string{}
	for i, item := range list {
		one := &object{}
		one.values = map[string]any{name: item}
		email, messages := textField(one, name, 0)
		if messages == nil && !user.ValidEmail(email) {
			messages = []string{"Enter a valid email address."}
		}
		if messages != nil {
			bad[strconv.Itoa(i)] = messages
		}
		emails = append(emails, email)
	}
	if len(bad) > 0 {
		return nil, bad
	}
	return emails, nil
}

// language is the one of the request: of Django's cookie, else what the browser
// wants, else the installation's (settings.md §2).
func (s *Server) language(r *http.Request) string {
	wanted, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")) // what cannot be read is not wanted
	if cookie, err := r.Cookie("django_language"); err == nil {
		if tag, err := language.Parse(cookie.Value); err == nil {
			wanted = append([]language.Tag{tag}, wanted...)
		}
	}
	for _, tag := range wanted {
		if code := s.knownLanguage(strings.ToLower(tag.String())); code != "" {
			return code
		}
	}
	return s.Config.Language
}

// knownLanguage finds a language of the installation: the same, else one that
// differs in its region only.
func (s *Server) knownLanguage(want string) string {
	short, _, _ := strings.Cut(want, "-")
	similar := ""
	for _, code := range s.Accounts.Config.Languages {
		if code == want {
			return code
		}
		if base, _, _ := strings.Cut(code, "-"); base == short && similar == "" {
			similar = code
		}
	}
	return similar
}
