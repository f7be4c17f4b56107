package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/app/administration"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/user"
)

// form is a page on which something is changed.
type form struct {
	Problem string // above everything; empty: none
	Sets    []fieldset
	Inline  *inline
	Submit  string // label of the button; empty: nothing can be changed
	Back    string
	Delete  string // where it is deleted; empty: it cannot be
	Tools   []tool
}

type fieldset struct {
	Legend string
	Fields []field
}

// field is one of a form. Kind is text, email, password, area, check, select,
// checks, or what cannot be changed: static, time, badge.
type field struct {
	Kind     string
	Name     string
	Label    string
	Value    string
	Help     string
	Time     time.Time
	Checked  bool
	Options  []choice
	Errors   []string
	Required bool
	Auto     string // autocomplete
	URL      string // of what is static
	Mono     bool
}

// tool is something else that can be done with the object.
type tool struct {
	Label  string
	URL    string
	Post   bool
	Tone   string // danger, or empty
	Field  *field // is sent with it
	Hidden []link
}

// inline are the roles on an object.
type inline struct {
	Legend string
	Teams  bool
	Rows   []inlineRow
	New    []newRow
	Errors []string
	Change bool // roles
	Remove bool
}

type inlineRow struct {
	ID, Name, URL string
	Team          bool
	Roles         []choice
	Role          string
	Removed       bool
}

type newRow struct {
	Index     int
	Who, Team string
	Roles     []choice
	Errors    []string
}

// newRows is how many roles can be added at once.
const newRows = 3

func roleChoices(selected access.Role) []choice {
	var out []choice
	for _, r := range []access.Role{access.Member, access.Administrator, access.Owner} {
		out = append(out, choice{string(r), strings.ToUpper(string(r[:1])) + string(r[1:]), r == selected})
	}
	return out
}

// newField is the name by which faults know a line of new roles.
func newField(i int) string { return "new-" + strconv.Itoa(i) }

// accesses reads the roles of a form.
func accesses(c *request) administration.Accesses {
	a := administration.Accesses{Roles: map[uuid.UUID]access.Role{}, Remove: map[uuid.UUID]bool{}}
	for name, values := range c.Request().PostForm {
		kind, rest, _ := strings.Cut(name, "-")
		id, err := uuid.Parse(rest)
		if err != nil || len(values) == 0 {
			continue
		}
		switch kind {
		case "role":
			a.Roles[id] = access.Role(values[0])
		case "remove":
			a.Remove[id] = true
		}
	}
	for i := range newRows {
		name := newField(i)
		a.Add = append(a.Add, administration.NewAccess{
			Field: name, Who: c.form(name + "-user"), Team: c.form(name + "-team"), Role: access.Role(c.form(name + "-role")),
		})
	}
	return a
}

// lines are the lines for new roles, as they were sent if they were.
func lines(sent []administration.NewAccess, natural access.Role, fields map[string][]string) []newRow {
	out := make([]newRow, newRows)
	for i := range out {
		out[i] = newRow{Index: i, Roles: roleChoices(natural)}
		if i < len(sent) {
			out[i].Who, out[i].Team, out[i].Roles = sent[i].Who, sent[i].Team, roleChoices(sent[i].Role)
		}
		out[i].Errors = fields[newField(i)]
	}
	return out
}

// invalid gives the messages for the fields of a form, if that is what went wrong.
func invalid(err error) (map[string][]string, bool) {
	var f *fault.Error
	if errors.As(err, &f) && len(f.Fields) > 0 {
		return f.Fields, true
	}
	return nil, false
}

// show answers with a form; fields has the messages for what was sent.
func (h *hosted) show(c *request, title string, section link, f form, fields map[string][]string) error {
	status := http.StatusOK
	if fields != nil {
		status = http.StatusUnprocessableEntity
		n := 0
		for _, messages := range fields {
			n += len(messages)
		}
		for i := range f.Sets {
			for j := range f.Sets[i].Fields {
				one := &f.Sets[i].Fields[j]
				one.Errors = fields[one.Name]
			}
		}
		f.Problem = "Please correct the errors below."
		if n == 1 {
			f.Problem = "Please correct the error below."
		}
	}
	return h.render(c, status, "form", view{Title: title, Body: f, Trail: []link{{"Administration", Root}, section}})
}

// saved goes on after a form was saved: back to it where that was asked for.
func (h *hosted) saved(c *request, changed bool, name, list, self string) error {
	note := done(fmt.Sprintf("“%s” was changed successfully.", name))
	if !changed {
		note = user.Note{Level: user.Success, Text: nothingChanged}
	}
	if c.form("_continue") != "" {
		return h.tell(c, self, note)
	}
	return h.tell(c, list, note)
}

func static(label, value string) field {
	return field{Kind: "static", Label: label, Value: orDash(value)}
}

func mono(label, value string) field {
	return field{Kind: "static", Label: label, Value: orDash(value), Mono: true}
}

func moment(label string, t *time.Time) field {
	if t == nil {
		return static(label, "")
	}
	return field{Kind: "time", Label: label, Time: *t}
}

func pointedText(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// fixed makes fields that cannot be changed of those that can.
func fixed(fields []field) []field {
	out := make([]field, len(fields))
	for i, f := range fields {
		switch f.Kind {
		case "check":
			f = static(f.Label, map[bool]string{true: "Yes", false: "No"}[f.Checked])
		case "select", "checks":
			var chosen []string
			for _, o := range f.Options {
				if o.Selected {
					chosen = append(chosen, o.Label)
				}
			}
			f = static(f.Label, strings.Join(chosen, ", "))
		case "text", "email", "area":
			f = field{Kind: "static", Label: f.Label, Value: orDash(f.Value), Mono: f.Mono || f.Kind == "area"}
		}
		out[i] = f
	}
	return out
}
