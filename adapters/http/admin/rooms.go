package admin

import (
	"strings"

	"github.com/google/uuid"

	"meetd/app/administration"
	"meetd/domain/access"
	"meetd/domain/room"
	"meetd/domain/user"
)

const roomsPath = "/admin/core/room/"

var roomsLink = link{"Rooms", roomsPath}

func roomPath(id uuid.UUID) string { return roomsPath + id.String() + "/change/" }

func (h *hosted) rooms() kind[uuid.UUID] {
	return kind[uuid.UUID]{
		h: h, model: user.RoomModel, one: "room", many: "rooms", list: roomsLink,
		id: uuidOf, look: h.roomThing, remove: h.Service.DeleteRoom,
	}
}

// owners is the owner column of rooms and recordings (admin.md §2).
func owners(only string, n int) cell {
	switch n {
	case 0:
		return cell{Text: "No owner", Badge: "warn"}
	case 1:
		return cell{Text: only}
	}
	return cell{Text: "Multiple owners"}
}

func level(l string) cell {
	return cell{Text: l, Badge: map[string]string{"public": "info", "trusted": "info", "restricted": "neutral"}[l]}
}

func (h *hosted) listRooms(c *request) error {
	q := c.QueryParams()
	l := listing(q, "access_level", "created")
	found, err := h.Service.Rooms(c.Request().Context(), c.op, l)
	if err != nil {
		return err
	}
	t := table{
		Caption: "Rooms", Search: "Name, slug or id", Empty: "No rooms match.",
		Columns: []column{
			{Label: "Name", order: "name"}, {Label: "Slug"}, {Label: "Access level"}, {Label: "Owner"}, {Label: "Created", order: "created", desc: true},
		},
		Filters: []filter{
			{"access_level", "Access level", options(q.Get("access_level"), "public", "Public", "trusted", "Trusted", "restricted", "Restricted")},
			ageFilter(q),
		},
	}
	for _, r := range found.Rows {
		t.Rows = append(t.Rows, row{ID: r.ID.String(), Label: r.Name, Cells: []cell{
			{Text: r.Name, URL: roomPath(r.ID), Head: true}, text(r.Slug), level(r.AccessLevel), owners(r.Owner, r.Owners), at(r.CreatedAt),
		}})
	}
	t.Actions, t.Add = h.rooms().deletions(c), h.rooms().adding(c)
	finish(&t, c, l, "name", found)
	return h.list(c, "Rooms", t)
}

// roomThing is a room that is to be deleted.
func (h *hosted) roomThing(c *request, id uuid.UUID) (thing, error) {
	p, err := h.Service.Room(c.Request().Context(), c.op, id)
	if err != nil {
		return thing{}, err
	}
	b := p.Belongings
	t := thing{Name: p.Name, URL: roomPath(p.ID), Along: []string{
		counts(b.Accesses, "role of somebody on it", "roles of people on it"),
		counts(b.Recordings, "recording, with who may see it and its files in the bucket", "recordings, with who may see them and their files in the bucket"),
	}}
	if b.Held > 0 {
		t.Warn = append(t.Warn, counts(b.Held, "recording is", "recordings are")+" on legal hold: the room cannot be deleted.")
	}
	if b.Recordings > 0 && !c.op.May(user.Delete, user.RecordingModel) {
		t.Warn = append(t.Warn, "You may not delete recordings, and so not this room.")
	}
	t.Kept = len(t.Warn) > 0
	return t, nil
}

func levels(selected string) []choice {
	var out []choice
	for _, l := range []room.AccessLevel{room.Public, room.Trusted, room.Restricted} {
		out = append(out, choice{string(l), strings.ToUpper(string(l[:1])) + string(l[1:]), string(l) == selected})
	}
	return out
}

func roomFields(f administration.RoomForm) []field {
	return []field{
		{Kind: "text", Name: "name", Label: "Name", Value: f.Name, Required: true, Help: "The slug, which is the address of the room, follows from the name."},
		{Kind: "select", Name: "access_level", Label: "Access level", Options: levels(f.AccessLevel), Help: "Public: everybody gets in. Trusted: everybody who is signed in. Restricted: who has a role on it."},
		{Kind: "text", Name: "pin_code", Label: "Room PIN code", Value: f.PIN, Auto: "off", Help: "For telephones and room kits. Empty: none.", Mono: true},
		{Kind: "area", Name: "configuration", Label: "Configuration", Value: f.Configuration, Help: "A JSON object: can_publish_sources, everyone_can_mute.", Mono: true},
	}
}

func readRoom(c *request) administration.RoomForm {
	return administration.RoomForm{
		Name: c.form("name"), AccessLevel: c.form("access_level"), Configuration: c.form("configuration"), PIN: c.form("pin_code"),
		Accesses: accesses(c),
	}
}

func (h *hosted) newRoom(c *request) error {
	f, err := h.Service.NewRoom(c.op)
	if err != nil {
		return err
	}
	return h.showNewRoom(c, f, nil)
}

func (h *hosted) showNewRoom(c *request, f administration.RoomForm, fields map[string][]string) error {
	in := &inline{Legend: "Who has a role on it", New: lines(f.Accesses.Add, access.Owner, fields), Errors: fields["accesses"]}
	return h.show(c, "Add room", roomsLink, form{
		Sets: []fieldset{{"Room", roomFields(f)}}, Inline: in, Submit: "Add room", Back: roomsPath,
	}, fields)
}

func (h *hosted) addRoom(c *request) error {
	f := readRoom(c)
	id, err := h.Service.AddRoom(c.Request().Context(), c.op, f)
	if fields, ok := invalid(err); ok {
		return h.showNewRoom(c, f, fields)
	} else if err != nil {
		return err
	}
	return h.tell(c, roomPath(id), done("The room “"+strings.TrimSpace(f.Name)+"” was added successfully."))
}

func (h *hosted) showRoom(c *request, id uuid.UUID) error {
	p, err := h.Service.Room(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	return h.roomPage(c, p, administration.RoomForm{
		Name: p.Name, AccessLevel: string(p.AccessLevel), Configuration: p.Configuration, PIN: pointedText(p.PIN),
	}, nil)
}

func (h *hosted) roomPage(c *request, p administration.RoomPage, sent administration.RoomForm, fields map[string][]string) error {
	f := form{Back: roomsPath, Sets: []fieldset{
		{"Room", roomFields(sent)},
		{"About", []field{
			mono("Id", p.ID.String()), mono("Slug", p.Slug), moment("Created", &p.CreatedAt), moment("Updated", &p.UpdatedAt),
			{Kind: "static", Label: "Recordings", Value: counts(p.Belongings.Recordings, "recording", "recordings"), URL: recordingsPath + "?room=" + p.ID.String()},
		}},
	}}
	if c.op.May(user.Change, user.RoomModel) {
		f.Submit = "Save"
	} else {
		f.Sets[0].Fields = fixed(f.Sets[0].Fields)
	}
	if !c.op.May(user.View, user.RecordingModel) {
		f.Sets[1].Fields[4].URL = ""
	}
	if c.op.May(user.View, user.RoomAccessModel) || c.op.May(user.Add, user.RoomAccessModel) {
		f.Inline = h.roomInline(c, p, sent, f.Submit != "", fields)
	}
	h.rooms().links(c, &f, p.ID, c.op.May(user.Delete, user.RoomModel))
	return h.show(c, p.Name, roomsLink, f, fields)
}

func (h *hosted) roomInline(c *request, p administration.RoomPage, sent administration.RoomForm, save bool, fields map[string][]string) *inline {
	in := &inline{
		Legend: "Who has a role on it", Errors: fields["accesses"],
		Change: save && c.op.May(user.Change, user.RoomAccessModel), Remove: save && c.op.May(user.Delete, user.RoomAccessModel),
	}
	for _, m := range p.Members {
		role := m.Role
		if r, ok := sent.Accesses.Roles[m.ID]; ok {
			role = r
		}
		x := inlineRow{ID: m.ID.String(), Name: m.User.MailName(), Roles: roleChoices(role), Role: string(m.Role), Removed: sent.Accesses.Remove[m.ID]}
		if c.op.May(user.View, user.AccountModel) {
			x.URL = userPath(m.UserID, "change")
		}
		in.Rows = append(in.Rows, x)
	}
	if save && c.op.May(user.Add, user.RoomAccessModel) {
		in.New = lines(sent.Accesses.Add, access.Member, fields)
	}
	return in
}

func (h *hosted) changeRoom(c *request, id uuid.UUID) error {
	f := readRoom(c)
	changed, err := h.Service.ChangeRoom(c.Request().Context(), c.op, id, f)
	fields, wrong := invalid(err)
	if err != nil && !wrong {
		return err
	}
	p, err := h.Service.Room(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	if wrong {
		return h.roomPage(c, p, f, fields)
	}
	return h.saved(c, changed, p.Name, roomsPath, roomPath(id))
}
