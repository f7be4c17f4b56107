package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/room"
	"meetd/ports"
)

type rooms struct{ c conn }

func (r rooms) Create(ctx context.Context, m *room.Room, owner, accessID uuid.UUID) error {
	conf, err := json.Marshal(m.Configuration)
	if err != nil {
		return fmt.Errorf("room configuration: %w", err)
	}
	err = pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		if err := q.ResourceInsert(ctx, tx, db.ResourceInsertParams{ID: m.ID, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt}); err != nil {
			return err
		}
		if err := q.RoomInsert(ctx, tx, db.RoomInsertParams{
			ResourceID: m.ID, Name: m.Name, Slug: &m.Slug, Configuration: conf, AccessLevel: string(m.AccessLevel), PinCode: m.PIN,
		}); err != nil {
			return err
		}
		return q.ResourceAccessInsert(ctx, tx, db.ResourceAccessInsertParams{
			ID: accessID, CreatedAt: m.CreatedAt, Role: string(access.Owner), ResourceID: m.ID, UserID: owner,
		})
	})
	return translate(err, "room")
}

func (r rooms) Get(ctx context.Context, id uuid.UUID) (*room.Room, error) {
	row, err := q.RoomGet(ctx, r.c, id)
	if err != nil {
		return nil, translate(err, "room")
	}
	return toRoom(row.MeetRoom, row.CreatedAt, row.UpdatedAt), nil
}

func (r rooms) Slugs(ctx context.Context, ids ...uuid.UUID) (map[uuid.UUID]string, error) {
	rows, err := q.RoomSlugs(ctx, r.c, ids)
	if err != nil {
		return nil, translate(err, "room")
	}
	out := make(map[uuid.UUID]string, len(rows))
	for _, row := range rows {
		out[row.ResourceID] = orEmpty(row.Slug)
	}
	return out, nil
}

func (r rooms) Find(ctx context.Context, identifier string, account uuid.UUID) (ports.HeldRoom, error) {
	var (
		row db.RoomHeldRow
		err error
	)
	if id, ok := room.ParseID(identifier); ok {
		row, err = q.RoomHeld(ctx, r.c, db.RoomHeldParams{ResourceID: id, UserID: account})
	} else {
		slug := room.Slug(identifier)
		var found db.RoomHeldBySlugRow
		found, err = q.RoomHeldBySlug(ctx, r.c, db.RoomHeldBySlugParams{Slug: &slug, UserID: account})
		row = db.RoomHeldRow(found)
	}
	if err != nil {
		return ports.HeldRoom{}, translate(err, "room")
	}
	return ports.HeldRoom{Room: toRoom(row.MeetRoom, row.CreatedAt, row.UpdatedAt), Role: access.Role(row.Role)}, nil
}

func (r rooms) List(ctx context.Context, user uuid.UUID, offset, limit int) ([]ports.HeldRoom, int, error) {
	n, err := q.RoomCount(ctx, r.c, user)
	if err != nil {
		return nil, 0, translate(err, "room")
	}
	count := int(n.Held)
	if limit == 0 || offset >= count {
		return nil, count, nil
	}
	most, skip := int32(limit), int32(offset) //nolint:gosec // the caller has checked the page
	var rows []db.RoomListRow
	if among := walk(n.Held, n.Total, offset, limit); among > 0 {
		first, err := q.RoomListOfFirst(ctx, r.c, db.RoomListOfFirstParams{UserID: user, Among: among, PageSize: most, Skip: skip})
		if err != nil {
			return nil, 0, translate(err, "room")
		}
		for _, row := range first {
			rows = append(rows, db.RoomListRow(row))
		}
	}
	if len(rows) < min(limit, count-offset) {
		if rows, err = q.RoomList(ctx, r.c, db.RoomListParams{UserID: user, PageSize: most, Skip: skip}); err != nil {
			return nil, 0, translate(err, "room")
		}
	}
	out := make([]ports.HeldRoom, len(rows))
	for i, row := range rows {
		m := toRoom(db.MeetRoom{
			ResourceID: row.ResourceID, Name: row.Name, Slug: row.Slug, Configuration: row.Configuration,
			AccessLevel: row.AccessLevel, PinCode: row.PinCode,
		}, row.CreatedAt, row.UpdatedAt)
		out[i] = ports.HeldRoom{Room: m, Role: access.Role(row.Role)}
	}
	return out, count, nil
}

func (r rooms) Update(ctx context.Context, id uuid.UUID, at time.Time, fn func(*room.Room) error) (*room.Room, error) {
	var m *room.Room
	err := pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		row, err := q.RoomGetForUpdate(ctx, tx, id)
		if err != nil {
			return err
		}
		m = toRoom(row.MeetRoom, row.CreatedAt, at)
		if err := fn(m); err != nil {
			return err
		}
		conf, err := json.Marshal(m.Configuration)
		if err != nil {
			return fmt.Errorf("room configuration: %w", err)
		}
		if err := q.ResourceTouch(ctx, tx, db.ResourceTouchParams{ID: id, UpdatedAt: at}); err != nil {
			return err
		}
		return q.RoomSet(ctx, tx, db.RoomSetParams{
			ResourceID: id, Name: m.Name, Slug: &m.Slug, Configuration: conf, AccessLevel: string(m.AccessLevel),
		})
	})
	if err != nil {
		return nil, translate(err, "room")
	}
	return m, nil
}

func (r rooms) Delete(ctx context.Context, id uuid.UUID) error {
	err := pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		if _, err := q.ResourceLock(ctx, tx, id); err != nil {
			return err
		}
		for _, remove := range []func(context.Context, db.DBTX, uuid.UUID) error{
			q.RoomDeleteAccesses, q.RoomDelete, q.ResourceDelete,
		} {
			if err := remove(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	return translate(err, "room")
}

func (r rooms) ByPIN(ctx context.Context, pin string) (*room.Room, error) {
	row, err := q.RoomByPIN(ctx, r.c, pin)
	if err != nil {
		return nil, translate(err, "room")
	}
	return toRoom(row.MeetRoom, row.CreatedAt, row.UpdatedAt), nil
}

func (r rooms) SetPIN(ctx context.Context, room uuid.UUID, pin *string) error {
	return translate(q.RoomSetPIN(ctx, r.c, db.RoomSetPINParams{ResourceID: room, PinCode: pin}), "room")
}

func (r rooms) PINTaken(ctx context.Context, pin string) (bool, error) {
	taken, err := q.RoomPINTaken(ctx, r.c, &pin)
	return taken, translate(err, "room")
}

func toRoom(row db.MeetRoom, created, updated time.Time) *room.Room {
	m := &room.Room{
		ID: row.ResourceID, Name: row.Name, AccessLevel: room.AccessLevel(row.AccessLevel), PIN: row.PinCode,
		Configuration: configuration(row.Configuration), CreatedAt: created, UpdatedAt: updated,
	}
	if row.Slug != nil {
		m.Slug = *row.Slug
	}
	return m
}
