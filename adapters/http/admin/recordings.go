package admin

import (
	"errors"
	"strings"

	"github.com/google/uuid"

	"meetd/app/administration"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/user"
)

const recordingsPath = "/admin/core/recording/"

var recordingsLink = link{"Recordings", recordingsPath}

func recordingPath(id uuid.UUID, what string) string {
	return recordingsPath + id.String() + "/" + what + "/"
}

func (h *hosted) recordings() kind[uuid.UUID] {
	return kind[uuid.UUID]{
		h: h, model: user.RecordingModel, one: "recording", many: "recordings", list: recordingsLink,
		id: uuidOf, look: h.recordingThing, remove: h.Service.DeleteRecording,
	}
}

// The recording actions (admin.md §3).
const (
	remindAction = "resend_notification"
	giveUpAction = "mark_as_failed_to_stop"
	remindLabel  = "Resend notification to external service"
	giveUpLabel  = "Mark selected recordings as 'Failed to Stop'"
)

// tones say how a status is to be taken.
func tone(s recording.Status) string {
	switch s {
	case recording.Saved, recording.NotificationSucceeded, recording.ExternalProcessSuccessful:
		return "good"
	case recording.Initiated, recording.Active, recording.Stopped:
		return "info"
	case recording.Aborted, recording.FailedToStart, recording.FailedToStop, recording.ExternalProcessFailed:
		return "bad"
	}
	return "neutral"
}

// words makes a stored name one that people read.
func words(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ReplaceAll(s, "_", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func status(s recording.Status) cell { return cell{Text: words(string(s)), Badge: tone(s)} }

func (h *hosted) listRecordings(c *request) error {
	q := c.QueryParams()
	l := listing(q, "status", "mode", "created", "room")
	found, err := h.Service.RecordingsList(c.Request().Context(), c.op, l)
	if err != nil {
		return err
	}
	var states []string
	for _, s := range recording.Statuses() {
		states = append(states, string(s), words(string(s)))
	}
	t := table{
		Caption: "Recordings", Search: "Id, room, room id, worker, status or e-mail", Empty: "No recordings match.",
		Columns: []column{
			{Label: "Recording"},
			{Label: "Status", order: "status"},
			{Label: "Mode"},
			{Label: "Room"},
			{Label: "Owner"},
			{Label: "Created", order: "created", desc: true},
			{Label: "Worker"},
		},
		Filters: []filter{
			{"status", "Status", options(q.Get("status"), states...)},
			{"mode", "Mode", options(q.Get("mode"), "screen_recording", "Screen recording", "transcript", "Transcript")},
			ageFilter(q),
		},
	}
	for _, r := range found.Rows {
		st := status(r.Status)
		if r.Held {
			st.Text += ", on hold"
		}
		rm := cell{Text: r.Room}
		if c.op.May(user.View, user.RoomModel) {
			rm.URL = roomPath(r.RoomID)
		}
		t.Rows = append(t.Rows, row{ID: r.ID.String(), Label: "recording " + r.ID.String(), Cells: []cell{
			{Text: r.ID.String(), URL: recordingPath(r.ID, "change"), Mono: true, Head: true},
			st, text(words(string(r.Mode))), rm,
			owners(r.Owner, r.Owners), at(r.CreatedAt),
			{Text: orDash(r.WorkerID), Mono: true},
		}})
	}
	if c.op.May(user.Change, user.RecordingModel) {
		t.Actions = []choice{{Value: remindAction, Label: remindLabel}, {Value: giveUpAction, Label: giveUpLabel}}
	}
	t.Actions = append(t.Actions, h.recordings().deletions(c)...)
	finish(&t, c, l, "created", found)
	return h.list(c, "Recordings", t)
}

func (h *hosted) actOnRecordings(c *request) error {
	if !c.op.May(user.Change, user.RecordingModel) && !c.op.May(user.Delete, user.RecordingModel) {
		return fault.New(fault.Forbidden, "admin_permission")
	}
	ids, ctx := selected(c, uuidOf), c.Request().Context()
	back := recordingsPath
	if len(ids) == 1 && c.form("from") == "object" {
		back = recordingPath(ids[0], "change")
	}
	if len(ids) == 0 {
		return h.tell(c, back, warn(nothingSelected))
	}
	var (
		notes []user.Note
		err   error
	)
	switch c.form("action") {
	case remindAction:
		notes, err = h.Service.Remind(ctx, c.op, ids)
	case giveUpAction:
		notes, err = h.Service.GiveUp(ctx, c.op, ids)
	case deleteAction:
		return h.recordings().deleteMany(c, ids)
	default:
		notes = []user.Note{warn("No action selected.")}
	}
	if err != nil {
		return err
	}
	return h.tell(c, back, notes...)
}

// recordingThing is a recording that is to be deleted.
func (h *hosted) recordingThing(c *request, id uuid.UUID) (thing, error) {
	p, err := h.Service.Recording(c.Request().Context(), c.op, id)
	if err != nil {
		return thing{}, err
	}
	t := thing{
		Name: "Recording " + p.ID.String() + " of “" + p.Room.Name + "”", URL: recordingPath(p.ID, "change"),
		Along: []string{counts(len(p.Accesses), "role of somebody on it", "roles of people on it"), "its files in the bucket (" + p.Key + ")"},
	}
	if p.Hold != nil {
		t.Warn = append(t.Warn, "It is on legal hold and cannot be deleted: "+p.Hold.Reason)
	}
	if !p.Status().Final() {
		t.Warn = append(t.Warn, "It has not ended and cannot be deleted.")
	}
	t.Kept = len(t.Warn) > 0
	return t, nil
}

func (h *hosted) showRecording(c *request, id uuid.UUID) error {
	p, err := h.Service.Recording(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	return h.recordingPage(c, p, administration.RecordingForm{Process: p.Process()}, nil)
}

func (h *hosted) recordingPage(c *request, p administration.RecordingPage, sent administration.RecordingForm, fields map[string][]string) error {
	rm := field{Kind: "static", Label: "Room", Value: p.Room.Name}
	if c.op.May(user.View, user.RoomModel) {
		rm.URL = roomPath(p.Room.ID)
	}
	expiry := static("Expires", "Never")
	if p.ExpiresAt != nil {
		expiry = moment("Expires", p.ExpiresAt)
		if p.Expired {
			expiry.Label = "Expired"
		}
	}
	hold := static("Legal hold", "No")
	if p.Hold != nil {
		hold = field{Kind: "static", Label: "Legal hold", Value: "Since " + when(p.Hold.PlacedAt) + ", by " + orDash(p.Hold.PlacedBy) + ": " + p.Hold.Reason}
	}
	state := field{Kind: "badge", Label: "Status", Value: words(string(p.Status())), Help: tone(p.Status())}
	egress := string(p.Egress())
	if p.Unsure() {
		egress += " (it was asked to stop; what became of it is being found out)"
	}
	save := c.op.May(user.Change, user.RecordingModel)
	process := []field{{Kind: "text", Name: "external_process_id", Label: "External Process ID", Value: sent.Process, Mono: true, Auto: "off", Help: "Job at the summary service."}}
	if !save {
		process = fixed(process)
	}
	f := form{Back: recordingsPath, Sets: []fieldset{
		{"Recording", []field{
			mono("Id", p.ID.String()), state, static("Mode", words(string(p.Mode))), rm, moment("Created", &p.CreatedAt), moment("Updated", &p.UpdatedAt), expiry, hold,
			mono("Worker", p.WorkerID()), static("Egress", egress), mono("Object", p.Key),
			{Kind: "static", Label: "Options", Value: p.Options, Mono: true},
		}},
		{"Summary service", process},
	}}
	if save {
		f.Submit = "Save"
		one := []link{{"_selected_action", p.ID.String()}, {"from", "object"}}
		f.Tools = append(f.Tools, tool{Label: remindLabel, URL: recordingsPath, Post: true, Hidden: append(one[:2:2], link{"action", remindAction})})
		if s := p.Status(); s == recording.Initiated || s == recording.Active || s == recording.Stopped {
			f.Tools = append(f.Tools, tool{Label: "Mark as 'Failed to Stop'", URL: recordingsPath, Post: true, Hidden: append(one[:2:2], link{"action", giveUpAction})})
		}
		if p.Hold == nil {
			f.Tools = append(f.Tools, tool{Label: "Place legal hold", URL: recordingPath(p.ID, "hold"), Post: true, Field: &field{
				Name: "reason", Label: "Reason of a legal hold", Required: true,
			}})
		} else {
			f.Tools = append(f.Tools, tool{Label: "Release legal hold", URL: recordingPath(p.ID, "release"), Post: true})
		}
	}
	if c.op.May(user.View, user.RecordingAccessModel) || c.op.May(user.Add, user.RecordingAccessModel) {
		f.Inline = recordingInline(c, p, sent, save, fields)
	}
	h.recordings().links(c, &f, p.ID, c.op.May(user.Delete, user.RecordingModel))
	return h.show(c, "Recording of "+p.Room.Name, recordingsLink, f, fields)
}

func recordingInline(c *request, p administration.RecordingPage, sent administration.RecordingForm, save bool, fields map[string][]string) *inline {
	in := &inline{
		Legend: "Who has a role on it", Teams: true, Errors: fields["accesses"],
		Change: save && c.op.May(user.Change, user.RecordingAccessModel), Remove: save && c.op.May(user.Delete, user.RecordingAccessModel),
	}
	for _, a := range p.Accesses {
		role := a.Role
		if r, ok := sent.Accesses.Roles[a.ID]; ok {
			role = r
		}
		x := inlineRow{ID: a.ID.String(), Name: a.Name, Team: a.User == uuid.Nil, Roles: roleChoices(role), Role: string(a.Role), Removed: sent.Accesses.Remove[a.ID]}
		if a.User != uuid.Nil && c.op.May(user.View, user.AccountModel) {
			x.URL = userPath(a.User, "change")
		}
		in.Rows = append(in.Rows, x)
	}
	if save && c.op.May(user.Add, user.RecordingAccessModel) {
		in.New = lines(sent.Accesses.Add, access.Member, fields)
	}
	return in
}

func (h *hosted) changeRecording(c *request, id uuid.UUID) error {
	f := administration.RecordingForm{Process: c.form("external_process_id"), Accesses: accesses(c)}
	changed, err := h.Service.ChangeRecording(c.Request().Context(), c.op, id, f)
	fields, wrong := invalid(err)
	if err != nil && !wrong {
		return err
	}
	p, err := h.Service.Recording(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	if wrong {
		return h.recordingPage(c, p, f, fields)
	}
	return h.saved(c, changed, "Recording of "+p.Room.Name, recordingsPath, recordingPath(id, "change"))
}

func (h *hosted) hold(c *request, id uuid.UUID) error {
	err := h.Service.Hold(c.Request().Context(), c.op, id, c.form("reason"))
	var note user.Note
	switch fields, wrong := invalid(err); {
	case wrong:
		note = warn("Reason: " + strings.Join(fields["reason"], " "))
	case errors.Is(err, fault.Conflict):
		note = warn("The recording is on legal hold already.")
	case err != nil:
		return err
	default:
		note = done("The recording is on legal hold: nobody can delete it.")
	}
	return h.tell(c, recordingPath(id, "change"), note)
}

func (h *hosted) release(c *request, id uuid.UUID) error {
	if err := h.Service.Release(c.Request().Context(), c.op, id); err != nil {
		return err
	}
	return h.tell(c, recordingPath(id, "change"), done("The legal hold was released."))
}
