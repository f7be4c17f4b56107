package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

type users struct{ c conn }

func (r users) BySub(ctx context.Context, sub string) (*user.User, error) {
	row, err := q.UserBySub(ctx, r.c, &sub)
	if err != nil {
		return nil, translate(err, "user")
	}
	return toUser(row), nil
}

func (r users) ByEmail(ctx context.Context, email string, pending bool) (*user.User, error) {
	rows, err := q.UsersByEmail(ctx, r.c, db.UsersByEmailParams{Email: email, Pending: pending})
	switch {
	case err != nil:
		return nil, translate(err, "user")
	case len(rows) == 0:
		return nil, fault.New(fault.NotFound, "user")
	case len(rows) > 1:
		return nil, fault.New(fault.Conflict, "user_email_ambiguous")
	}
	return toUser(rows[0]), nil
}

func (r users) Get(ctx context.Context, id uuid.UUID) (*user.User, error) {
	row, err := q.UserGet(ctx, r.c, id)
	if err != nil {
		return nil, translate(err, "user")
	}
	return toUser(row), nil
}

func (r users) List(ctx context.Context, search string, offset, limit int) ([]*user.User, int, error) {
	var (
		rows  []db.MeetUser
		count int64
		err   error
	)
	skip, most := int32(offset), int32(limit) //nolint:gosec // the caller has checked the page
	if search == "" {
		if count, err = q.UserCount(ctx, r.c); err == nil {
			rows, err = q.UserList(ctx, r.c, db.UserListParams{Limit: most, Offset: skip})
		}
	} else if count, err = q.UserSearchCount(ctx, r.c, search); err == nil {
		rows, err = q.UserSearch(ctx, r.c, db.UserSearchParams{Search: search, MaxRows: most, Skip: skip})
	}
	if err != nil {
		return nil, 0, translate(err, "user")
	}
	list := make([]*user.User, len(rows))
	for i, row := range rows {
		list[i] = toUser(row)
	}
	return list, int(count), nil
}

func (r users) Create(ctx context.Context, u *user.User) error {
	return translate(q.UserInsert(ctx, r.c, db.UserInsertParams{
		// Django's mark of a password that never matches (database.md §2).
		ID: u.ID, Password: "!" + rand.Text() + rand.Text()[:14], CreatedAt: u.CreatedAt,
		Sub: u.Sub, Email: u.Email, Language: u.Language, Timezone: u.Timezone,
		FullName: u.FullName, ShortName: u.ShortName,
	}), "user")
}

func (r users) SaveClaims(ctx context.Context, u *user.User) error {
	return translate(q.UserSetClaims(ctx, r.c, db.UserSetClaimsParams{
		ID: u.ID, Sub: u.Sub, Email: u.Email, FullName: u.FullName, ShortName: u.ShortName,
	}), "user")
}

func (r users) Update(ctx context.Context, id uuid.UUID, at time.Time, fn func(*user.User) error) (*user.User, error) {
	var u *user.User
	err := pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		row, err := q.UserGetForUpdate(ctx, tx, id)
		if err != nil {
			return err
		}
		u = toUser(row)
		if err := fn(u); err != nil {
			return err
		}
		conf, err := json.Marshal(u.DefaultRoomConfiguration)
		if err != nil {
			return fmt.Errorf("default room configuration: %w", err)
		}
		return q.UserSetPreferences(ctx, tx, db.UserSetPreferencesParams{
			ID: id, Language: u.Language, Timezone: u.Timezone, DefaultRoomAccessLevel: u.DefaultRoomAccessLevel,
			DefaultRoomConfiguration: conf, UpdatedAt: at,
		})
	})
	if err != nil {
		return nil, translate(err, "user")
	}
	return u, nil
}

func (r users) LoggedIn(ctx context.Context, id uuid.UUID, at time.Time) error {
	return translate(q.UserSetLastLogin(ctx, r.c, db.UserSetLastLoginParams{ID: id, LastLogin: &at}), "user")
}

// configuration reads what should be an object. Django's administration stores any
// JSON there; what is no object says nothing, and must lock nobody out.
func configuration(stored []byte) map[string]any {
	var conf map[string]any
	if json.Unmarshal(stored, &conf) != nil || conf == nil {
		return map[string]any{}
	}
	return conf
}

func toUser(row db.MeetUser) *user.User {
	return &user.User{
		ID: row.ID, Sub: row.Sub, Email: row.Email, AdminEmail: row.AdminEmail,
		FullName: row.FullName, ShortName: row.ShortName, Language: row.Language, Timezone: row.Timezone,
		Active: row.IsActive, DefaultRoomAccessLevel: row.DefaultRoomAccessLevel,
		DefaultRoomConfiguration: configuration(row.DefaultRoomConfiguration), CreatedAt: row.CreatedAt,
	}
}

type sessions struct{ c conn }

func (r sessions) Create(ctx context.Context, key ports.SessionKey, s user.Session) error {
	data, err := json.Marshal(s.Data)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	var owner *uuid.UUID
	if s.User != uuid.Nil {
		owner = &s.User
	}
	return translate(q.SessionInsert(ctx, r.c, db.SessionInsertParams{
		IDHash: key[:], UserID: owner, Sub: s.Sub, Sid: s.SID, Teams: orNone(s.Teams), Data: data, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
	}), "session")
}

func (r sessions) Get(ctx context.Context, key ports.SessionKey, now time.Time) (user.Session, error) {
	row, err := q.SessionGet(ctx, r.c, db.SessionGetParams{IDHash: key[:], ExpiresAt: now})
	if err != nil {
		return user.Session{}, translate(err, "session")
	}
	return toSession(row)
}

func (r sessions) User(ctx context.Context, key ports.SessionKey, now time.Time) (*user.User, error) {
	row, err := q.SessionUser(ctx, r.c, db.SessionUserParams{IDHash: key[:], ExpiresAt: now})
	if err != nil {
		return nil, translate(err, "session")
	}
	u := toUser(row.MeetUser)
	u.Teams = row.Teams
	return u, nil
}

func (r sessions) Update(ctx context.Context, key ports.SessionKey, now time.Time, fn func(*user.SessionData) error) (user.Session, error) {
	var s user.Session
	err := pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		row, err := q.SessionGetForUpdate(ctx, tx, db.SessionGetForUpdateParams{IDHash: key[:], ExpiresAt: now})
		if err != nil {
			return err
		}
		if s, err = toSession(row); err != nil {
			return err
		}
		if err := fn(&s.Data); err != nil {
			return err
		}
		data, err := json.Marshal(s.Data)
		if err != nil {
			return fmt.Errorf("session: %w", err)
		}
		return q.SessionSetData(ctx, tx, db.SessionSetDataParams{IDHash: key[:], Data: data})
	})
	return s, translate(err, "session")
}

func (r sessions) Extend(ctx context.Context, key ports.SessionKey, until time.Time) error {
	return translate(q.SessionExtend(ctx, r.c, db.SessionExtendParams{IDHash: key[:], ExpiresAt: until}), "session")
}

func (r sessions) Delete(ctx context.Context, key ports.SessionKey) error {
	return translate(q.SessionDelete(ctx, r.c, key[:]), "session")
}

func (r sessions) EndByUser(ctx context.Context, id uuid.UUID) (int64, error) {
	n, err := q.SessionDeleteByUser(ctx, r.c, &id)
	return n, translate(err, "session")
}

func (r sessions) EndByProvider(ctx context.Context, sub, sid string) ([]uuid.UUID, error) {
	var (
		rows []*uuid.UUID
		err  error
	)
	if sub != "" {
		rows, err = q.SessionDeleteBySub(ctx, r.c, db.SessionDeleteBySubParams{Sub: sub, Sid: sid})
	} else {
		rows, err = q.SessionDeleteBySID(ctx, r.c, sid)
	}
	if err != nil {
		return nil, translate(err, "session")
	}
	ids := make([]uuid.UUID, len(rows))
	for i, id := range rows {
		ids[i] = *id
	}
	return ids, nil
}

func (r sessions) DeleteExpired(ctx context.Context, now time.Time) (int64, error) {
	n, err := q.SessionDeleteExpired(ctx, r.c, now)
	return n, translate(err, "session")
}

func toSession(row db.MeetdSession) (user.Session, error) {
	s := user.Session{Sub: row.Sub, SID: row.Sid, Teams: row.Teams, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt}
	if row.UserID != nil {
		s.User = *row.UserID
	}
	if err := json.Unmarshal(row.Data, &s.Data); err != nil {
		return s, fmt.Errorf("session data: %w", err)
	}
	return s, nil
}

// orNone is for columns that hold a list and never null.
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

type usedTokens struct{ c conn }

func (r usedTokens) Take(ctx context.Context, key ports.SessionKey, until time.Time) error {
	return translate(q.UsedTokenInsert(ctx, r.c, db.UsedTokenInsertParams{IDHash: key[:], ExpiresAt: until}), "token")
}

func (r usedTokens) DeleteExpired(ctx context.Context, now time.Time) error {
	return translate(q.UsedTokenDeleteExpired(ctx, r.c, now), "token")
}
