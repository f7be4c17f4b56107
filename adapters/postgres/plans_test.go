package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	"meetd/domain/user"
	"meetd/ports"
)

// asked remembers the queries that were sent, by their names.
type asked struct {
	mu   sync.Mutex
	last map[string]pgx.TraceQueryStartData
}

func (a *asked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if name, ok := strings.CutPrefix(d.SQL, "-- name: "); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		name, _, _ = strings.Cut(name, " ")
		a.last[name] = d
	}
	return ctx
}

func (a *asked) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Lists and the search for what has expired never look through a whole table,
// whether PostgreSQL plans for the values at hand or once for all.
func TestListsScanNoTable(t *testing.T) {
	t.Parallel()
	conf, err := pgxpool.ParseConfig(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	trace := &asked{last: map[string]pgx.TraceQueryStartData{}}
	conf.ConnConfig.Tracer = trace
	pool, err := pgxpool.NewWithConfig(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	// Most belongs to 500 others; many is enough to be walked to.
	many, few := &user.User{ID: uuid.New()}, &user.User{ID: uuid.New(), Teams: []string{"team 1", "team 2"}}
	whose := fmt.Sprintf(`CASE WHEN i %% 500 = 1 THEN '%s'::uuid WHEN i %% 20 = 0 THEN '%s' ELSE (SELECT id FROM people p WHERE p.n = i %% 500) END`, few.ID, many.ID)
	for _, fill := range []string{
		`CREATE TABLE n AS SELECT i, gen_random_uuid() AS id FROM generate_series(1, 40000) i`,
		`CREATE TABLE people AS SELECT n, gen_random_uuid() AS id FROM generate_series(0, 499) n`,
		`CREATE INDEX ON people (n)`,
		fmt.Sprintf(`INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, language, timezone, is_device, is_staff, is_active, default_room_configuration)
			SELECT u, '!', false, now(), now(), 'en-us', 'UTC', false, false, true, '{}' FROM (VALUES ('%s'::uuid), ('%s') UNION SELECT id FROM people) p (u)`, many.ID, few.ID),
		`INSERT INTO meet_resource (id, created_at, updated_at) SELECT id, now(), now() FROM n`,
		`INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) SELECT id, 'room ' || i, i, '{}', 'public' FROM n`,
		`INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
			SELECT id, now() - make_interval(mins => i), now(), 'saved', id, 'transcript', '{}' FROM n`,
		`INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
			SELECT gen_random_uuid(), now(), now(), '', 'owner', id, ` + whose + ` FROM n`,
		`INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id)
			SELECT gen_random_uuid(), now(), now(), 'team ' || i % 500, 'member', id FROM n`,
		`INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
			SELECT gen_random_uuid(), now(), now(), 'owner', id, ` + whose + ` FROM n`,
		`INSERT INTO meetd.river_job (args, kind, max_attempts, state, finalized_at)
			SELECT '{}', 'kind ' || i % 20, 1, 'completed', now() FROM n`,
		`VACUUM ANALYZE`,
	} {
		if _, err := pool.Exec(t.Context(), fill); err != nil {
			t.Fatal(err)
		}
	}
	store := &postgres.Store{Pool: pool}
	repos := store.Repos()
	var room uuid.UUID
	if err := pool.QueryRow(t.Context(), `SELECT id FROM n LIMIT 1`).Scan(&room); err != nil {
		t.Fatal(err)
	}
	ask := func(u *user.User, offset int) error {
		if list, _, err := repos.Recordings.List(t.Context(), u, offset, 20); err != nil || len(list) != 20 {
			return fmt.Errorf("%d recordings: %w", len(list), err)
		}
		list, _, err := repos.Rooms.List(t.Context(), u.ID, offset, 20)
		if err != nil || len(list) != 20 {
			return fmt.Errorf("%d rooms: %w", len(list), err)
		}
		return nil
	}
	for _, err := range []error{
		ask(few, 0), ask(many, 1500), ask(many, 0),
		func() error { _, err := repos.Recordings.Find(t.Context(), room, few); return err }(),
		func() error { _, err := repos.Recordings.LockOf(t.Context(), room); return err }(),
		func() error {
			_, err := store.State(t.Context(), time.Now())
			return err
		}(),
		func() error {
			_, err := repos.Recordings.Outdated(t.Context(), time.Now().AddDate(0, 0, -27), ports.Outdated{}, 200)
			return err
		}(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		"RecordingCount", "RecordingPage", "RecordingPageOfNewest", "RoomCount", "RoomList", "RoomListOfFirst",
		"RecordingHeld", "RecordingsLockOfRoom", "RecordingsOutdated", "RecordingsOpenByStatus", "JobCounts",
	} {
		query, ok := trace.last[name]
		if !ok {
			t.Errorf("%s was not asked", name)
			continue
		}
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			if plan := explain(t, pool, query, mode); strings.Contains(plan, "Seq Scan on meet_") || strings.Contains(plan, "Seq Scan on river_job") || !strings.Contains(plan, "Index") {
				t.Errorf("%s, %s:\n%s", name, mode, plan)
			}
		}
	}
}

// explain tells how PostgreSQL would answer a query.
func explain(t *testing.T, pool *pgxpool.Pool, query pgx.TraceQueryStartData, mode string) string {
	t.Helper()
	literals := make([]string, len(query.Args))
	for i, arg := range query.Args {
		switch v := arg.(type) {
		case uuid.UUID:
			literals[i] = "'" + v.String() + "'"
		case time.Time:
			literals[i] = "'" + v.Format(time.RFC3339) + "'"
		case []string:
			literals[i] = "'{" + strings.Join(v, ",") + "}'"
		case string:
			literals[i] = "'" + v + "'"
		case *string:
			literals[i] = "NULL"
			if v != nil {
				literals[i] = "'" + *v + "'"
			}
		default:
			literals[i] = fmt.Sprint(v)
		}
	}
	c, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	text := query.SQL
	if strings.HasPrefix(text, "-- name:") {
		_, text, _ = strings.Cut(text, "\n")
	}
	execute := "EXPLAIN EXECUTE q"
	if len(literals) > 0 {
		execute += " (" + strings.Join(literals, ", ") + ")"
	}
	for _, statement := range []string{"DEALLOCATE ALL", "SET plan_cache_mode = " + mode, "PREPARE q AS " + text} {
		if _, err := c.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	rows, err := c.Query(t.Context(), execute, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(plan, "\n")
}
