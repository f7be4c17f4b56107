package administration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// RecordingsList lists recordings.
func (s *Service) RecordingsList(ctx context.Context, o user.Operator, l ports.Listing) (ports.Listed[ports.RecordingLine], error) {
	if err := need(o, user.View, user.RecordingModel); err != nil {
		return ports.Listed[ports.RecordingLine]{}, err
	}
	return s.Store.Repos().Admin.Lists.Recordings(ctx, s.at(l))
}

// RecordingPage is a recording with all that hangs on it.
type RecordingPage struct {
	*recording.Recording

	Room      *room.Room
	Options   string // JSON
	Key       string // of its object
	Accesses  []ports.RecordingAccess
	Hold      *ports.Hold // nil: it may be deleted
	ExpiresAt *time.Time  // nil: never
	Expired   bool
}

// recordingName is what a recording is called in the log.
func recordingName(rec *recording.Recording) string {
	return "Recording " + rec.ID.String() + " (" + string(rec.Status()) + ")"
}

// Recording shows a recording. fault.NotFound for an unknown one.
func (s *Service) Recording(ctx context.Context, o user.Operator, id uuid.UUID) (RecordingPage, error) {
	if err := need(o, user.View, user.RecordingModel); err != nil {
		return RecordingPage{}, err
	}
	r := s.Store.Repos()
	rec, err := r.Recordings.Get(ctx, id)
	if err != nil {
		return RecordingPage{}, err
	}
	options, err := json.MarshalIndent(rec.Options, "", "  ")
	if err != nil {
		return RecordingPage{}, fmt.Errorf("options of recording %s: %w", id, err)
	}
	p := RecordingPage{
		Recording: rec, Options: string(options), Key: rec.Key(s.Config.Folder),
		ExpiresAt: s.expires(rec), Expired: rec.Expired(s.Config.ExpirationDays, s.Now()),
	}
	if p.Room, err = r.Rooms.Get(ctx, rec.RoomID); err != nil {
		return p, err
	}
	if o.May(user.View, user.RecordingAccessModel) {
		if p.Accesses, err = r.Admin.Shares.Of(ctx, id); err != nil {
			return p, err
		}
	}
	hold, err := r.Admin.Shares.Hold(ctx, id)
	if err == nil {
		p.Hold = &hold
	}
	return p, fault.IgnoreMissing(err)
}

// RecordingForm is what may be changed of a recording.
type RecordingForm struct {
	Process  string // job at the summary service; empty: none
	Accesses Accesses
}

// recordingAccess is what Django calls it in sentences.
const recordingAccess = "Recording/user relation"

// ChangeRecording changes a recording and who has a role on it, and reports whether
// anything changed. fault.Invalid names the fields.
func (s *Service) ChangeRecording(ctx context.Context, o user.Operator, id uuid.UUID, f RecordingForm) (changed bool, err error) {
	if err := need(o, user.Change, user.RecordingModel); err != nil {
		return false, err
	}
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		recs, err := r.Recordings.Lock(ctx, id)
		if err != nil {
			return err
		}
		rec := recs[id]
		if rec == nil {
			return fault.New(fault.NotFound, "recording")
		}
		errs := problems{}
		d := deed{model: user.RecordingModel, id: id, name: recordingName(rec), flag: ports.LogChanged}
		if process := errs.text("external_process_id", f.Process, true, 255); process != rec.Process() && len(errs) == 0 {
			rec.ProcessedBy(process)
			d.fields = append(d.fields, "External Process ID")
			if err := r.Recordings.Save(ctx, s.Now(), rec); err != nil {
				return err
			}
		}
		if d.parts, err = s.changeShares(ctx, r, id, f.Accesses.allowed(o, user.RecordingAccessModel), errs); err != nil {
			return err
		}
		if err := errs.err(); err != nil {
			return err
		}
		if d.empty() {
			return nil
		}
		changed = true
		return s.record(ctx, r, o, d)
	})
	if err != nil {
		return false, processTaken(err)
	}
	return changed, nil
}

func processTaken(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "recording_process" {
		return fault.Field("external_process_id", "Recording with this External Process ID already exists.")
	}
	return err
}

// changeShares changes who has a role on a locked recording.
func (s *Service) changeShares(ctx context.Context, r ports.Repos, id uuid.UUID, a Accesses, errs problems) ([]part, error) {
	all, err := r.Admin.Shares.Of(ctx, id)
	if err != nil {
		return nil, err
	}
	var parts []part
	users, teams := map[uuid.UUID]bool{}, map[string]bool{}
	for _, x := range all {
		role, given := a.Roles[x.ID]
		switch {
		case a.Remove[x.ID]:
			parts = append(parts, gave(recordingAccess, x.Name, x.User, x.Role, access.None))
			if err := r.Admin.Shares.Delete(ctx, x.ID); err != nil {
				return nil, err
			}
			continue
		case given && !role.Valid():
			errs.add("accesses", "Select a role of the list.")
		case given && role != x.Role:
			parts = append(parts, gave(recordingAccess, x.Name, x.User, x.Role, role))
			x.Role = role
			if err := r.Admin.Shares.Save(ctx, x, s.Now()); err != nil {
				return nil, err
			}
		}
		users[x.User], teams[x.Team] = true, true
	}
	for _, n := range a.Add {
		who := strings.TrimSpace(n.Who)
		team := errs.text(n.Field, n.Team, true, 100)
		x := ports.RecordingAccess{ID: s.NewID(), Recording: id, Team: team, Role: n.Role, Name: team}
		switch {
		case who == "" && team == "":
			continue
		case who != "" && team != "":
			errs.add(n.Field, "Either user or team must be set, not both.")
			continue
		case who != "":
			u, problem, err := find(ctx, r, who)
			if err != nil {
				return nil, err
			}
			if problem != "" {
				errs.add(n.Field, problem)
				continue
			}
			x.User, x.Name = u.ID, u.MailName()
			if users[u.ID] {
				errs.add(n.Field, "This user is already in this recording.")
			}
		case teams[team]:
			errs.add(n.Field, "This team is already in this recording.")
		}
		if !n.Role.Valid() {
			errs.add(n.Field, "Select a role of the list.")
		}
		if len(errs) > 0 {
			continue
		}
		users[x.User], teams[x.Team] = true, true
		if err := r.Admin.Shares.Save(ctx, x, s.Now()); err != nil {
			return nil, err
		}
		parts = append(parts, gave(recordingAccess, x.Name, x.User, access.None, x.Role))
	}
	return parts, nil
}

// DeleteRecording deletes a recording with its files. fault.Forbidden while it
// records ("permission") or is on legal hold ("recording_held").
func (s *Service) DeleteRecording(ctx context.Context, o user.Operator, id uuid.UUID) (name string, err error) {
	if err := need(o, user.Delete, user.RecordingModel); err != nil {
		return "", err
	}
	name = "Recording " + id.String()
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		rec, err := r.Recordings.Get(ctx, id)
		if err != nil {
			return err
		}
		name = recordingName(rec)
		if err := s.Recordings.Remove(ctx, r, o.ID, id); err != nil {
			return err
		}
		return s.record(ctx, r, o, deed{model: user.RecordingModel, id: id, name: name, flag: ports.LogDeleted})
	})
	return name, err
}

// Remind has everybody told again that recordings are there (admin.md §3).
func (s *Service) Remind(ctx context.Context, o user.Operator, ids []uuid.UUID) (notes []user.Note, err error) {
	if err := need(o, user.Change, user.RecordingModel); err != nil {
		return nil, err
	}
	told, skipped := 0, 0
	for _, id := range ids {
		expired := false
		err := s.Store.InTx(ctx, func(r ports.Repos) (err error) {
			if expired, err = s.Recordings.Remind(ctx, r, id); err != nil || expired {
				return err
			}
			return s.recordChange(ctx, r, o, id, "Notification")
		})
		var f *fault.Error
		switch {
		case errors.Is(err, fault.NotFound): // gone since the page was shown
			continue
		case errors.As(err, &f) && f.Code == "notify":
			text := "Failed to notify for recording " + id.String()
			if f.Err != nil {
				text += ": " + f.Err.Error()
			}
			notes = append(notes, user.Note{Level: user.Failure, Text: text})
		case err != nil:
			return nil, err
		case expired:
			skipped++
		default:
			told++
		}
	}
	if told > 0 {
		notes = append(notes, user.Note{Level: user.Success, Text: fmt.Sprintf("Successfully sent notifications for %d recording(s).", told)})
	}
	if skipped > 0 {
		notes = append(notes, user.Note{Level: user.Warning, Text: fmt.Sprintf("Skipped %d expired recording(s).", skipped)})
	}
	return notes, nil
}

// GiveUp marks recordings without an end as failed to stop (admin.md §3).
func (s *Service) GiveUp(ctx context.Context, o user.Operator, ids []uuid.UUID) (notes []user.Note, err error) {
	if err := need(o, user.Change, user.RecordingModel); err != nil {
		return nil, err
	}
	var done []uuid.UUID
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		if done, err = s.Recordings.GiveUp(ctx, r, ids); err != nil {
			return err
		}
		for _, id := range done {
			if err := s.recordChange(ctx, r, o, id, "Status"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(done) > 0 {
		notes = append(notes, user.Note{Level: user.Success, Text: fmt.Sprintf("%d recording(s) successfully marked as 'Failed to Stop'.", len(done))})
	}
	if n := len(ids) - len(done); n > 0 {
		notes = append(notes, user.Note{Level: user.Warning, Text: fmt.Sprintf("Skipped %d recording(s) with an ineligible status.", n)})
	}
	return notes, nil
}

// Hold keeps a recording from being deleted. fault.Invalid without a reason,
// fault.Conflict when it is held already.
func (s *Service) Hold(ctx context.Context, o user.Operator, id uuid.UUID, reason string) error {
	if err := need(o, user.Change, user.RecordingModel); err != nil {
		return err
	}
	errs := problems{}
	reason = errs.text("reason", reason, false, recording.MaxHoldReason)
	if err := errs.err(); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := s.Recordings.Hold(ctx, r, o.ID, id, reason, o.Name); err != nil {
			return err
		}
		return s.recordChange(ctx, r, o, id, "Legal hold")
	})
}

// Release lets a recording be deleted again. fault.NotFound when it is not held.
func (s *Service) Release(ctx context.Context, o user.Operator, id uuid.UUID) error {
	if err := need(o, user.Change, user.RecordingModel); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := s.Recordings.Release(ctx, r, o.ID, id); err != nil {
			return err
		}
		return s.recordChange(ctx, r, o, id, "Legal hold")
	})
}

// recordChange writes down what was done to a recording that is there.
func (s *Service) recordChange(ctx context.Context, r ports.Repos, o user.Operator, id uuid.UUID, what string) error {
	rec, err := r.Recordings.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.record(ctx, r, o, deed{model: user.RecordingModel, id: id, name: recordingName(rec), flag: ports.LogChanged, fields: []string{what}})
}
