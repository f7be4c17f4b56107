package postgres

import (
	"context"
	"encoding/json"
	"errors"
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
	return toRoom(row.MeetRoom, row.CreatedAt, row.UpdatedAt)
}

func (r rooms) Find(ctx context.Context, identifier string) (*room.Room, error) {
	if id, ok := room.ParseID(identifier); ok {
		return r.Get(ctx, id)
	}
	slug := room.Slug(identifier)
	row, err := q.RoomBySlug(ctx, r.c, &slug)
	if err != nil {
		return nil, translate(err, "room")
	}
	return toRoom(row.MeetRoom, row.CreatedAt, row.UpdatedAt)
}

func (r rooms) Role(ctx context.Context, id, user uuid.UUID) (access.Role, error) {
	role, err := q.RoomRole(ctx, r.c, db.RoomRoleParams{ResourceID: id, UserID: user})
	return toRole(role, err)
}

// toRole takes no row for no role.
func toRole(role string, err error) (access.Role, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return access.None, nil
	}
	return access.Role(role), translate(err, "role")
}

func (r rooms) Accesses(ctx context.Context, id uuid.UUID) ([]ports.RoomAccess, error) {
	rows, err := q.RoomAccesses(ctx, r.c, id)
	if err != nil {
		return nil, translate(err, "room access")
	}
	out := make([]ports.RoomAccess, len(rows))
	for i, row := range rows {
		u, err := toUser(row.MeetUser)
		if err != nil {
			return nil, err
		}
		out[i] = ports.RoomAccess{ID: row.ID, User: u, Role: access.Role(row.Role)}
	}
	return out, nil
}

func (r rooms) PINTaken(ctx context.Context, pin string) (bool, error) {
	taken, err := q.RoomPINTaken(ctx, r.c, &pin)
	return taken, translate(err, "room")
}

func toRoom(row db.MeetRoom, created, updated time.Time) (*room.Room, error) {
	m := &room.Room{
		ID: row.ResourceID, Name: row.Name, AccessLevel: room.AccessLevel(row.AccessLevel), PIN: row.PinCode,
		CreatedAt: created, UpdatedAt: updated,
	}
	if row.Slug != nil {
		m.Slug = *row.Slug
	}
	if err := json.Unmarshal(row.Configuration, &m.Configuration); err != nil {
		return nil, fmt.Errorf("configuration of room %s: %w", row.ResourceID, err)
	}
	return m, nil
}
