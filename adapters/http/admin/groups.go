package admin

import (
	"slices"
	"strconv"
	"strings"

	"meetd/app/administration"
	"meetd/domain/user"
	"meetd/ports"
)

const groupsPath = "/admin/auth/group/"

func (h *hosted) groups() kind[int32] {
	return kind[int32]{
		h: h, model: user.GroupModel, one: "group", many: "groups", list: link{"Groups", groupsPath},
		id: numberOf, look: h.groupThing, remove: h.Service.DeleteGroup,
	}
}

func (h *hosted) listGroups(c *request) error {
	l := listing(c.QueryParams())
	found, err := h.Service.Groups(c.Request().Context(), c.op, l)
	if err != nil {
		return err
	}
	t := table{
		Caption: "Groups", Search: "Name", Empty: "No groups match.",
		Columns: []column{{Label: "Name", order: "name"}, {Label: "Members"}, {Label: "Permissions"}},
	}
	k := h.groups()
	for _, g := range found.Rows {
		members := strconv.Itoa(g.Members)
		if g.Members > ports.MostMembers {
			members = "More than 10,000"
		}
		t.Rows = append(t.Rows, row{ID: k.text(g.ID), Label: g.Name, Cells: []cell{
			{Text: g.Name, URL: k.page(g.ID, "change"), Head: true}, text(members), text(strconv.Itoa(g.Permissions)),
		}})
	}
	t.Actions, t.Add = k.deletions(c), k.adding(c)
	finish(&t, c, l, "name", found)
	return h.list(c, "Groups", t)
}

// groupThing is a group that is to be deleted.
func (h *hosted) groupThing(c *request, id int32) (thing, error) {
	p, err := h.Service.Group(c.Request().Context(), c.op, id)
	if err != nil {
		return thing{}, err
	}
	t := thing{Name: p.Name, URL: h.groups().page(id, "change"), Kept: !p.MayDelete, Along: []string{
		counts(p.Members, "membership: the user stays, and loses what the group allows", "memberships: the users stay, and lose what the group allows"),
		counts(len(p.Permissions), "permission of the group", "permissions of the group"),
	}}
	if t.Kept {
		t.Warn = append(t.Warn, refusals["group_rights"].text)
	}
	return t, nil
}

// permissionField shows the permissions there are, and which of them are given.
func permissionField(name, label, help string, known []ports.NamedPermission, given []user.Permission) field {
	f := field{Kind: "checks", Name: name, Label: label, Help: help}
	for _, n := range known {
		f.Options = append(f.Options, choice{string(n.Permission), n.Name + " (" + string(n.Permission) + ")", slices.Contains(given, n.Permission)})
	}
	return f
}

// permissionsOf reads them from a form.
func permissionsOf(c *request, name string) []user.Permission {
	var out []user.Permission
	for _, text := range c.Request().PostForm[name] {
		out = append(out, user.Permission(text))
	}
	return out
}

func groupSets(c *request, p administration.GroupPage, f administration.GroupForm) []fieldset {
	sets := []fieldset{
		{"Group", []field{{Kind: "text", Name: "name", Label: "Name", Value: f.Name, Required: true, Auto: "off"}}},
		{"What its members may do here", []field{permissionField(
			"permissions", "Permissions", "Beside what they may do themselves or by other groups. It counts at once.", p.Known, f.Permissions,
		)}},
	}
	if !c.op.Superuser {
		sets[1].Legend += ": only superusers change this"
		sets[1].Fields = fixed(sets[1].Fields)
	}
	return sets
}

func readGroup(c *request) administration.GroupForm {
	return administration.GroupForm{Name: c.form("name"), Permissions: permissionsOf(c, "permissions")}
}

func (h *hosted) newGroup(c *request) error {
	return h.showNewGroup(c, administration.GroupForm{}, nil)
}

func (h *hosted) showNewGroup(c *request, f administration.GroupForm, fields map[string][]string) error {
	p, err := h.Service.NewGroup(c.Request().Context(), c.op)
	if err != nil {
		return err
	}
	k := h.groups()
	return h.show(c, "Add group", k.list, form{Sets: groupSets(c, p, f), Submit: "Add group", Back: k.list.URL}, fields)
}

func (h *hosted) addGroup(c *request) error {
	f := readGroup(c)
	id, err := h.Service.AddGroup(c.Request().Context(), c.op, f)
	if fields, ok := invalid(err); ok {
		return h.showNewGroup(c, f, fields)
	} else if err != nil {
		return err
	}
	return h.tell(c, h.groups().page(id, "change"), done("The group “"+strings.TrimSpace(f.Name)+"” was added successfully."))
}

func (h *hosted) showGroup(c *request, id int32) error {
	p, err := h.Service.Group(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	return h.groupPage(c, p, administration.GroupForm{Name: p.Name, Permissions: p.Permissions}, nil)
}

func (h *hosted) groupPage(c *request, p administration.GroupPage, sent administration.GroupForm, fields map[string][]string) error {
	if !c.op.Superuser { // what others send is passed over
		sent.Permissions = p.Permissions
	}
	k := h.groups()
	f := form{Sets: groupSets(c, p, sent), Back: k.list.URL}
	if c.op.May(user.Change, user.GroupModel) {
		f.Submit = "Save"
	} else {
		f.Sets[0].Fields = fixed(f.Sets[0].Fields)
	}
	f.Sets[0].Fields = append(f.Sets[0].Fields, static("Members", strconv.Itoa(p.Members)))
	k.links(c, &f, p.ID, p.MayDelete)
	return h.show(c, p.Name, k.list, f, fields)
}

func (h *hosted) changeGroup(c *request, id int32) error {
	f := readGroup(c)
	changed, err := h.Service.ChangeGroup(c.Request().Context(), c.op, id, f)
	fields, wrong := invalid(err)
	if err != nil && !wrong {
		return err
	}
	p, err := h.Service.Group(c.Request().Context(), c.op, id)
	if err != nil {
		return err
	}
	if wrong {
		return h.groupPage(c, p, f, fields)
	}
	k := h.groups()
	return h.saved(c, changed, p.Name, k.list.URL, k.page(id, "change"))
}
