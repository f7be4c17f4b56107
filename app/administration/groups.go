package administration

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// Groups lists groups.
func (s *Service) Groups(ctx context.Context, o user.Operator, l ports.Listing) (ports.Listed[ports.GroupLine], error) {
	if err := need(o, user.View, user.GroupModel); err != nil {
		return ports.Listed[ports.GroupLine]{}, err
	}
	return s.Store.Repos().Admin.Lists.Groups(ctx, s.at(l))
}

// GroupPage is a group with all that hangs on it.
type GroupPage struct {
	*user.Group

	Members   int
	Known     []ports.NamedPermission // what a group can allow
	MayDelete bool                    // this operator, this group
}

// Group shows a group. fault.NotFound for an unknown one.
func (s *Service) Group(ctx context.Context, o user.Operator, id int32) (GroupPage, error) {
	if err := need(o, user.View, user.GroupModel); err != nil {
		return GroupPage{}, err
	}
	r := s.Store.Repos()
	g, err := r.Admin.Groups.Get(ctx, id)
	if err != nil {
		return GroupPage{}, err
	}
	p := GroupPage{Group: g, MayDelete: o.May(user.Delete, user.GroupModel) && o.MayDrop(g)}
	if p.Members, err = r.Admin.Groups.Members(ctx, id); err != nil {
		return p, err
	}
	rights, err := r.Admin.Accounts.Rights(ctx)
	p.Known = rights.Permissions
	return p, err
}

// GroupForm is what may be changed of a group. What only superusers may change is
// passed over when others send it: who may not give somebody a permission, cannot
// do it by way of a group either.
type GroupForm struct {
	Name        string
	Permissions []user.Permission // only superusers
}

// NewGroup is a group that is not there yet.
func (s *Service) NewGroup(ctx context.Context, o user.Operator) (GroupPage, error) {
	if err := need(o, user.Add, user.GroupModel); err != nil {
		return GroupPage{}, err
	}
	rights, err := s.Store.Repos().Admin.Accounts.Rights(ctx)
	return GroupPage{Group: &user.Group{}, Known: rights.Permissions}, err
}

// apply takes a form over into a group, and tells the labels of what changed.
func (f GroupForm) apply(ctx context.Context, r ports.Repos, o user.Operator, g *user.Group) (fields []string, err error) {
	errs := problems{}
	if name := errs.text("name", f.Name, false, user.LongestGroupName); name != g.Name {
		g.Name = name
		fields = append(fields, "Name")
	}
	if o.Superuser && replace(&g.Permissions, f.Permissions) {
		fields = append(fields, "Permissions")
		rights, err := r.Admin.Accounts.Rights(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range g.Permissions {
			if !slices.ContainsFunc(rights.Permissions, func(k ports.NamedPermission) bool { return k.Permission == p }) {
				errs.add("permissions", "Select permissions of the list.")
				break
			}
		}
	}
	return fields, errs.err()
}

// numbered is an id that is a number.
type numbered int32

// String implements fmt.Stringer.
func (n numbered) String() string { return strconv.Itoa(int(n)) }

// onGroup is what was done to a group. The audit log is told how much it allows.
func onGroup(g *user.Group, flag ports.LogFlag, fields ...string) deed {
	return deed{
		model: user.GroupModel, id: numbered(g.ID), name: g.Name, flag: flag, fields: fields,
		audit: map[string]string{"permissions": strconv.Itoa(len(g.Permissions))},
	}
}

// only names the field of a name that another group has.
func only(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "group_name" {
		return fault.Field("name", "Group with this Name already exists.")
	}
	return err
}

// AddGroup makes a group without members. fault.Invalid names the fields.
func (s *Service) AddGroup(ctx context.Context, o user.Operator, f GroupForm) (id int32, err error) {
	if err := need(o, user.Add, user.GroupModel); err != nil {
		return 0, err
	}
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		if _, err := lock(ctx, r, o, o.ID); err != nil {
			return err
		}
		g := &user.Group{}
		if _, err := f.apply(ctx, r, o, g); err != nil {
			return err
		}
		if err := r.Admin.Groups.Create(ctx, g); err != nil {
			return only(err)
		}
		id = g.ID
		return s.record(ctx, r, o, onGroup(g, ports.LogAdded))
	})
	return id, err
}

// ChangeGroup changes a group, and reports whether anything changed. What it allows
// counts for its members at once. fault.Invalid names the fields.
func (s *Service) ChangeGroup(ctx context.Context, o user.Operator, id int32, f GroupForm) (changed bool, err error) {
	err = s.group(ctx, o, id, user.Change, func(r ports.Repos, g *user.Group) error {
		fields, err := f.apply(ctx, r, o, g)
		if err != nil {
			return err
		}
		d := onGroup(g, ports.LogChanged, fields...)
		if d.empty() {
			return nil
		}
		changed = true
		if err := r.Admin.Groups.Save(ctx, g); err != nil {
			return only(err)
		}
		return s.record(ctx, r, o, d)
	})
	return changed, err
}

// DeleteGroup deletes a group: its members lose at once what it allowed.
// fault.Forbidden with code "group_rights" when somebody else than a superuser
// deletes one that allows something.
func (s *Service) DeleteGroup(ctx context.Context, o user.Operator, id int32) (name string, err error) {
	err = s.group(ctx, o, id, user.Delete, func(r ports.Repos, g *user.Group) error {
		name = g.Name
		if !o.MayDrop(g) {
			return fault.New(fault.Forbidden, "group_rights")
		}
		members, err := r.Admin.Groups.Members(ctx, id)
		if err != nil {
			return err
		}
		if err := r.Admin.Groups.Delete(ctx, id); err != nil {
			return err
		}
		d := onGroup(g, ports.LogDeleted)
		d.audit["members"] = strconv.Itoa(members)
		return s.record(ctx, r, o, d)
	})
	return name, err
}

// group changes a group. Its operator is locked first, as where accounts are
// changed, so that none of these wait for each other.
func (s *Service) group(ctx context.Context, o user.Operator, id int32, v user.Verb, fn func(ports.Repos, *user.Group) error) error {
	if err := need(o, v, user.GroupModel); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		if _, err := lock(ctx, r, o, o.ID); err != nil {
			return err
		}
		g, err := r.Admin.Groups.Lock(ctx, id)
		if err != nil {
			return err
		}
		return fn(r, g)
	})
}
