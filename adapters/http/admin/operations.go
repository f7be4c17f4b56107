package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"meetd/app/administration"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// overview is the first page.
type overview struct {
	administration.Overview

	Recordings bool // may be seen, as what follows
	Jobs       bool
	Log        bool
	Entries    table
}

func (h *hosted) index(c *request) error {
	o, err := h.Service.Overview(c.Request().Context(), c.op)
	if err != nil {
		return err
	}
	body := overview{
		Overview: o, Recordings: c.op.May(user.View, user.RecordingModel), Jobs: c.op.Superuser, Log: c.op.May(user.View, user.LogModel),
		Entries: logTable(o.Changes),
	}
	return h.render(c, http.StatusOK, "index", view{Title: "Administration", Body: body})
}

func (h *hosted) listStuck(c *request) error {
	list, err := h.Service.Stuck(c.Request().Context(), c.op)
	if err != nil {
		return err
	}
	t := table{
		Caption: "Unfinished recordings", Empty: "No recording waits for its end.",
		Note: "Recordings without an end that have not changed for ten minutes, the oldest first. A long meeting is among them; " +
			"what nobody reports the end of is looked for in LiveKit and in the bucket by itself.",
		Columns: []column{{Label: "Recording"}, {Label: "Status"}, {Label: "Room"}, {Label: "LiveKit says"}, {Label: "Worker"}, {Label: "Created"}, {Label: "Last change"}, {Label: "Next look"}},
		Count:   counted(len(list), false),
	}
	for _, r := range list {
		look := cell{Text: "At once"}
		if !r.LookAt.IsZero() {
			look = at(r.LookAt)
		}
		rm := cell{Text: r.Room}
		if c.op.May(user.View, user.RoomModel) {
			rm.URL = roomPath(r.RoomID)
		}
		t.Rows = append(t.Rows, row{ID: r.ID.String(), Label: "recording " + r.ID.String(), Cells: []cell{
			{Text: r.ID.String(), URL: recordingPath(r.ID, "change"), Mono: true, Head: true},
			status(r.Status), rm, text(string(r.Egress)),
			{Text: orDash(r.WorkerID), Mono: true},
			at(r.CreatedAt), at(r.UpdatedAt), look,
		}})
	}
	if c.op.May(user.Change, user.RecordingModel) {
		t.Actions = []choice{{Value: giveUpAction, Label: giveUpLabel}}
	}
	return h.list(c, "Unfinished recordings", t)
}

func (h *hosted) actOnStuck(c *request) error {
	if !c.op.May(user.Change, user.RecordingModel) {
		return fault.New(fault.Forbidden, "admin_permission")
	}
	const path = "/admin/stuck-recordings/"
	ids := selected(c, uuidOf)
	if len(ids) == 0 || c.form("action") != giveUpAction {
		return h.tell(c, path, warn(nothingSelected))
	}
	notes, err := h.Service.GiveUp(c.Request().Context(), c.op, ids)
	if err != nil {
		return err
	}
	return h.tell(c, path, notes...)
}

// jobStates are those that can be asked for; none stands for what needs somebody.
var jobStates = []string{"available", "cancelled", "completed", "discarded", "pending", "retryable", "running", "scheduled"}

func (h *hosted) listJobs(c *request) error {
	q := c.QueryParams()
	state, kind := q.Get("state"), q.Get("kind")
	if !slices.Contains(jobStates, state) && state != "all" {
		state = ""
	}
	list, err := h.Service.Jobs(c.Request().Context(), c.op, state, kind)
	if err != nil {
		return err
	}
	states := []choice{{"", "Failed or waiting for another try", state == ""}, {"all", "All", state == "all"}}
	for _, s := range jobStates {
		states = append(states, choice{s, words(s), s == state})
	}
	kinds := []choice{{"", "All", kind == ""}}
	var names []string
	for _, j := range list {
		if !slices.Contains(names, j.Kind) {
			names = append(names, j.Kind)
		}
	}
	if kind != "" && !slices.Contains(names, kind) {
		names = append(names, kind)
	}
	slices.Sort(names)
	for _, n := range names {
		kinds = append(kinds, choice{n, words(n), n == kind})
	}
	t := table{
		Caption: "Background jobs", Empty: "No job failed or waits for another try.",
		Columns: []column{{Label: "Job"}, {Label: "Kind"}, {Label: "State"}, {Label: "Tries"}, {Label: "Next try"}, {Label: "Subject"}, {Label: "Last error"}},
		Filters: []filter{{"state", "State", states}, {"kind", "Kind", kinds}},
		Actions: []choice{{Value: "retry", Label: "Do the selected jobs again"}, {Value: "cancel", Label: "Give the selected jobs up"}},
		Count:   counted(len(list), false),
	}
	if state != "" {
		t.Empty = "There are no such jobs."
	}
	if state != "" || kind != "" {
		t.Clear = "/admin/jobs/"
	}
	if len(list) == administration.MostJobs {
		t.Count = fmt.Sprintf("The newest %d", administration.MostJobs)
	}
	for _, j := range list {
		next := cell{Text: "–"}
		if !j.Next.IsZero() {
			next = at(j.Next)
		}
		tone := map[string]string{"discarded": "bad", "cancelled": "bad", "retryable": "warn", "completed": "good"}[j.State]
		if tone == "" {
			tone = "info"
		}
		id := strconv.FormatInt(j.ID, 10)
		t.Rows = append(t.Rows, row{ID: id, Label: "job " + id, Cells: []cell{
			{Text: id, Mono: true, Head: true},
			text(words(j.Kind)),
			{Text: words(j.State), Badge: tone},
			{Text: fmt.Sprintf("%d of %d", j.Attempt, j.MaxAttempts)},
			next,
			{Text: j.Subject, Mono: true},
			text(j.Failure),
		}})
	}
	return h.list(c, "Background jobs", t)
}

func (h *hosted) actOnJobs(c *request) error {
	ids := selected(c, func(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) })
	do := map[string]func() ([]user.Note, error){
		"retry":  func() ([]user.Note, error) { return h.Service.RetryJobs(c.Request().Context(), c.op, ids) },
		"cancel": func() ([]user.Note, error) { return h.Service.CancelJobs(c.Request().Context(), c.op, ids) },
	}[c.form("action")]
	if do == nil {
		do = func() ([]user.Note, error) { return h.Service.RetryJobs(c.Request().Context(), c.op, nil) }
	}
	notes, err := do()
	if err != nil {
		return err
	}
	if len(notes) == 0 {
		notes = []user.Note{warn(nothingSelected)}
	}
	return h.tell(c, "/admin/jobs/", notes...)
}

func (h *hosted) listLog(c *request) error {
	q := c.QueryParams()
	l := listing(q, "action", "object", "model", "user")
	found, err := h.Service.Log(c.Request().Context(), c.op, l)
	if err != nil {
		return err
	}
	t := logTable(found.Rows)
	t.Caption, t.Empty = "Change log", "Nothing was changed here."
	t.Filters = []filter{{"action", "Change", options(q.Get("action"), "added", "Added", "changed", "Changed", "deleted", "Deleted")}}
	finish(&t, c, l, "id", found)
	return h.list(c, "Change log", t)
}

var flagWords = map[ports.LogFlag][2]string{
	ports.LogAdded: {"Added", "good"}, ports.LogChanged: {"Changed", "info"}, ports.LogDeleted: {"Deleted", "bad"},
}

// pathOf is where the objects of a model are; empty: nowhere.
func pathOf(m user.Model) string {
	switch m {
	case user.AccountModel:
		return usersPath
	case user.GroupModel:
		return groupsPath
	case user.RoomModel:
		return roomsPath
	case user.RecordingModel:
		return recordingsPath
	case user.RoomAccessModel, user.RecordingAccessModel, user.LogModel:
	}
	return ""
}

// logTable shows what was changed.
func logTable(entries []ports.LogEntry) table {
	t := table{Columns: []column{{Label: "When"}, {Label: "Who"}, {Label: "Change"}, {Label: "What"}, {Label: "Name"}, {Label: "Details"}}}
	for _, e := range entries {
		kind := string(e.Model)
		if _, model, found := strings.Cut(kind, "."); found {
			kind = words(model)
		}
		name := cell{Text: orDash(e.Name)}
		if path := pathOf(e.Model); path != "" && e.Flag != ports.LogDeleted {
			name.URL = path + e.Object + "/change/"
		}
		flag := flagWords[e.Flag]
		t.Rows = append(t.Rows, row{Cells: []cell{
			at(e.At), {Text: e.ByName, URL: "/admin/log/?user=" + e.By.String()}, {Text: flag[0], Badge: flag[1]}, text(kind), name, text(told(e.Message)),
		}})
	}
	return t
}

// told reads a message of Django's admin; one in another form is shown as it is.
func told(message string) string {
	var list []map[string]struct {
		Name   string   `json:"name"`
		Object string   `json:"object"`
		Fields []string `json:"fields"`
	}
	if message == "" || json.Unmarshal([]byte(message), &list) != nil {
		return message
	}
	var parts []string
	for _, m := range list {
		for verb, what := range m {
			s := words(verb)
			if what.Name != "" {
				s += " " + strings.ToLower(what.Name[:1]) + what.Name[1:] + " “" + what.Object + "”"
			}
			if len(what.Fields) > 0 {
				s += " " + strings.Join(what.Fields, ", ")
			}
			if s != words(verb) {
				parts = append(parts, s)
			}
		}
	}
	return strings.Join(parts, "; ")
}
