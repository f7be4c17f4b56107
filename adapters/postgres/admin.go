package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

type accounts struct{ c conn }

func (r accounts) Operator(ctx context.Context, key ports.SessionKey, now time.Time) (user.Operator, error) {
	row, err := q.OperatorGet(ctx, r.c, db.OperatorGetParams{IDHash: key[:], Now: now})
	if err != nil {
		return user.Operator{}, translate(err, "session")
	}
	who := user.User{ID: row.ID, Email: row.Email, AdminEmail: row.AdminEmail, FullName: row.FullName}
	o := user.Operator{
		ID: row.ID, Name: who.DisplayName(), Staff: row.IsStaff, Superuser: row.IsSuperuser, Noted: row.Noted,
		Permissions: map[user.Permission]bool{},
	}
	if !o.Staff || o.Superuser {
		return o, nil
	}
	list, err := q.OperatorPermissions(ctx, r.c, o.ID)
	for _, p := range list {
		o.Permissions[user.Permission(p)] = true
	}
	return o, translate(err, "permission")
}

func (r accounts) Get(ctx context.Context, id uuid.UUID) (*user.Account, error) {
	row, err := q.UserGet(ctx, r.c, id)
	return r.account(ctx, row, err)
}

func (r accounts) Lock(ctx context.Context, id uuid.UUID) (*user.Account, error) {
	row, err := q.AccountLock(ctx, r.c, id)
	return r.account(ctx, row, err)
}

func (r accounts) account(ctx context.Context, row db.MeetUser, err error) (*user.Account, error) {
	if err != nil {
		return nil, translate(err, "user")
	}
	a := toAccount(row)
	if a.Groups, err = q.AccountGroups(ctx, r.c, a.ID); err != nil {
		return nil, translate(err, "group")
	}
	list, err := q.AccountPermissions(ctx, r.c, a.ID)
	for _, p := range list {
		a.Permissions = append(a.Permissions, user.Permission(p))
	}
	return a, translate(err, "permission")
}

func toAccount(row db.MeetUser) *user.Account {
	return &user.Account{
		User: *toUser(row), Password: row.Password, Staff: row.IsStaff, Superuser: row.IsSuperuser, Device: row.IsDevice,
		LastLogin: row.LastLogin, UpdatedAt: row.UpdatedAt,
	}
}

func (r accounts) Find(ctx context.Context, text string) (*user.User, error) {
	if id, err := uuid.Parse(text); err == nil {
		u, err := users(r).Get(ctx, id)
		if !errors.Is(err, fault.NotFound) { // a subject may look like an id
			return u, err
		}
	}
	rows, err := q.AccountsLike(ctx, r.c, text)
	switch {
	case err != nil:
		return nil, translate(err, "user")
	case len(rows) == 0:
		return nil, fault.New(fault.NotFound, "user")
	case len(rows) > 1:
		return nil, fault.New(fault.Conflict, "user_ambiguous")
	}
	return toUser(rows[0].MeetUser), nil
}

func (r accounts) Create(ctx context.Context, a *user.Account) error {
	err := q.AccountInsert(ctx, r.c, db.AccountInsertParams{
		ID: a.ID, Password: a.Password, IsSuperuser: a.Superuser, At: a.CreatedAt, AdminEmail: a.AdminEmail,
		Language: a.Language, Timezone: a.Timezone, IsDevice: a.Device, IsStaff: a.Staff, IsActive: a.Active,
	})
	if err != nil {
		return translate(err, "user")
	}
	return r.saveRights(ctx, a)
}

func (r accounts) Save(ctx context.Context, a *user.Account, at time.Time) error {
	err := q.AccountSet(ctx, r.c, db.AccountSetParams{
		ID: a.ID, Password: a.Password, AdminEmail: a.AdminEmail, Language: a.Language, Timezone: a.Timezone,
		IsDevice: a.Device, IsStaff: a.Staff, IsSuperuser: a.Superuser, IsActive: a.Active, At: at,
	})
	if err != nil {
		return translate(err, "user")
	}
	return r.saveRights(ctx, a)
}

func (r accounts) saveRights(ctx context.Context, a *user.Account) error {
	names, err := ensurePermissions(ctx, r.c, a.Permissions)
	if err != nil {
		return err
	}
	for _, do := range []func() error{
		func() error { return q.AccountClearGroups(ctx, r.c, a.ID) },
		func() error {
			return q.AccountAddGroups(ctx, r.c, db.AccountAddGroupsParams{UserID: a.ID, Groups: a.Groups})
		},
		func() error { return q.AccountClearPermissions(ctx, r.c, a.ID) },
		func() error {
			return q.AccountAddPermissions(ctx, r.c, db.AccountAddPermissionsParams{UserID: a.ID, Permissions: names})
		},
	} {
		if err := do(); err != nil {
			return translate(err, "user")
		}
	}
	return nil
}

func (r accounts) Delete(ctx context.Context, id uuid.UUID) error {
	for _, remove := range []func() error{
		func() error { return q.AccountDeleteRoomAccesses(ctx, r.c, id) },
		func() error { return q.AccountDeleteRecordingAccesses(ctx, r.c, &id) },
		func() error { return q.AccountClearGroups(ctx, r.c, id) },
		func() error { return q.AccountClearPermissions(ctx, r.c, id) },
		func() error { return q.AccountDeleteLog(ctx, r.c, id) },
		func() error { return q.AccountDelete(ctx, r.c, id) },
	} {
		if err := remove(); err != nil {
			return translate(err, "user")
		}
	}
	return nil
}

// known are the permissions that our administration asks for. Django adds its own,
// these among them, when it migrates; a database that it never saw has none yet.
var known = func() (list []ports.NamedPermission) {
	for _, m := range []struct {
		model user.Model
		name  string
	}{
		{user.AccountModel, "user"},
		{user.GroupModel, "group"},
		{user.RoomModel, "Room"},
		{user.RoomAccessModel, "Resource access"},
		{user.RecordingModel, "Recording"},
		{user.RecordingAccessModel, "Recording/user relation"},
		{user.LogModel, "log entry"},
	} {
		for _, v := range []user.Verb{user.Add, user.Change, user.Delete, user.View} {
			list = append(list, ports.NamedPermission{Permission: user.Permit(v, m.model), Name: "Can " + string(v) + " " + m.name})
		}
	}
	return list
}()

func (r accounts) Rights(ctx context.Context) (ports.Rights, error) {
	var out ports.Rights
	all, err := q.GroupsAll(ctx, r.c)
	if err != nil {
		return out, translate(err, "group")
	}
	for _, g := range all {
		out.Groups = append(out.Groups, user.Group{ID: g.ID, Name: g.Name})
	}
	rows, err := q.PermissionsAll(ctx, r.c)
	if err != nil {
		return out, translate(err, "permission")
	}
	there := map[user.Permission]bool{}
	for _, row := range rows {
		p := ports.NamedPermission{Permission: user.Permission(row.Permission), Name: row.Name}
		out.Permissions, there[p.Permission] = append(out.Permissions, p), true
	}
	for _, p := range known {
		if !there[p.Permission] {
			out.Permissions = append(out.Permissions, p)
		}
	}
	return out, nil
}

// ensurePermissions adds those that are known and missing, and gives them as texts.
func ensurePermissions(ctx context.Context, c conn, list []user.Permission) ([]string, error) {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = string(p)
		if err := ensurePermission(ctx, c, p); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// ensurePermission adds one that is known and missing, with its content type.
func ensurePermission(ctx context.Context, c conn, p user.Permission) error {
	for _, k := range known {
		if k.Permission != p {
			continue
		}
		app, codename, _ := strings.Cut(string(p), ".")
		_, model, _ := strings.Cut(codename, "_")
		if err := ensureModels(ctx, c, user.Model(app+"."+model)); err != nil {
			return err
		}
		return translate(q.PermissionEnsure(ctx, c, db.PermissionEnsureParams{Name: k.Name, Codename: codename, App: app, Model: model}), "permission")
	}
	return nil
}

func ensureModels(ctx context.Context, c conn, models ...user.Model) error {
	var arg db.ContentTypesEnsureParams
	for _, m := range models {
		app, model, _ := strings.Cut(string(m), ".")
		arg.Apps, arg.Models = append(arg.Apps, app), append(arg.Models, model)
	}
	return translate(q.ContentTypesEnsure(ctx, c, arg), "content type")
}

type adminLog struct{ c conn }

// longestName is what django_admin_log holds of what something was called.
const longestName = 200

func (r adminLog) Add(ctx context.Context, entries ...ports.LogEntry) error {
	for _, e := range entries {
		if err := ensureModels(ctx, r.c, e.Model); err != nil {
			return err
		}
		app, model, _ := strings.Cut(string(e.Model), ".")
		name := []rune(e.Name)
		if err := q.AdminLogInsert(ctx, r.c, db.AdminLogInsertParams{
			At: e.At, ObjectID: &e.Object, ObjectRepr: string(name[:min(len(name), longestName)]), Flag: int16(e.Flag),
			Message: e.Message, UserID: e.By, App: app, Model: model,
		}); err != nil {
			return translate(err, "change log")
		}
	}
	return nil
}

type recordingAccesses struct{ c conn }

func (r recordingAccesses) Of(ctx context.Context, recording uuid.UUID) ([]ports.RecordingAccess, error) {
	rows, err := q.RecordingAccessesOf(ctx, r.c, recording)
	out := make([]ports.RecordingAccess, len(rows))
	for i, row := range rows {
		a := ports.RecordingAccess{ID: row.ID, Recording: recording, Team: row.Team, Role: access.Role(row.Role), Name: row.Team}
		if row.UserID != nil {
			who := user.User{ID: *row.UserID, Email: row.Email, AdminEmail: row.AdminEmail}
			a.User, a.Name = who.ID, who.MailName()
		}
		out[i] = a
	}
	return out, translate(err, "recording access")
}

func (r recordingAccesses) Save(ctx context.Context, a ports.RecordingAccess, at time.Time) error {
	arg := db.RecordingAccessSaveParams{ID: a.ID, At: at, Team: a.Team, Role: string(a.Role), RecordingID: a.Recording}
	if a.User != uuid.Nil {
		arg.UserID = &a.User
	}
	return translate(q.RecordingAccessSave(ctx, r.c, arg), "recording access")
}

func (r recordingAccesses) Delete(ctx context.Context, id uuid.UUID) error {
	return translate(q.RecordingAccessDelete(ctx, r.c, id), "recording access")
}

func (r recordingAccesses) Hold(ctx context.Context, recording uuid.UUID) (ports.Hold, error) {
	h, err := q.HoldGet(ctx, r.c, recording)
	if errors.Is(err, pgx.ErrNoRows) {
		return ports.Hold{}, fault.New(fault.NotFound, "hold")
	}
	return ports.Hold{Recording: h.RecordingID, Reason: h.Reason, PlacedAt: h.PlacedAt, PlacedBy: h.PlacedBy}, translate(err, "hold")
}
