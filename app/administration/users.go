package administration

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// Users lists accounts.
func (s *Service) Users(ctx context.Context, o user.Operator, l ports.Listing) (ports.Listed[user.Account], error) {
	if err := need(o, user.View, user.AccountModel); err != nil {
		return ports.Listed[user.Account]{}, err
	}
	return s.Store.Repos().Admin.Lists.Users(ctx, s.at(l))
}

// AccountPage is an account with all that hangs on it.
type AccountPage struct {
	*user.Account

	Belongings ports.AccountBelongings
	Rights     ports.Rights
	MayChange  bool // this operator, this account
	MayDelete  bool
}

// Account shows an account. fault.NotFound for an unknown one.
func (s *Service) Account(ctx context.Context, o user.Operator, id uuid.UUID) (AccountPage, error) {
	if err := need(o, user.View, user.AccountModel); err != nil {
		return AccountPage{}, err
	}
	r := s.Store.Repos()
	a, err := r.Admin.Accounts.Get(ctx, id)
	if err != nil {
		return AccountPage{}, err
	}
	p := AccountPage{
		Account: a, MayChange: o.May(user.Change, user.AccountModel) && o.MayTouch(a),
		MayDelete: o.May(user.Delete, user.AccountModel) && o.MayTouch(a) && a.ID != o.ID,
	}
	if p.Belongings, err = r.Admin.Lists.OfAccount(ctx, id, s.Now()); err != nil {
		return p, err
	}
	p.Rights, err = r.Admin.Accounts.Rights(ctx)
	return p, err
}

// AccountForm is what may be changed of an account. What only superusers may
// change is passed over when others send it.
type AccountForm struct {
	AdminEmail string // empty: none
	Language   string
	Timezone   string
	Active     bool
	Device     bool

	Staff       bool // from here on: only superusers
	Superuser   bool
	Groups      []int32
	Permissions []user.Permission
}

// NewAccount is what an account may begin with.
func (s *Service) NewAccount(o user.Operator) (AccountForm, error) {
	return AccountForm{Language: s.Config.Language, Timezone: "UTC", Active: true}, need(o, user.Add, user.AccountModel)
}

// AddAccount makes an account that logs in with its admin e-mail and a password.
// fault.Invalid names the fields.
func (s *Service) AddAccount(ctx context.Context, o user.Operator, f AccountForm, password, again string) (uuid.UUID, error) {
	if err := need(o, user.Add, user.AccountModel); err != nil {
		return uuid.Nil, err
	}
	now := s.Now()
	a := &user.Account{User: user.User{ID: s.NewID(), CreatedAt: now}}
	_, errs := s.apply(o, a, f)
	if a.AdminEmail == nil && errs["admin_email"] == nil {
		errs.add("admin_email", "This field is required: the user signs in with it.")
	}
	errs.password(user.CheckPassword(password, again, a.AdminEmail))
	if err := errs.err(); err != nil {
		return uuid.Nil, err
	}
	hash, err := s.Passwords.Hash(password)
	if err != nil {
		return uuid.Nil, err
	}
	a.Password = hash
	err = s.Store.InTx(ctx, func(r ports.Repos) error {
		if err := r.Admin.Accounts.Create(ctx, a); err != nil {
			return taken(err)
		}
		return s.record(ctx, r, o, deed{model: user.AccountModel, id: a.ID, name: a.MailName(), flag: ports.LogAdded, audit: standing(a)})
	})
	return a.ID, err
}

func (p problems) password(err error) {
	var f *fault.Error
	if errors.As(err, &f) {
		for field, messages := range f.Fields {
			p[field] = append(p[field], messages...)
		}
	}
}

// taken names the field of an address that another account has.
func taken(err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "admin_email" {
		return fault.Field("admin_email", "User with this Admin email address already exists.")
	}
	return err
}

// standing is what the audit log has to say of an account.
func standing(a *user.Account) map[string]string {
	return map[string]string{
		"active": strconv.FormatBool(a.Active), "staff": strconv.FormatBool(a.Staff), "superuser": strconv.FormatBool(a.Superuser),
	}
}

// apply takes a form over into an account, and tells the labels of what changed.
func (s *Service) apply(o user.Operator, a *user.Account, f AccountForm) (fields []string, errs problems) {
	errs = problems{}
	set := func(label string, changed bool) {
		if changed {
			fields = append(fields, label)
		}
	}
	email := errs.text("admin_email", f.AdminEmail, true, 254)
	was := ""
	if a.AdminEmail != nil {
		was = *a.AdminEmail
	}
	if email != was {
		if email != "" && errs["admin_email"] == nil && user.CheckAdminEmail(email) != nil {
			errs.add("admin_email", "Enter a valid email address.")
		}
		if a.AdminEmail = &email; email == "" {
			a.AdminEmail = nil
		}
		set("Admin email address", true)
	}
	if f.Language != a.Language {
		if !slices.ContainsFunc(s.Config.Languages, func(l Language) bool { return l.Code == f.Language }) {
			errs.add("language", "Select a language of the list.")
		}
		a.Language = f.Language
		set("Language", true)
	}
	if zone := strings.TrimSpace(f.Timezone); zone != a.Timezone {
		if len(zone) > 63 || !s.Config.KnowsTimezone(zone) {
			errs.add("timezone", "Invalid timezone '"+zone+"'")
		}
		a.Timezone = zone
		set("Timezone", true)
	}
	set("Active", f.Active != a.Active)
	set("Device", f.Device != a.Device)
	self := o.ID == a.ID
	if self && !f.Active {
		errs.add("is_active", "You cannot disable your own account: another superuser can.")
	}
	a.Active, a.Device = f.Active, f.Device
	if !o.Superuser {
		return fields, errs
	}
	if self && !f.Staff {
		errs.add("is_staff", "You cannot take the staff status from yourself: another superuser can.")
	}
	if self && !f.Superuser {
		errs.add("is_superuser", "You cannot take the superuser status from yourself: another superuser can.")
	}
	set("Staff status", f.Staff != a.Staff)
	set("Superuser status", f.Superuser != a.Superuser)
	a.Staff, a.Superuser = f.Staff, f.Superuser
	set("Groups", replace(&a.Groups, f.Groups))
	set("User permissions", replace(&a.Permissions, f.Permissions))
	return fields, errs
}

// replace puts a set in the place of another, and reports whether they differ.
func replace[T cmp.Ordered](old *[]T, list []T) bool {
	was, is := slices.Sorted(slices.Values(*old)), slices.Compact(slices.Sorted(slices.Values(list)))
	*old = is
	return !slices.Equal(was, is)
}

// ChangeAccount changes an account, and reports whether anything changed. Who is
// disabled loses his sessions. fault.Forbidden when somebody else than a superuser
// changes an account of staff; fault.Invalid names the fields.
func (s *Service) ChangeAccount(ctx context.Context, o user.Operator, id uuid.UUID, f AccountForm) (changed bool, err error) {
	err = s.touch(ctx, o, id, user.Change, func(r ports.Repos, a *user.Account) error {
		was := a.Active
		fields, errs := s.apply(o, a, f)
		if err := errs.err(); err != nil {
			return err
		}
		d := deed{model: user.AccountModel, id: id, name: a.MailName(), flag: ports.LogChanged, fields: fields, audit: standing(a)}
		if d.empty() {
			return nil
		}
		changed = true
		if err := r.Admin.Accounts.Save(ctx, a, s.Now()); err != nil {
			return taken(err)
		}
		if was && !a.Active {
			if _, err := s.endSessions(ctx, r, o, id, "disabled"); err != nil {
				return err
			}
		}
		return s.record(ctx, r, o, d)
	})
	return changed, err
}

// SetPassword gives an account another password, and ends its sessions: one's own
// too. Faults as in ChangeAccount.
func (s *Service) SetPassword(ctx context.Context, o user.Operator, id uuid.UUID, password, again string) error {
	if err := need(o, user.Change, user.AccountModel); err != nil {
		return err
	}
	if err := user.CheckPassword(password, again); err != nil {
		return err
	}
	hash, err := s.Passwords.Hash(password)
	if err != nil {
		return err
	}
	return s.touch(ctx, o, id, user.Change, func(r ports.Repos, a *user.Account) error {
		if err := user.CheckPassword(password, again, a.AdminEmail, a.Email, a.FullName); err != nil {
			return err
		}
		a.Password = hash
		if err := r.Admin.Accounts.Save(ctx, a, s.Now()); err != nil {
			return err
		}
		if _, err := s.endSessions(ctx, r, o, id, "password"); err != nil {
			return err
		}
		return s.record(ctx, r, o, deed{
			model: user.AccountModel, id: id, name: a.MailName(), flag: ports.LogChanged, fields: []string{"password"},
		})
	})
}

// EndSessions ends all sessions of an account and tells how many there were.
func (s *Service) EndSessions(ctx context.Context, o user.Operator, id uuid.UUID) (n int64, err error) {
	err = s.touch(ctx, o, id, user.Change, func(r ports.Repos, a *user.Account) error {
		if n, err = s.endSessions(ctx, r, o, id, "administration"); err != nil {
			return err
		}
		return s.record(ctx, r, o, deed{
			model: user.AccountModel, id: id, name: a.MailName(), flag: ports.LogChanged, fields: []string{"Sessions"},
		})
	})
	return n, err
}

func (s *Service) endSessions(ctx context.Context, r ports.Repos, o user.Operator, id uuid.UUID, why string) (int64, error) {
	n, err := r.Sessions.EndByUser(ctx, id)
	if err != nil || n == 0 {
		return n, err
	}
	return n, r.Audit.Record(ctx, audit.Event{
		At: s.Now(), Action: audit.SessionsEnded, Actor: o.ID, Subject: id.String(), Details: map[string]string{"by": why},
	})
}

// DeleteAccount deletes an account with all that hangs on it. Nobody may delete
// himself; who has files cannot be deleted: fault.Conflict with code
// "account_files".
func (s *Service) DeleteAccount(ctx context.Context, o user.Operator, id uuid.UUID) (name string, err error) {
	err = s.touch(ctx, o, id, user.Delete, func(r ports.Repos, a *user.Account) error {
		name = a.MailName()
		if id == o.ID {
			return fault.New(fault.Conflict, "account_own")
		}
		b, err := r.Admin.Lists.OfAccount(ctx, id, s.Now())
		if err != nil {
			return err
		}
		if b.Files > 0 {
			return fault.New(fault.Conflict, "account_files")
		}
		if _, err := s.endSessions(ctx, r, o, id, "deleted"); err != nil {
			return err
		}
		if err := r.Admin.Accounts.Delete(ctx, id); err != nil {
			return err
		}
		return s.record(ctx, r, o, deed{
			model: user.AccountModel, id: id, name: name, flag: ports.LogDeleted,
			audit: map[string]string{"rooms": strconv.Itoa(b.Rooms), "recordings": strconv.Itoa(b.Recordings)},
		})
	})
	return name, err
}

// touch changes an account that this operator may change.
func (s *Service) touch(ctx context.Context, o user.Operator, id uuid.UUID, v user.Verb, fn func(ports.Repos, *user.Account) error) error {
	if err := need(o, v, user.AccountModel); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(r ports.Repos) error {
		a, err := lock(ctx, r, o, id)
		if err != nil {
			return err
		}
		if !o.MayTouch(a) {
			return fault.About(fault.Forbidden, "admin_permission", "superuser")
		}
		return fn(r, a)
	})
}

// lock keeps everybody else from changing an account and that of the operator, who
// is looked at once more: two superusers cannot dismiss each other at the same time.
func lock(ctx context.Context, r ports.Repos, o user.Operator, id uuid.UUID) (*user.Account, error) {
	both := []uuid.UUID{o.ID, id}
	slices.SortFunc(both, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	locked := map[uuid.UUID]*user.Account{}
	for _, one := range slices.Compact(both) {
		a, err := r.Admin.Accounts.Lock(ctx, one)
		if err != nil {
			return nil, err
		}
		locked[one] = a
	}
	if me := locked[o.ID]; !me.Active || !me.Staff || me.Superuser != o.Superuser {
		return nil, fault.About(fault.Forbidden, "admin_permission", "superuser")
	}
	return locked[id], nil
}
