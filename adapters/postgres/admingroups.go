package postgres

import (
	"context"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/user"
)

type groups struct{ c conn }

func (r groups) Get(ctx context.Context, id int32) (*user.Group, error) {
	row, err := q.GroupGet(ctx, r.c, id)
	return r.group(ctx, row, err)
}

func (r groups) Lock(ctx context.Context, id int32) (*user.Group, error) {
	row, err := q.GroupLock(ctx, r.c, id)
	return r.group(ctx, row, err)
}

func (r groups) group(ctx context.Context, row db.AuthGroup, err error) (*user.Group, error) {
	if err != nil {
		return nil, translate(err, "group")
	}
	g := &user.Group{ID: row.ID, Name: row.Name}
	list, err := q.GroupPermissions(ctx, r.c, g.ID)
	for _, p := range list {
		g.Permissions = append(g.Permissions, user.Permission(p))
	}
	return g, translate(err, "permission")
}

func (r groups) Create(ctx context.Context, g *user.Group) error {
	id, err := q.GroupInsert(ctx, r.c, g.Name)
	if err != nil {
		return translate(err, "group")
	}
	g.ID = id
	return r.allow(ctx, g)
}

func (r groups) Save(ctx context.Context, g *user.Group) error {
	if err := q.GroupSetName(ctx, r.c, db.GroupSetNameParams{ID: g.ID, Name: g.Name}); err != nil {
		return translate(err, "group")
	}
	if err := q.GroupClearPermissions(ctx, r.c, g.ID); err != nil {
		return translate(err, "group")
	}
	return r.allow(ctx, g)
}

// allow stores what a group allows that allows nothing yet.
func (r groups) allow(ctx context.Context, g *user.Group) error {
	names, err := ensurePermissions(ctx, r.c, g.Permissions)
	if err != nil {
		return err
	}
	return translate(q.GroupAddPermissions(ctx, r.c, db.GroupAddPermissionsParams{GroupID: g.ID, Permissions: names}), "group")
}

func (r groups) Delete(ctx context.Context, id int32) error {
	for _, remove := range []func(context.Context, db.DBTX, int32) error{
		q.GroupClearMembers, q.GroupClearPermissions, q.GroupDelete,
	} {
		if err := remove(ctx, r.c, id); err != nil {
			return translate(err, "group")
		}
	}
	return nil
}

func (r groups) Members(ctx context.Context, id int32) (int, error) {
	n, err := q.GroupMembers(ctx, r.c, id)
	return int(n), translate(err, "group")
}
