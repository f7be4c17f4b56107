package staff_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	"meetd/app/staff"
	"meetd/domain/fault"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// passwords are readable and quick.
type passwords struct{ err error }

func (p passwords) Hash(plain string) (string, error) { return "plain$" + plain, p.err }

func (p passwords) Verify(encoded, plain string) (ok, outdated bool, err error) {
	kind, stored, _ := strings.Cut(encoded, "$")
	switch kind {
	case "plain", "old":
		return stored == plain, stored == plain && kind == "old", nil
	case "damaged":
		return false, false, errors.New("damaged")
	}
	return false, false, nil
}

type bench struct {
	*staff.Service
	db  *pgxpool.Pool
	now time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b := &bench{db: pool, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.Service = &staff.Service{
		Store:     &postgres.Store{Pool: pool},
		Passwords: passwords{}, Language: "nl-nl", Now: func() time.Time { return b.now }, NewID: uuid.New,
	}
	return b
}

// text asks the database for one text.
func (b *bench) text(t *testing.T, query string, args ...any) string {
	t.Helper()
	var s *string
	if err := b.db.QueryRow(t.Context(), query, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if s == nil {
		return "NULL"
	}
	return *s
}

func (b *bench) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := b.db.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// account makes somebody who has logged in, with a session.
func (b *bench) account(t *testing.T, name, password string, isStaff, superuser, active bool) {
	t.Helper()
	id := uuid.New()
	b.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, admin_email, language, timezone,
			is_device, is_staff, is_active, full_name, default_room_configuration)
		VALUES ($1, $3, $5, now(), now(), $2::text, $2::text || '@example.com', $2::text || '@example.org', 'fr-fr', 'Europe/Paris', false, $4, $6, 'Name', '{"a": 1}')`,
		id, name, password, isStaff, superuser, active)
	b.exec(t, `INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at) VALUES ($1, $2, '{}', now(), now() + interval '1 hour')`,
		id[:], id)
}

const (
	sessionsOf = `SELECT count(*)::text FROM meetd.session s JOIN meet_user u ON u.id = s.user_id WHERE u.sub = $1`
	eventsOf   = `SELECT coalesce(string_agg(action || ' ' || coalesce(actor_id::text, 'operator') || ' ' || details::text, '; ' ORDER BY e.id), '')
		FROM meetd.audit_event e JOIN meet_user u ON u.id::text = subject WHERE admin_email = $1`
	rowOf = `SELECT u::text FROM meet_user u WHERE admin_email = $1`
)

func TestNewSuperuser(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got, err := b.CreateSuperuser(t.Context(), "Root@example.org", "secret")
	if err != nil || got != (staff.Result{Outcome: staff.Created}) {
		t.Fatalf("%+v, %v", got, err)
	}
	// Whatever the model of Django knows about has a value, or null where it allows that.
	row := b.text(t, `SELECT (to_jsonb(u) - 'id')::text FROM meet_user u`)
	want := b.text(t, `SELECT jsonb_build_object('password', 'plain$secret', 'last_login', null, 'is_superuser', true,
		'created_at', $1::timestamptz, 'updated_at', $1::timestamptz, 'sub', null, 'email', null, 'admin_email', 'Root@example.org',
		'language', 'nl-nl', 'timezone', 'UTC', 'is_device', false, 'is_staff', true, 'is_active', true, 'full_name', null,
		'short_name', null, 'default_room_access_level', null, 'default_room_configuration', '{}'::jsonb)::text`, b.now)
	if row != want {
		t.Errorf("row %s, want %s", row, want)
	}
	before := b.text(t, rowOf, "Root@example.org")
	b.now = b.now.Add(time.Hour)
	if got, err := b.CreateSuperuser(t.Context(), "Root@example.org", "secret"); err != nil || got != (staff.Result{Outcome: staff.Kept}) {
		t.Errorf("again: %+v, %v", got, err)
	}
	if after := b.text(t, rowOf, "Root@example.org"); after != before {
		t.Errorf("saying it again changed %s to %s", before, after)
	}
	if got, want := b.text(t, eventsOf, "Root@example.org"), `staff_changed operator {"password": "changed", "superuser": "created"}`; got != want {
		t.Errorf("audit: %s, want %s", got, want)
	}
	if got, err := b.CreateSuperuser(t.Context(), "root@example.org", "secret"); err != nil || got.Outcome != staff.Created {
		t.Errorf("in small letters it is somebody else: %+v, %v", got, err)
	}
}

func TestExistingAccounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		password               string
		staff, superuser, idle bool
		want                   staff.Result
		sessions, event        string
	}{
		"person":      {"!unusable", false, false, false, staff.Result{Outcome: staff.Upgraded}, "0", `{"password": "changed", "superuser": "upgraded"}`},
		"disabled":    {"!", false, false, true, staff.Result{Outcome: staff.Upgraded, Disabled: true}, "0", `{"password": "changed", "superuser": "upgraded"}`},
		"staff":       {"plain$secret", true, false, false, staff.Result{Outcome: staff.Upgraded}, "1", `{"superuser": "upgraded"}`},
		"superuser":   {"plain$secret", false, true, false, staff.Result{Outcome: staff.Upgraded}, "1", `{"superuser": "upgraded"}`},
		"newpassword": {"plain$other", true, true, false, staff.Result{Outcome: staff.Kept}, "0", `{"password": "changed", "superuser": "kept"}`},
		"weak":        {"old$secret", true, true, false, staff.Result{Outcome: staff.Kept}, "1", `{"superuser": "kept"}`},
		"damaged":     {"damaged$", true, true, false, staff.Result{Outcome: staff.Kept}, "0", `{"password": "changed", "superuser": "kept"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.account(t, name, c.password, c.staff, c.superuser, !c.idle)
			b.account(t, "bystander", "plain$other", true, true, true)
			bystander := b.text(t, rowOf, "bystander@example.org")
			const rest = `SELECT (to_jsonb(u) - '{password,is_staff,is_superuser,updated_at}'::text[])::text FROM meet_user u WHERE admin_email = $1`
			email := name + "@example.org"
			before := b.text(t, rest, email)
			got, err := b.CreateSuperuser(t.Context(), email, "secret")
			if err != nil || got != c.want {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
			if after := b.text(t, rest, email); after != before {
				t.Errorf("changed %s to %s", before, after)
			}
			now := b.text(t, `SELECT concat_ws(' ', password, is_staff, is_superuser, updated_at = $2) FROM meet_user WHERE admin_email = $1`, email, b.now)
			if now != "plain$secret t t t" {
				t.Errorf("stored: %s", now)
			}
			if n := b.text(t, sessionsOf, name); n != c.sessions {
				t.Errorf("%s sessions, want %s", n, c.sessions)
			}
			if event := b.text(t, eventsOf, email); event != "staff_changed operator "+c.event {
				t.Errorf("audit: %s", event)
			}
			if b.text(t, sessionsOf, "bystander") != "1" || b.text(t, rowOf, "bystander@example.org") != bystander {
				t.Error("somebody else was changed")
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range [][2]string{{"root", "secret"}, {"", "secret"}, {"root@example.org", ""}} {
		if _, err := b.CreateSuperuser(t.Context(), c[0], c[1]); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q with %q: %v", c[0], c[1], err)
		}
	}
	b.account(t, "ada", "plain$other", false, false, true)
	before := b.text(t, rowOf, "ada@example.org")
	b.Passwords = passwords{errors.New("no hash")}
	for _, email := range []string{"root@example.org", "ada@example.org"} {
		if _, err := b.CreateSuperuser(t.Context(), email, "secret"); err == nil {
			t.Errorf("%s: no error", email)
		}
	}
	b.Passwords = passwords{}
	b.exec(t, `ALTER TABLE meetd.audit_event ADD CHECK (false)`)
	for _, email := range []string{"root@example.org", "ada@example.org"} {
		if _, err := b.CreateSuperuser(t.Context(), email, "secret"); err == nil {
			t.Errorf("%s, not audited: no error", email)
		}
	}
	if got := b.text(t, `SELECT count(*)::text FROM meet_user`); got != "1" || b.text(t, rowOf, "ada@example.org") != before || b.text(t, sessionsOf, "ada") != "1" {
		t.Errorf("something was done: %s accounts, %s", got, b.text(t, rowOf, "ada@example.org"))
	}
}

// Several replicas of a deployment job do it at once.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var created, kept atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch got, err := b.CreateSuperuser(t.Context(), "root@example.org", "secret"); {
			case err != nil:
				t.Error(err)
			case got.Outcome == staff.Created:
				created.Add(1)
			case got.Outcome == staff.Kept:
				kept.Add(1)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 || kept.Load() != 7 || b.text(t, `SELECT count(*)::text FROM meet_user`) != "1" {
		t.Errorf("created %d, kept %d", created.Load(), kept.Load())
	}
}
