package admin

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"meetd/app/administration"
	"meetd/domain/fault"
	"meetd/domain/user"
)

const usersPath = "/admin/core/user/"

var usersLink = link{"Users", usersPath}

func userPath(id uuid.UUID, what string) string { return usersPath + id.String() + "/" + what + "/" }

func (h *hosted) users() kind[uuid.UUID] {
	return kind[uuid.UUID]{
		h: h, model: user.AccountModel, one: "user", many: "users", list: usersLink,
		id: uuidOf, look: h.userThing, remove: h.Service.DeleteAccount,
	}
}

func (h *hosted) listUsers(c *request) error {
	q := c.QueryParams()
	l := listing(q, "is_active", "is_staff", "is_superuser", "is_device")
	found, err := h.Service.Users(c.Request().Context(), c.op, l)
	if err != nil {
		return err
	}
	t := table{
		Caption: "Users", Search: "Id, sub, e-mail, admin e-mail or name", Empty: "No users match.",
		Columns: []column{
			{Label: "User", order: "email"},
			{Label: "Name", order: "name"},
			{Label: "Admin e-mail"},
			{Label: "Sub"},
			{Label: "Active", order: "standing", desc: true},
			{Label: "Staff"},
			{Label: "Superuser"},
			{Label: "Device"},
			{Label: "Created", order: "created", desc: true},
			{Label: "Updated"},
			{Label: "Id"},
		},
		Filters: []filter{
			flagFilter(q, "is_active", "Active"), flagFilter(q, "is_staff", "Staff"), flagFilter(q, "is_superuser", "Superuser"), flagFilter(q, "is_device", "Device"),
		},
	}
	for _, u := range found.Rows {
		names := pointedText(u.FullName)
		if short := pointedText(u.ShortName); short != "" && short != names {
			names += " (" + short + ")"
		}
		active := cell{Text: "Yes"}
		if !u.Active {
			active = cell{Text: "Disabled", Badge: "bad"}
		}
		t.Rows = append(t.Rows, row{ID: u.ID.String(), Label: u.MailName(), Cells: []cell{
			{Text: u.MailName(), URL: userPath(u.ID, "change"), Head: true},
			text(names), pointed(u.AdminEmail), pointed(u.Sub),
			active, yesNo(u.Staff, "info"), yesNo(u.Superuser, "warn"), yesNo(u.Device, "info"), at(u.CreatedAt), at(u.UpdatedAt),
			{Text: u.ID.String(), Mono: true},
		}})
	}
	t.Actions, t.Add = h.users().deletions(c), h.users().adding(c)
	finish(&t, c, l, "standing", found)
	return h.list(c, "Users", t)
}

// userThing is an account that is to be deleted.
func (h *hosted) userThing(c *request, id uuid.UUID) (thing, error) {
	p, err := h.Service.Account(c.Request().Context(), c.op, id)
	if err != nil {
		return thing{}, err
	}
	t := thing{Name: p.MailName(), URL: userPath(p.ID, "change"), Kept: !p.MayDelete || p.Belongings.Files > 0, Along: []string{
		counts(p.Belongings.Rooms, "role on a room", "roles on rooms"),
		counts(p.Belongings.Recordings, "role on a recording", "roles on recordings"),
		counts(p.Belongings.Sessions, "live session", "live sessions"),
		counts(p.Belongings.Entries, "entry in the change log, which are what this user did here", "entries in the change log, which are what this user did here"),
	}}
	if n := p.Belongings.Orphans; n > 0 {
		t.Warn = append(t.Warn, counts(n, "room has no other owner and will stay without one.", "rooms have no other owner and will stay without one."))
	}
	if n := p.Belongings.Files; n > 0 {
		t.Warn = append(t.Warn, "The user has "+counts(n, "file", "files")+" and cannot be deleted before.")
	}
	if !p.MayDelete {
		t.Warn = append(t.Warn, "You may not delete this user.")
	}
	return t, nil
}

func (h *hosted) userForm(c *request, f administration.AccountForm, p *administration.AccountPage) []fieldset {
	access := []field{
		{Kind: "email", Name: "admin_email", Label: "Admin email address", Value: f.AdminEmail, Auto: "off", Help: "What the user signs in to this site with. Upper and lower case count."},
		{Kind: "check", Name: "is_active", Label: "Active", Checked: f.Active, Help: "Who is not active cannot sign in anywhere and loses all sessions."},
		{Kind: "check", Name: "is_device", Label: "Device", Checked: f.Device, Help: "Whether this is a device and not a real user."},
	}
	var languages []choice
	there := false
	for _, l := range h.Service.Config.Languages {
		languages = append(languages, choice{l.Code, l.Name, l.Code == f.Language})
		there = there || l.Code == f.Language
	}
	if !there {
		languages = append(languages, choice{f.Language, f.Language, true})
	}
	preferences := []field{
		{Kind: "select", Name: "language", Label: "Language", Options: languages},
		{Kind: "text", Name: "timezone", Label: "Timezone", Value: f.Timezone, Required: true, Help: "Such as Europe/Paris.", Auto: "off"},
	}
	sets := []fieldset{{"Access", access}, {"Preferences", preferences}}
	if p == nil {
		if c.op.Superuser {
			sets = append(sets, fieldset{"Administration", standingFields(f)})
		}
		return sets
	}
	rights := standingFields(f)
	var groups []choice
	for _, g := range p.Rights.Groups {
		groups = append(groups, choice{strconv.Itoa(int(g.ID)), g.Name, slices.Contains(f.Groups, g.ID)})
	}
	if len(groups) > 0 {
		rights = append(rights, field{Kind: "checks", Name: "groups", Label: "Groups", Options: groups})
	}
	rights = append(rights, permissionField(
		"user_permissions", "User permissions", "What the user may do here beside what the groups allow. Superusers may do everything.", p.Rights.Permissions, f.Permissions,
	))
	if !c.op.Superuser {
		rights = fixed(rights)
		rights[0].Help = "Only superusers change these."
	}
	sets = append(sets, fieldset{"Administration", rights})
	if !p.MayChange {
		for i := range sets {
			sets[i].Fields = fixed(sets[i].Fields)
		}
	}
	return sets
}

func standingFields(f administration.AccountForm) []field {
	return []field{
		{Kind: "check", Name: "is_staff", Label: "Staff status", Checked: f.Staff, Help: "Whether the user may sign in to this site."},
		{Kind: "check", Name: "is_superuser", Label: "Superuser status", Checked: f.Superuser, Help: "All permissions, without naming them."},
	}
}

func readUser(c *request) administration.AccountForm {
	f := administration.AccountForm{
		AdminEmail: c.form("admin_email"), Language: c.form("language"), Timezone: c.form("timezone"),
		Active: c.form("is_active") != "", Device: c.form("is_device") != "", Staff: c.form("is_staff") != "", Superuser: c.form("is_superuser") != "",
		Permissions: permissionsOf(c, "user_permissions"),
	}
	for _, text := range c.Request().PostForm["groups"] {
		if id, err := strconv.ParseInt(text, 10, 32); err == nil {
			f.Groups = append(f.Groups, int32(id))
		}
	}
	return f
}

func (h *hosted) newUser(c *request) error {
	f, err := h.Service.NewAccount(c.op)
	if err != nil {
		return err
	}
	return h.showNewUser(c, f, nil)
}

func (h *hosted) showNewUser(c *request, f administration.AccountForm, fields map[string][]string) error {
	sets := h.userForm(c, f, nil)
	sets[0].Fields[0].Required = true
	sets = append(sets, fieldset{"Password", passwordFields()})
	return h.show(c, "Add user", usersLink, form{Sets: sets, Submit: "Add user", Back: usersPath}, fields)
}

func passwordFields() []field {
	return []field{
		{Kind: "password", Name: "password1", Label: "Password", Required: true, Auto: "new-password", Help: "At least " + strconv.Itoa(user.ShortestPassword) + " characters."},
		{Kind: "password", Name: "password2", Label: "Password again", Required: true, Auto: "new-password"},
	}
}

func (h *hosted) addUser(c *request) error {
	f := readUser(c)
	id, err := h.Service.AddAccount(c.Request().Context(), c.op, f, c.form("password1"), c.form("password2"))
	if fields, ok := invalid(err); ok {
		return h.showNewUser(c, f, fields)
	} else if err != nil {
		return err
	}
	return h.tell(c, userPath(id, "change"), done("The user “"+f.AdminEmail+"” was added successfully."))
}

func (h *hosted) showUser(c *request, id uuid.UUID) error {
	p, err := h.Service.Account(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	return h.userPage(c, p, administration.AccountForm{
		AdminEmail: pointedText(p.AdminEmail), Language: p.Language, Timezone: p.Timezone, Active: p.Active, Device: p.Device,
		Staff: p.Staff, Superuser: p.Superuser, Groups: p.Groups, Permissions: p.Permissions,
	}, nil)
}

func (h *hosted) userPage(c *request, p administration.AccountPage, sent administration.AccountForm, fields map[string][]string) error {
	password := "None: the user signs in with OpenID Connect only"
	if p.Usable() {
		password = "Set"
	}
	about := []field{
		mono("Id", p.ID.String()), mono("Sub", pointedText(p.Sub)), static("E-mail", pointedText(p.Email)),
		static("Full name", pointedText(p.FullName)), static("Short name", pointedText(p.ShortName)), static("Password", password),
		moment("Created", &p.CreatedAt), moment("Updated", &p.UpdatedAt), moment("Last login", p.LastLogin),
		static("Live sessions", strconv.Itoa(p.Belongings.Sessions)),
		static("Roles", counts(p.Belongings.Rooms, "room", "rooms")+", "+counts(p.Belongings.Recordings, "recording", "recordings")),
	}
	f := form{Sets: append([]fieldset{{"About", about}}, h.userForm(c, sent, &p)...), Back: usersPath}
	if p.MayChange {
		f.Submit = "Save"
		f.Tools = append(f.Tools, tool{Label: "Change password", URL: userPath(p.ID, "password")},
			tool{Label: "End all sessions", URL: userPath(p.ID, "end-sessions"), Post: true})
	}
	h.users().links(c, &f, p.ID, p.MayDelete)
	return h.show(c, p.MailName(), usersLink, f, fields)
}

func (h *hosted) changeUser(c *request, id uuid.UUID) error {
	f := readUser(c)
	changed, err := h.Service.ChangeAccount(c.Request().Context(), c.op, id, f)
	fields, wrong := invalid(err)
	if err != nil && !wrong {
		return err
	}
	p, err := h.Service.Account(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	if wrong {
		return h.userPage(c, p, f, fields)
	}
	return h.saved(c, changed, p.MailName(), usersPath, userPath(id, "change"))
}

func (h *hosted) showPassword(c *request, id uuid.UUID) error { return h.passwordPage(c, id, nil) }

func (h *hosted) passwordPage(c *request, id uuid.UUID, fields map[string][]string) error {
	p, err := h.Service.Account(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	if !p.MayChange {
		return fault.New(fault.Forbidden, "admin_permission")
	}
	legend := "New password. All sessions of the user end."
	if id == c.op.ID {
		legend = "New password. All your sessions end, this one too: sign in again."
	}
	return h.show(c, "Change password: "+p.MailName(), link{p.MailName(), userPath(id, "change")}, form{
		Sets: []fieldset{{legend, passwordFields()}}, Submit: "Change password", Back: userPath(id, "change"),
	}, fields)
}

func (h *hosted) setPassword(c *request, id uuid.UUID) error {
	err := h.Service.SetPassword(c.Request().Context(), c.op, id, c.form("password1"), c.form("password2"))
	if fields, ok := invalid(err); ok {
		return h.passwordPage(c, id, fields)
	} else if err != nil {
		return err
	}
	if id == c.op.ID {
		h.host.LogOut(c)
		return c.Redirect(http.StatusSeeOther, "/admin/login/")
	}
	return h.tell(c, userPath(id, "change"), done("Password changed successfully. All sessions of the user have ended."))
}

func (h *hosted) endSessions(c *request, id uuid.UUID) error {
	n, err := h.Service.EndSessions(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	if id == c.op.ID {
		h.host.LogOut(c)
		return c.Redirect(http.StatusSeeOther, "/admin/login/")
	}
	return h.tell(c, userPath(id, "change"), done(counts(int(n), "session", "sessions")+" ended."))
}
