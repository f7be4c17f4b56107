package administration

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about the administration.
type Config struct {
	Languages      []Language       // that accounts may have
	Language       string           // of new accounts
	AccessLevel    room.AccessLevel // that new rooms begin with
	Folder         string           // of recordings in the bucket
	ExpirationDays int              // of recordings; 0: never
	// KnowsTimezone reports whether it is the name of a time zone.
	KnowsTimezone func(name string) bool
}

// Language is one that accounts may have.
type Language struct{ Code, Name string }

// Recordings is what can be done to recordings, in a transaction: see the methods
// of the recording capability with these names.
type Recordings struct {
	Remind   func(ctx context.Context, r ports.Repos, id uuid.UUID) (expired bool, err error)
	GiveUp   func(ctx context.Context, r ports.Repos, ids []uuid.UUID) ([]uuid.UUID, error)
	Remove   func(ctx context.Context, r ports.Repos, actor, id uuid.UUID) error
	RemoveOf func(ctx context.Context, r ports.Repos, room, actor uuid.UUID) error
	Hold     func(ctx context.Context, r ports.Repos, actor, id uuid.UUID, reason, by string) error
	Release  func(ctx context.Context, r ports.Repos, actor, id uuid.UUID) error
}

// Service is the administration capability.
type Service struct {
	Store      ports.Store
	Passwords  ports.Passwords
	Queue      ports.JobQueue
	Recordings Recordings
	// DrawPIN draws the PIN of a new room; nil where rooms have none.
	DrawPIN func(ctx context.Context, rooms ports.Rooms) (*string, error)
	Config  Config
	Now     func() time.Time
	NewID   func() uuid.UUID
}

// Operator tells who asks. fault.Unauthenticated when nobody is logged in;
// fault.Forbidden with code "not_staff", and who it is, for everybody else's
// account.
func (s *Service) Operator(ctx context.Context, key ports.SessionKey) (user.Operator, error) {
	o, err := s.Store.Repos().Admin.Accounts.Operator(ctx, key, s.Now())
	switch {
	case errors.Is(err, fault.NotFound):
		return o, fault.New(fault.Unauthenticated, "credentials")
	case err == nil && !o.Staff:
		return o, fault.New(fault.Forbidden, "not_staff")
	}
	return o, err
}

// need refuses who lacks a permission.
func need(o user.Operator, v user.Verb, m user.Model) error {
	if !o.May(v, m) {
		return fault.About(fault.Forbidden, "admin_permission", string(user.Permit(v, m)))
	}
	return nil
}

func needSuperuser(o user.Operator) error {
	if !o.Staff || !o.Superuser {
		return fault.About(fault.Forbidden, "admin_permission", "superuser")
	}
	return nil
}

// Tell leaves notes for the next page of a session.
func (s *Service) Tell(ctx context.Context, key ports.SessionKey, notes ...user.Note) error {
	if len(notes) == 0 {
		return nil
	}
	_, err := s.Store.Repos().Sessions.Update(ctx, key, s.Now(), func(d *user.SessionData) error {
		d.AddNotes(notes...)
		return nil
	})
	return fault.IgnoreMissing(err) // who lost his session needs no notes
}

// Told takes the notes of a session.
func (s *Service) Told(ctx context.Context, key ports.SessionKey) (notes []user.Note, err error) {
	_, err = s.Store.Repos().Sessions.Update(ctx, key, s.Now(), func(d *user.SessionData) error {
		notes, d.Notes = d.Notes, nil
		return nil
	})
	return notes, fault.IgnoreMissing(err)
}

// problems are messages for the fields of a form.
type problems map[string][]string

func (p problems) add(field, message string) { p[field] = append(p[field], message) }

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Code: "field", Fields: p}
}

// text looks at a line that somebody typed.
func (p problems) text(field, value string, blank bool, longest int) string {
	value = strings.TrimSpace(value)
	n := utf8.RuneCountInString(value)
	switch {
	case strings.ContainsRune(value, 0) || !utf8.ValidString(value):
		p.add(field, "Null characters are not allowed.")
	case value == "" && !blank:
		p.add(field, "This field cannot be blank.")
	case n > longest:
		p.add(field, fmt.Sprintf("Ensure this value has at most %d characters (it has %d).", longest, n))
	}
	return value
}

// deed is one change, to be written down.
type deed struct {
	model  user.Model
	id     fmt.Stringer
	name   string
	flag   ports.LogFlag
	parts  []part
	fields []string // of the object itself
	audit  map[string]string
}

// part is a change of a role on the object.
type part struct {
	verb     string // added, changed, deleted
	model    string // as Django names it in sentences
	name     string
	fields   []string
	account  uuid.UUID // whose role; uuid.Nil: that of a team
	from, to access.Role
}

// gave is the part in which somebody, or a team, got another role; access.None is no
// role.
func gave(model, name string, account uuid.UUID, from, to access.Role) part {
	p := part{model: model, name: name + " (" + string(cmp.Or(to, from)) + ")", account: account, from: from, to: to}
	switch {
	case from == access.None:
		p.verb = "added"
	case to == access.None:
		p.verb = "deleted"
	default:
		p.verb, p.fields = "changed", []string{"Role"}
	}
	return p
}

// empty reports that nothing was changed.
func (d deed) empty() bool {
	return d.flag == ports.LogChanged && len(d.fields) == 0 && len(d.parts) == 0
}

// message is the deed as Django's admin writes it.
func (d deed) message() (string, error) {
	if d.flag == ports.LogDeleted {
		return "", nil
	}
	list := []map[string]map[string]any{}
	if d.flag == ports.LogAdded {
		list = append(list, map[string]map[string]any{"added": {}})
	}
	if len(d.fields) > 0 && d.flag == ports.LogChanged {
		list = append(list, map[string]map[string]any{"changed": {"fields": d.fields}})
	}
	for _, p := range d.parts {
		what := map[string]any{"name": p.model, "object": p.name}
		if p.fields != nil {
			what["fields"] = p.fields
		}
		list = append(list, map[string]map[string]any{p.verb: what})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("message of the change log: %w", err)
	}
	return string(text), nil
}

var actions = map[ports.LogFlag]audit.Action{
	ports.LogAdded: audit.AdminAdded, ports.LogChanged: audit.AdminChanged, ports.LogDeleted: audit.AdminDeleted,
}

// record writes down what an operator did.
func (s *Service) record(ctx context.Context, r ports.Repos, o user.Operator, d deed) error {
	message, err := d.message()
	if err != nil {
		return err
	}
	now := s.Now()
	if err := r.Admin.Log.Add(ctx, ports.LogEntry{
		At: now, By: o.ID, Model: d.model, Object: d.id.String(), Name: d.name, Flag: d.flag, Message: message,
	}); err != nil {
		return err
	}
	details := map[string]string{"model": string(d.model)}
	if len(d.fields) > 0 {
		details["fields"] = strings.Join(d.fields, ", ")
	}
	if len(d.parts) > 0 {
		details["accesses"] = strconv.Itoa(len(d.parts))
	}
	for k, v := range d.audit {
		details[k] = v
	}
	if err := r.Audit.Record(ctx, audit.Event{At: now, Action: actions[d.flag], Actor: o.ID, Subject: d.id.String(), Details: details}); err != nil {
		return err
	}
	on := audit.OnRoom
	if d.model == user.RecordingModel {
		on = audit.OnRecording
	}
	for _, p := range d.parts {
		if p.account == uuid.Nil { // a team has a name, and events have none
			continue
		}
		if err := r.Audit.Record(ctx, audit.GaveRole(now, o.ID, p.account, on, d.id, string(p.from), string(p.to))); err != nil {
			return err
		}
	}
	return nil
}

// Log lists what the administration changed.
func (s *Service) Log(ctx context.Context, o user.Operator, l ports.Listing) (ports.Listed[ports.LogEntry], error) {
	if err := need(o, user.View, user.LogModel); err != nil {
		return ports.Listed[ports.LogEntry]{}, err
	}
	return s.Store.Repos().Admin.Lists.Log(ctx, s.at(l))
}

// at is a listing with the present time.
func (s *Service) at(l ports.Listing) ports.Listing {
	l.Now = s.Now()
	return l
}

// find takes what somebody typed for an account.
func find(ctx context.Context, r ports.Repos, who string) (*user.User, string, error) {
	u, err := r.Admin.Accounts.Find(ctx, strings.TrimSpace(who))
	switch {
	case errors.Is(err, fault.NotFound), errors.Is(err, fault.Invalid):
		return nil, "There is no user with the id, e-mail, admin e-mail or sub “" + who + "”.", nil
	case errors.Is(err, fault.Conflict):
		return nil, "Several users have the e-mail “" + who + "”: use the id or the sub of the one you mean.", nil
	}
	return u, "", err
}

// stuckFor is how long a recording without an end may be silent before it is shown
// as one that may be stuck.
const stuckFor = 10 * time.Minute

// mostStuck is how many of them are shown.
const mostStuck = 500

// Stuck lists recordings without an end that have not changed for a while.
func (s *Service) Stuck(ctx context.Context, o user.Operator) ([]ports.RecordingLine, error) {
	if err := need(o, user.View, user.RecordingModel); err != nil {
		return nil, err
	}
	return s.Store.Repos().Admin.Lists.Stuck(ctx, s.Now().Add(-stuckFor), mostStuck)
}

// MostJobs is how many jobs are shown.
const MostJobs = 200

// Jobs lists background jobs; see ports.JobQueue. Only superusers may: jobs hold
// addresses and names.
func (s *Service) Jobs(ctx context.Context, o user.Operator, state, kind string) ([]ports.Job, error) {
	if err := needSuperuser(o); err != nil {
		return nil, err
	}
	return s.Queue.List(ctx, state, kind, MostJobs)
}

// RetryJobs has jobs done again; see ports.JobQueue.
func (s *Service) RetryJobs(ctx context.Context, o user.Operator, ids []int64) ([]user.Note, error) {
	return s.eachJob(ctx, o, ids, audit.JobRetried, s.Queue.Retry)
}

// CancelJobs gives jobs up; see ports.JobQueue.
func (s *Service) CancelJobs(ctx context.Context, o user.Operator, ids []int64) ([]user.Note, error) {
	return s.eachJob(ctx, o, ids, audit.JobCancelled, s.Queue.Cancel)
}

func (s *Service) eachJob(
	ctx context.Context, o user.Operator, ids []int64, action audit.Action, do func(context.Context, int64) (string, error),
) ([]user.Note, error) {
	if err := needSuperuser(o); err != nil {
		return nil, err
	}
	var notes []user.Note
	for _, id := range ids {
		state, err := do(ctx, id)
		switch {
		case errors.Is(err, fault.NotFound):
			notes = append(notes, user.Note{Level: user.Warning, Text: fmt.Sprintf("There is no job %d any more.", id)})
			continue
		case errors.Is(err, fault.Conflict):
			notes = append(notes, user.Note{Level: user.Warning, Text: fmt.Sprintf("Job %d: another one waits to do the same.", id)})
			continue
		case err != nil:
			return notes, err
		}
		if err := s.Store.Repos().Audit.Record(ctx, audit.Event{
			At: s.Now(), Action: action, Actor: o.ID, Subject: strconv.FormatInt(id, 10),
		}); err != nil {
			return notes, err
		}
		notes = append(notes, user.Note{Level: user.Success, Text: fmt.Sprintf("Job %d is %s.", id, state)})
	}
	return notes, nil
}

// Overview is what the first page shows.
type Overview struct {
	Stuck   int // at most 500
	Failed  int // jobs, at most 200
	Changes []ports.LogEntry
}

// latest is how many changes the first page shows.
const latest = 10

// Overview gathers what this operator may see.
func (s *Service) Overview(ctx context.Context, o user.Operator) (Overview, error) {
	var out Overview
	if o.May(user.View, user.RecordingModel) {
		list, err := s.Stuck(ctx, o)
		if err != nil {
			return out, err
		}
		out.Stuck = len(list)
	}
	if o.Superuser {
		list, err := s.Jobs(ctx, o, "", "")
		if err != nil {
			return out, err
		}
		out.Failed = len(list)
	}
	if o.May(user.View, user.LogModel) {
		list, err := s.Log(ctx, o, ports.Listing{Size: latest})
		if err != nil {
			return out, err
		}
		out.Changes = list.Rows
	}
	return out, nil
}

// expires is when a recording may not be downloaded any more.
func (s *Service) expires(rec *recording.Recording) *time.Time {
	if at, ok := rec.ExpiresAt(s.Config.ExpirationDays); ok {
		return &at
	}
	return nil
}
