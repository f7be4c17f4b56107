package administration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// Rooms lists rooms.
func (s *Service) Rooms(ctx context.Context, o user.Operator, l ports.Listing) (ports.Listed[ports.RoomLine], error) {
	if err := need(o, user.View, user.RoomModel); err != nil {
		return ports.Listed[ports.RoomLine]{}, err
	}
	return s.Store.Repos().Admin.Lists.Rooms(ctx, s.at(l))
}

// RoomPage is a room with all that hangs on it.
type RoomPage struct {
	*room.Room

	Configuration string // JSON
	Members       []ports.RoomMember
	Belongings    ports.RoomBelongings
}

// Room shows a room. fault.NotFound for an unknown one.
func (s *Service) Room(ctx context.Context, o user.Operator, id uuid.UUID) (RoomPage, error) {
	if err := need(o, user.View, user.RoomModel); err != nil {
		return RoomPage{}, err
	}
	r := s.Store.Repos()
	rm, err := r.Rooms.Get(ctx, id)
	if err != nil {
		return RoomPage{}, err
	}
	conf, err := json.MarshalIndent(rm.Configuration, "", "  ")
	if err != nil {
		return RoomPage{}, fmt.Errorf("configuration of room %s: %w", id, err)
	}
	p := RoomPage{Room: rm, Configuration: string(conf)}
	if o.May(user.View, user.RoomAccessModel) {
		members, err := r.Accesses.Members(ctx, id)
		if err != nil {
			return p, err
		}
		p.Members = members[id]
	}
	p.Belongings, err = r.Admin.Lists.OfRoom(ctx, id)
	return p, err
}

// Accesses are changes of who has a role. What the operator may not change is
// passed over.
type Accesses struct {
	Roles  map[uuid.UUID]access.Role // of accesses that are there, by their ids
	Remove map[uuid.UUID]bool
	Add    []NewAccess
}

// NewAccess is one to be added.
type NewAccess struct {
	Field string // in the form
	Who   string // id, e-mail, admin e-mail or sub of an account
	Team  string // only of recordings
	Role  access.Role
}

// allowed leaves what the operator may do with accesses of a model.
func (a Accesses) allowed(o user.Operator, m user.Model) Accesses {
	if !o.May(user.Change, m) {
		a.Roles = nil
	}
	if !o.May(user.Delete, m) {
		a.Remove = nil
	}
	if !o.May(user.Add, m) {
		a.Add = nil
	}
	return a
}

// RoomForm is what may be changed of a room.
type RoomForm struct {
	Name          string
	AccessLevel   string
	Configuration string // JSON
	PIN           string // empty: none
	Accesses      Accesses
}

// apply takes a form over into a room, and tells the labels of what changed and
// whether those who are in it see it.
func (f RoomForm) apply(rm *room.Room, errs problems) (fields []string, seen bool) {
	set := func(label string) { fields = append(fields, label) }
	if name := errs.text("name", f.Name, false, 500); name != rm.Name && errs["name"] == nil {
		var fe *fault.Error
		if err := rm.Rename(name); errors.As(err, &fe) {
			for _, messages := range fe.Fields { // of the slug too: it follows from the name
				errs["name"] = messages
			}
		}
		set("Name")
	}
	if level := room.AccessLevel(f.AccessLevel); level != rm.AccessLevel {
		if !level.Valid() {
			errs.add("access_level", "Select an access level of the list.")
		}
		rm.AccessLevel, seen = level, true
		set("Access level")
	}
	var conf room.Configuration
	if err := json.Unmarshal([]byte(f.Configuration), &conf); err != nil || conf == nil {
		errs.add("configuration", "Enter a JSON object, such as {}.")
	} else if !reflect.DeepEqual(conf, rm.Configuration) {
		if problem := conf.Problem(); problem != "" {
			errs.add("configuration", problem)
		}
		rm.Configuration, seen = conf, true
		set("Configuration")
	}
	pin := errs.text("pin_code", f.PIN, true, 100)
	was := ""
	if rm.PIN != nil {
		was = *rm.PIN
	}
	if pin != was {
		if rm.PIN = &pin; pin == "" {
			rm.PIN = nil
		}
		set("Room PIN code")
	}
	return fields, seen
}

// named names the field of what another room has.
func named(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		switch f.Code {
		case "room_slug":
			return fault.Field("name", "Room with this Slug already exists.")
		case "room_pin":
			return fault.Field("pin_code", "Room with this Room PIN code already exists.")
		case "room_access_twice":
			return fault.Field("accesses", "Resource access with this User and Resource already exists.")
		}
	}
	return err
}

// NewRoom is what a room may begin with.
func (s *Service) NewRoom(o user.Operator) (RoomForm, error) {
	return RoomForm{AccessLevel: string(s.Config.AccessLevel), Configuration: "{}"}, need(o, user.Add, user.RoomModel)
}

// AddRoom makes a room with those who have a role on it; one of them must be its
// owner. fault.Invalid names the fields.
func (s *Service) AddRoom(ctx context.Context, o user.Operator, f RoomForm) (id uuid.UUID, err error) {
	if err := need(o, user.Add, user.RoomModel); err != nil {
		return uuid.Nil, err
	}
	if err := need(o, user.Add, user.RoomAccessModel); err != nil {
		return uuid.Nil, err
	}
	now, errs := s.Now(), problems{}
	rm := &room.Room{ID: s.NewID(), CreatedAt: now, UpdatedAt: now}
	f.apply(rm, errs)
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		wanted, err := s.wanted(ctx, r, f.Accesses.Add, errs)
		if err != nil {
			return err
		}
		first := -1
		for i, w := range wanted {
			if w.Role == access.Owner {
				first = i
				break
			}
		}
		if first < 0 && len(errs) == 0 {
			errs.add("accesses", "A room needs an owner: add one.")
		}
		if err := errs.err(); err != nil {
			return err
		}
		if rm.PIN == nil {
			if rm.PIN, err = s.DrawPIN(ctx, r.Rooms); err != nil {
				return err
			}
		}
		if err := r.Rooms.Create(ctx, rm, wanted[first].UserID, s.NewID()); err != nil {
			return named(err)
		}
		d := deed{model: user.RoomModel, id: rm.ID, name: rm.Name, flag: ports.LogAdded}
		for i, w := range wanted {
			if i != first {
				if err := r.Accesses.Save(ctx, ports.RoomAccess{ID: s.NewID(), RoomID: rm.ID, UserID: w.UserID, Role: w.Role}, now); err != nil {
					return named(err)
				}
			}
			d.parts = append(d.parts, gave(roomAccess, w.User.MailName(), w.UserID, access.None, w.Role))
		}
		return s.record(ctx, r, o, d)
	})
	return rm.ID, err
}

// roomAccess is what Django calls it in sentences.
const roomAccess = "Resource access"

// wanted finds the accounts of accesses to be added. Empty lines are passed over.
func (s *Service) wanted(ctx context.Context, r ports.Repos, add []NewAccess, errs problems) ([]ports.RoomMember, error) {
	var out []ports.RoomMember
	for _, n := range add {
		if strings.TrimSpace(n.Who) == "" {
			continue
		}
		if !n.Role.Valid() {
			errs.add(n.Field, "Select a role of the list.")
		}
		u, problem, err := find(ctx, r, n.Who)
		if err != nil {
			return nil, err
		}
		if problem != "" {
			errs.add(n.Field, problem)
			continue
		}
		out = append(out, ports.RoomMember{RoomAccess: ports.RoomAccess{UserID: u.ID, Role: n.Role}, User: u})
	}
	return out, nil
}

// ChangeRoom changes a room and who has a role on it, and reports whether anything
// changed. Those who are in it see a new access level or configuration by a job.
// fault.Forbidden with code "room_last_owner" when nobody would own it any more;
// fault.Invalid names the fields.
func (s *Service) ChangeRoom(ctx context.Context, o user.Operator, id uuid.UUID, f RoomForm) (changed bool, err error) {
	if err := need(o, user.Change, user.RoomModel); err != nil {
		return false, err
	}
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Accesses.Lock(ctx, id); err != nil {
			return err
		}
		rm, err := r.Rooms.Get(ctx, id)
		if err != nil {
			return err
		}
		errs, before := problems{}, *rm
		fields, seen := f.apply(rm, errs)
		parts, err := s.changeAccesses(ctx, r, id, f.Accesses.allowed(o, user.RoomAccessModel), errs)
		if err != nil {
			return named(err)
		}
		if err := errs.err(); err != nil {
			return err
		}
		d := deed{model: user.RoomModel, id: id, name: rm.Name, flag: ports.LogChanged, fields: fields, parts: parts}
		if d.empty() {
			return nil
		}
		changed = true
		if _, err := r.Rooms.Update(ctx, id, s.Now(), func(now *room.Room) error {
			now.Name, now.Slug, now.AccessLevel, now.Configuration = rm.Name, room.Slug(rm.Name), rm.AccessLevel, rm.Configuration
			return nil
		}); err != nil {
			return named(err)
		}
		if !reflect.DeepEqual(before.PIN, rm.PIN) {
			if err := r.Rooms.SetPIN(ctx, id, rm.PIN); err != nil {
				return named(err)
			}
		}
		if seen {
			if err := r.Jobs.ShowRoom(ctx, id); err != nil {
				return err
			}
		}
		return s.record(ctx, r, o, d)
	})
	return changed, err
}

// changeAccesses changes who has a role on a locked room.
func (s *Service) changeAccesses(ctx context.Context, r ports.Repos, id uuid.UUID, a Accesses, errs problems) ([]part, error) {
	all, err := r.Accesses.Members(ctx, id)
	if err != nil {
		return nil, err
	}
	var parts []part
	before, after := 0, 0
	there := map[uuid.UUID]bool{}
	for _, m := range all[id] {
		there[m.UserID] = true
		if m.Role == access.Owner {
			before++
		}
		role, given := a.Roles[m.ID]
		switch {
		case a.Remove[m.ID]:
			parts = append(parts, gave(roomAccess, m.User.MailName(), m.UserID, m.Role, access.None))
			if err := r.Accesses.Delete(ctx, m.ID); err != nil {
				return nil, err
			}
			continue
		case given && !role.Valid():
			errs.add("accesses", "Select a role of the list.")
		case given && role != m.Role:
			parts = append(parts, gave(roomAccess, m.User.MailName(), m.UserID, m.Role, role))
			m.Role = role
			if err := r.Accesses.Save(ctx, m.RoomAccess, s.Now()); err != nil {
				return nil, err
			}
		}
		if m.Role == access.Owner {
			after++
		}
	}
	wanted, err := s.wanted(ctx, r, a.Add, errs)
	if err != nil {
		return nil, err
	}
	for _, w := range wanted {
		if there[w.UserID] {
			return nil, fault.New(fault.Conflict, "room_access_twice")
		}
		there[w.UserID] = true
		w.ID, w.RoomID = s.NewID(), id
		if err := r.Accesses.Save(ctx, w.RoomAccess, s.Now()); err != nil {
			return nil, err
		}
		if w.Role == access.Owner {
			after++
		}
		parts = append(parts, gave(roomAccess, w.User.MailName(), w.UserID, access.None, w.Role))
	}
	if before > 0 && after == 0 {
		return nil, fault.New(fault.Forbidden, "room_last_owner")
	}
	return parts, nil
}

// DeleteRoom deletes a room with its accesses and recordings, and the files of
// these. fault.Forbidden with code "room_held" while one of them is on legal hold.
// Who may not delete recordings may not delete a room that has some.
func (s *Service) DeleteRoom(ctx context.Context, o user.Operator, id uuid.UUID) (name string, err error) {
	if err := need(o, user.Delete, user.RoomModel); err != nil {
		return "", err
	}
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		rm, err := r.Rooms.Get(ctx, id)
		if err != nil {
			return err
		}
		name = rm.Name
		b, err := r.Admin.Lists.OfRoom(ctx, id)
		if err != nil {
			return err
		}
		if b.Recordings > 0 {
			if err := need(o, user.Delete, user.RecordingModel); err != nil {
				return err
			}
		}
		if err := s.Recordings.RemoveOf(ctx, r, id, o.ID); err != nil {
			return err
		}
		if err := r.Rooms.Delete(ctx, id); err != nil {
			return err
		}
		if err := r.Jobs.CloseRoom(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, r, o, deed{
			model: user.RoomModel, id: id, name: name, flag: ports.LogDeleted,
			audit: map[string]string{"recordings": strconv.Itoa(b.Recordings), "members": strconv.Itoa(b.Accesses)},
		})
	})
	return name, err
}
