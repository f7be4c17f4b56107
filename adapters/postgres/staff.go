package postgres

import (
	"context"
	"time"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/user"
)

type staff struct{ c conn }

func (r staff) ByAdminEmail(ctx context.Context, email string) (user.Staff, error) {
	row, err := q.StaffByAdminEmailForUpdate(ctx, r.c, &email)
	if err != nil {
		return user.Staff{}, translate(err, "user")
	}
	return user.Staff{
		ID: row.ID, AdminEmail: email, Password: row.Password,
		Staff: row.IsStaff, Superuser: row.IsSuperuser, Active: row.IsActive,
	}, nil
}

func (r staff) Create(ctx context.Context, s user.Staff, language string, at time.Time) error {
	return translate(q.StaffInsert(ctx, r.c, db.StaffInsertParams{
		ID: s.ID, Password: s.Password, IsStaff: s.Staff, IsSuperuser: s.Superuser, IsActive: s.Active,
		AdminEmail: &s.AdminEmail, Language: language, At: at,
	}), "user")
}

func (r staff) Save(ctx context.Context, s user.Staff, at time.Time) error {
	return translate(q.StaffUpdate(ctx, r.c, db.StaffUpdateParams{
		ID: s.ID, Password: s.Password, IsStaff: s.Staff, IsSuperuser: s.Superuser, UpdatedAt: at,
	}), "user")
}
