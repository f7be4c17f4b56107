package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	"meetd/ports"
)

// pagesAsked remembers the last query for a page of a list of the administration.
type pagesAsked struct {
	mu   sync.Mutex
	last pgx.TraceQueryStartData
}

func (a *pagesAsked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if strings.Contains(d.SQL, ", ARRAY[(") {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.last = d
	}
	return ctx
}

func (a *pagesAsked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// In every order, both ways, a page is read from an index: nothing is sorted and no
// table looked through. A search goes through an index too.
func TestAdminListsScanNoTable(t *testing.T) {
	t.Parallel()
	conf, err := pgxpool.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	trace := &pagesAsked{}
	conf.ConnConfig.Tracer = trace
	conf.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec // explain forgets prepared statements
	pool, err := pgxpool.NewWithConfig(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, fill := range []string{
		`CREATE TABLE n AS SELECT i, gen_random_uuid() AS id FROM generate_series(1, 20000) i`,
		`INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, full_name, language, timezone, is_device, is_staff, is_active, default_room_configuration)
			SELECT id, '!', false, now() - make_interval(mins => i), now() - make_interval(mins => i), md5(i::text), md5(i::text) || '@x.org', md5(i::text), 'en-us', 'UTC', false, false, true, '{}' FROM n`,
		`INSERT INTO meet_resource (id, created_at, updated_at) SELECT id, now() - make_interval(mins => i), now() FROM n`,
		`INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) SELECT id, md5(i::text), md5(i::text), '{}', 'public' FROM n`,
		`INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options, worker_id)
			SELECT id, now() - make_interval(mins => i), now(), 'saved', id, 'transcript', '{}', 'EG_' || i FROM n`,
		`INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id) SELECT gen_random_uuid(), now(), now(), '', 'owner', id, id FROM n`,
		`INSERT INTO auth_group (name) SELECT md5(i::text) FROM n`,
		`INSERT INTO meet_user_groups (user_id, group_id) SELECT n.id, g.id FROM n JOIN auth_group g ON g.name = md5(n.i::text)`,
		`INSERT INTO django_content_type (app_label, model) VALUES ('core', 'room')`,
		`INSERT INTO auth_permission (name, content_type_id, codename) SELECT 'x', id, 'view_room' FROM django_content_type`,
		`INSERT INTO auth_group_permissions (group_id, permission_id) SELECT g.id, p.id FROM auth_group g, auth_permission p`,
		`VACUUM ANALYZE`,
	} {
		if _, err := pool.Exec(t.Context(), fill); err != nil {
			t.Fatal(err)
		}
	}
	lists := (&postgres.Store{Pool: pool}).Repos().Admin.Lists
	ask := map[string]func(ports.Listing) (int, string, error){
		"users": func(l ports.Listing) (int, string, error) {
			x, err := lists.Users(t.Context(), l)
			return len(x.Rows), x.Next, err
		},
		"groups": func(l ports.Listing) (int, string, error) {
			x, err := lists.Groups(t.Context(), l)
			return len(x.Rows), x.Next, err
		},
		"rooms": func(l ports.Listing) (int, string, error) {
			x, err := lists.Rooms(t.Context(), l)
			return len(x.Rows), x.Next, err
		},
		"recordings": func(l ports.Listing) (int, string, error) {
			x, err := lists.Recordings(t.Context(), l)
			return len(x.Rows), x.Next, err
		},
	}
	for list, orders := range map[string][]string{
		"users": {"standing", "created", "email", "name"}, "groups": {"name"}, "rooms": {"name", "created"}, "recordings": {"created", "status"},
	} {
		for _, order := range orders {
			for _, reverse := range []bool{false, true} {
				l := ports.Listing{Sort: order, Reverse: reverse, Size: 50, Now: time.Now()}
				for range 2 { // the second from a place on
					n, next, err := ask[list](l)
					if err != nil || n != 50 || next == "" {
						t.Fatalf("%s by %s: %d rows, %v", list, order, n, err)
					}
					if plan := explain(t, pool, trace.last, "force_custom_plan"); strings.Contains(plan, "Seq Scan on meet_") || strings.Contains(plan, "Seq Scan on auth_") || strings.Contains(plan, "Sort") {
						t.Errorf("%s by %s, reverse %v, from %q:\n%s", list, order, reverse, l.Cursor, plan)
					}
					l.Cursor = next
				}
			}
		}
		if list == "groups" { // there are never so many that a search would need an index
			continue
		}
		const rare = "c4ca4238a0b92382" // of 1
		n, _, err := ask[list](ports.Listing{Search: rare, Size: 50, Now: time.Now()})
		if err != nil || n != 1 {
			t.Fatalf("%s, searched: %d rows, %v", list, n, err)
		}
		if plan := explain(t, pool, trace.last, "force_custom_plan"); strings.Contains(plan, "Seq Scan on meet_") || !strings.Contains(plan, "_search") {
			t.Errorf("%s, searched:\n%s", list, plan)
		}
	}
}
