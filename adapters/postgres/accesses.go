package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/ports"
)

type roomAccesses struct{ c conn }

func (r roomAccesses) Role(ctx context.Context, room, user uuid.UUID) (access.Role, error) {
	role, err := q.RoomRole(ctx, r.c, db.RoomRoleParams{ResourceID: room, UserID: user})
	return toRole(role, err)
}

// toRole takes no row for no role.
func toRole(role string, err error) (access.Role, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return access.None, nil
	}
	return access.Role(role), translate(err, "role")
}

func (r roomAccesses) Members(ctx context.Context, rooms ...uuid.UUID) (map[uuid.UUID][]ports.RoomMember, error) {
	rows, err := q.RoomMembers(ctx, r.c, rooms)
	if err != nil {
		return nil, translate(err, "room access")
	}
	out := make(map[uuid.UUID][]ports.RoomMember, len(rooms))
	for _, row := range rows {
		u := toUser(row.MeetUser)
		a := ports.RoomAccess{ID: row.ID, RoomID: row.ResourceID, UserID: u.ID, Role: access.Role(row.Role)}
		out[row.ResourceID] = append(out[row.ResourceID], ports.RoomMember{RoomAccess: a, User: u})
	}
	return out, nil
}

func (r roomAccesses) Administered(ctx context.Context, user uuid.UUID, offset, limit int) ([]ports.RoomAccess, int, error) {
	count, err := q.AccessCountAdministered(ctx, r.c, user)
	if err != nil {
		return nil, 0, translate(err, "room access")
	}
	rows, err := q.AccessListAdministered(ctx, r.c, db.AccessListAdministeredParams{UserID: user, Limit: int32(limit), Offset: int32(offset)}) //nolint:gosec // the caller has checked the page
	if err != nil {
		return nil, 0, translate(err, "room access")
	}
	out := make([]ports.RoomAccess, len(rows))
	for i, row := range rows {
		out[i] = ports.RoomAccess{ID: row.ID, RoomID: row.ResourceID, UserID: row.UserID, Role: access.Role(row.Role)}
	}
	return out, int(count), nil
}

func (r roomAccesses) Get(ctx context.Context, id uuid.UUID) (ports.RoomAccess, error) {
	row, err := q.AccessGet(ctx, r.c, id)
	if err != nil {
		return ports.RoomAccess{}, translate(err, "room_access")
	}
	return ports.RoomAccess{ID: row.ID, RoomID: row.ResourceID, UserID: row.UserID, Role: access.Role(row.Role)}, nil
}

func (r roomAccesses) Lock(ctx context.Context, room uuid.UUID) error {
	_, err := q.ResourceLock(ctx, r.c, room)
	return translate(err, "room")
}

func (r roomAccesses) Owners(ctx context.Context, room uuid.UUID) (int, error) {
	n, err := q.AccessOwners(ctx, r.c, room)
	return int(n), translate(err, "room access")
}

func (r roomAccesses) Save(ctx context.Context, a ports.RoomAccess, at time.Time) error {
	return translate(q.AccessSave(ctx, r.c, db.AccessSaveParams{
		ID: a.ID, At: at, Role: string(a.Role), ResourceID: a.RoomID, UserID: a.UserID,
	}), "room access")
}

func (r roomAccesses) Delete(ctx context.Context, id uuid.UUID) error {
	return translate(q.AccessDelete(ctx, r.c, id), "room access")
}
