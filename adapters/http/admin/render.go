package admin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"meetd/domain/user"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/admin.css
var styleSheet []byte

// stylePath changes with the sheet, so that browsers may keep it.
var stylePath = func() string {
	sum := sha256.Sum256(styleSheet)
	return "/static/admin/admin-" + hex.EncodeToString(sum[:4]) + ".css"
}()

func style(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, "text/css; charset=utf-8", styleSheet)
}

var templates = func() map[string]*template.Template {
	base := template.Must(template.New("").Funcs(template.FuncMap{
		"style": func() string { return stylePath },
		"when":  when,
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	out := map[string]*template.Template{}
	for _, name := range []string{"login", "index", "list", "form", "confirm", "error"} {
		out[name] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return out
}()

// when writes a time as people read it.
func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// view is a page.
type view struct {
	Title    string
	Heading  string // when it is longer than the title
	Operator *user.Operator
	Nav      []navGroup
	Trail    []link // where the page is
	Token    string
	Notes    []user.Note
	Body     any
}

type link struct{ Label, URL string }

type navGroup struct {
	Label string
	Items []navItem
}

type navItem struct {
	Label, URL string
	Current    bool
}

// sections are the parts of the site, with whether somebody may see them.
var sections = []struct {
	group, label, url string
	may               func(o user.Operator) bool
}{
	{"People", "Users", "/admin/core/user/", viewer(user.AccountModel)},
	{"People", "Groups", "/admin/auth/group/", viewer(user.GroupModel)},
	{"Meetings", "Rooms", "/admin/core/room/", viewer(user.RoomModel)},
	{"Meetings", "Recordings", "/admin/core/recording/", viewer(user.RecordingModel)},
	{"Operations", "Unfinished recordings", "/admin/stuck-recordings/", viewer(user.RecordingModel)},
	{"Operations", "Background jobs", "/admin/jobs/", func(o user.Operator) bool { return o.Superuser }},
	{"Operations", "Change log", "/admin/log/", viewer(user.LogModel)},
}

func viewer(m user.Model) func(user.Operator) bool {
	return func(o user.Operator) bool { return o.May(user.View, m) }
}

func navigation(o user.Operator, path string) (nav []navGroup) {
	for _, s := range sections {
		if !s.may(o) {
			continue
		}
		if len(nav) == 0 || nav[len(nav)-1].Label != s.group {
			nav = append(nav, navGroup{Label: s.group})
		}
		g := &nav[len(nav)-1]
		g.Items = append(g.Items, navItem{Label: s.label, URL: s.url, Current: strings.HasPrefix(path, s.url)})
	}
	return nav
}

// render answers with a page. Notes that wait for this session are shown on it.
func (h *hosted) render(c echo.Context, status int, name string, v view) error {
	token, err := h.host.Token(c)
	if err != nil {
		return err
	}
	v.Token = token
	if r, ok := c.(*request); ok {
		v.Operator = &r.op
		v.Nav = navigation(r.op, c.Request().URL.Path)
		if r.op.Noted {
			notes, err := h.Service.Told(c.Request().Context(), r.key)
			if err != nil {
				return err
			}
			v.Notes = append(v.Notes, notes...)
		}
	}
	var b bytes.Buffer
	if err := templates[name].ExecuteTemplate(&b, "layout", v); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	return c.HTMLBlob(status, b.Bytes())
}
