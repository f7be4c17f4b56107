package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"meetd/ports"
)

// pageSize is how many rows a page has.
const pageSize = 50

// table is a list as it is shown.
type table struct {
	Caption string
	Columns []column
	Rows    []row
	Search  string // what it is searched by; empty: it is not searched
	Query   string
	Filters []filter
	Hidden  []link // what the search form keeps: name and value
	Count   string
	Partial bool
	Next    string
	Back    string
	Clear   string // where to go without search and filters; empty: there are none
	Actions []choice
	Add     *link
	Empty   string
	Note    string
}

type column struct {
	Label  string
	order  string // the order it stands for; empty: none
	desc   bool   // that begins with the last
	URL    string // to be sorted by it
	Sorted string // ascending, descending, or empty
}

type row struct {
	ID    string
	Label string // what the tick box is for
	Cells []cell
}

type cell struct {
	Text  string
	URL   string
	Time  time.Time
	Badge string // tone of a badge; empty: none
	Mono  bool
	Head  bool
}

type filter struct {
	Name, Label string
	Options     []choice
}

type choice struct {
	Value, Label string
	Selected     bool
}

func text(s string) cell { return cell{Text: orDash(s)} }

func pointed(s *string) cell {
	if s == nil {
		return cell{Text: "–"}
	}
	return text(*s)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func at(t time.Time) cell { return cell{Time: t} }

// yesNo is a flag that is good or bad when it is set, or neither.
func yesNo(set bool, tone string) cell {
	if set {
		return cell{Text: "Yes", Badge: tone}
	}
	return cell{Text: "No"}
}

// options are the values of a filter, and none.
func options(selected string, pairs ...string) []choice {
	out := []choice{{Value: "", Label: "All"}}
	for p := range slices.Chunk(pairs, 2) {
		out = append(out, choice{p[0], p[1], p[0] == selected})
	}
	return out
}

func flagFilter(q url.Values, name, label string) filter {
	return filter{name, label, options(q.Get(name), "yes", "Yes", "no", "No")}
}

func ageFilter(q url.Values) filter {
	return filter{"created", "Created", options(q.Get("created"), "today", "Today", "week", "Past 7 days", "month", "This month", "year", "This year")}
}

// listing reads what is wanted from the address.
func listing(q url.Values, filters ...string) ports.Listing {
	l := ports.Listing{
		Search: strings.TrimSpace(q.Get("q")), Sort: q.Get("o"), Reverse: q.Get("r") != "", Size: pageSize, Filters: map[string]string{},
		Cursor: q.Get("after"),
	}
	if before := q.Get("before"); before != "" {
		l.Cursor, l.Back = before, true
	}
	for _, name := range filters {
		l.Filters[name] = q.Get(name)
	}
	return l
}

// address is the list's own with some parameters changed; an empty value removes
// one. Only parameters that a list knows stay.
func address(path string, q url.Values, pairs ...string) string {
	keep := url.Values{}
	for name, values := range q {
		if len(values) > 0 && values[0] != "" && name != "after" && name != "before" {
			keep.Set(name, values[0])
		}
	}
	for p := range slices.Chunk(pairs, 2) {
		if keep.Del(p[0]); p[1] != "" {
			keep.Set(p[0], p[1])
		}
	}
	if len(keep) == 0 {
		return path
	}
	return path + "?" + keep.Encode()
}

// narrowing are the parameters that links to a list have, beside its filters.
var narrowing = []string{"object", "model", "user", "room"}

// finish fills in what follows from the address and from what was found.
func finish[T any](t *table, c *request, l ports.Listing, natural string, found ports.Listed[T]) {
	path, q := c.Request().URL.Path, c.QueryParams()
	known := slices.Concat([]string{"q", "o", "r"}, narrowing)
	for _, f := range t.Filters {
		known = append(known, f.Name)
	}
	for name := range q {
		if !slices.Contains(known, name) {
			q.Del(name)
		}
	}
	sorted := l.Sort
	if !slices.ContainsFunc(t.Columns, func(c column) bool { return c.order == sorted && sorted != "" }) {
		sorted = natural
	}
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.order == "" {
			continue
		}
		reverse := ""
		if col.order == sorted {
			col.Sorted = "ascending"
			if col.desc != l.Reverse {
				col.Sorted = "descending"
			}
			if !l.Reverse {
				reverse = "1"
			}
		}
		col.URL = address(path, q, "o", col.order, "r", reverse)
	}
	t.Query = l.Search
	for _, name := range slices.Concat([]string{"o", "r"}, narrowing) {
		if v := q.Get(name); v != "" {
			t.Hidden = append(t.Hidden, link{name, v})
		}
	}
	filtered := l.Search != "" || slices.ContainsFunc(t.Filters, func(f filter) bool { return q.Get(f.Name) != "" }) ||
		slices.ContainsFunc(narrowing, func(name string) bool { return q.Get(name) != "" })
	if filtered {
		t.Clear = address(path, url.Values{"o": q["o"], "r": q["r"]})
	}
	t.Count, t.Partial = counted(found.Count, found.More), found.Partial
	if found.Next != "" {
		t.Next = address(path, q, "after", found.Next)
	}
	if found.Previous != "" {
		t.Back = address(path, q, "before", found.Previous)
	}
}

func counted(n int, more bool) string {
	switch {
	case more:
		return "More than 10,000 entries"
	case n == 1:
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

func (h *hosted) list(c *request, title string, t table) error {
	return h.render(c, http.StatusOK, "list", view{Title: title, Body: t, Trail: []link{{"Administration", Root}}})
}

// deletion is a page that asks before something is deleted.
type deletion struct {
	Question string
	Things   []thing
	Action   string // where the form goes
	Hidden   []link
	Back     string
	Blocked  bool // nothing of it can be deleted
}

// thing is what is deleted, with what goes along.
type thing struct {
	Name  string
	URL   string
	Along []string
	Warn  []string
	Kept  bool // it cannot be deleted
}

// counts tells how many of something there are.
func counts(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
