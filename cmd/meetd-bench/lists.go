package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pg"
)

// listOwners share the rooms and recordings of benchmark d between them.
const listOwners = 1000

// lists is benchmark d: pages of the lists of rooms and of recordings, in an
// installation with few and one with many of both. Two connections ask, so that
// no request waits for others: what counts is how long one takes.
func lists(ctx context.Context, b *bench) error {
	server, err := pg.Start(ctx, pg.Options{Dir: filepath.Join(b.dir, "lists"), Durable: true})
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	defer server.Close() //nolint:errcheck // thrown away
	few, many := b.listed/100, b.listed
	heavy := many / 20
	small, err := openLists(ctx, b, server, few, 5, 500)
	if err != nil {
		return err
	}
	defer small.stop()
	large, err := openLists(ctx, b, server, many, 5, 500, heavy)
	if err != nil {
		return err
	}
	defer large.stop()
	for _, of := range []string{"rooms", "recordings"} {
		for _, rows := range []int{5, 500} {
			if err := b.comparePages(ctx, of, page{large, rows, 1}, page{small, rows, 1}); err != nil {
				return err
			}
		}
		for _, number := range []int{1, 50, 1000} {
			if number*listPage > heavy {
				continue
			}
			if err := b.comparePages(ctx, of, page{large, heavy, number}, page{large, 500, 1}); err != nil {
				return err
			}
		}
	}
	for _, l := range []*listServer{small, large} {
		if err := l.scanned(ctx); err != nil {
			return err
		}
	}
	return nil
}

// listPage is how many entries a page has.
const listPage = 20

// page is one page of the list of somebody who has so many rows.
type page struct {
	*listServer

	rows, number int
}

func (p page) String() string {
	return fmt.Sprintf("%d of %d rows, page %d", p.rows, p.total, p.number)
}

func (b *bench) comparePages(ctx context.Context, of string, subject, base page) error {
	const connections = 2
	return b.compare("d", "list of "+of, subject.String(), base.String(), []string{"mean ms", "p99 ms", "server CPU µs/req"},
		func(isSubject bool) ([]float64, error) {
			p := base
			if isSubject {
				p = subject
			}
			raw := fmt.Appendf(nil, "GET /api/v1.0/%s/?page=%d HTTP/1.1\r\nHost: localhost\r\nCookie: meet_sessionid=%s\r\n\r\n",
				of, p.number, listSecret(p.rows))
			before := cpu(p.pid)
			got, err := hammer(ctx, p.address, connections, b.period, func(int, int) request {
				return request{method: http.MethodGet, status: http.StatusOK, raw: raw}
			})
			if err != nil {
				return nil, err
			}
			return []float64{
				connections / got.perSecond * 1000, float64(got.p99.Microseconds()) / 1000,
				(cpu(p.pid) - before) / float64(got.count) * 1e6,
			}, nil
		})
}

func listSecret(rows int) string { return fmt.Sprintf("benchmarklist%013d", rows) }

// listServer is meetd with so many rooms, and a recording in each.
type listServer struct {
	*process

	total int
	dsn   string
	scans string // sequential scans before the first request
}

func openLists(ctx context.Context, b *bench, server *pg.Server, total int, rows ...int) (*listServer, error) {
	b.say("filling a database with %d rooms and recordings …", total)
	admin, err := pgx.Connect(ctx, server.DSN("postgres"))
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	defer admin.Close(ctx) //nolint:errcheck // everything is written
	database := fmt.Sprint("lists_", total)
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{database}.Sanitize()); err != nil {
		return nil, err //nolint:wrapcheck // names the statement
	}
	d := data{dsn: server.DSN(database)}
	if err := migrate(ctx, d.env()); err != nil {
		return nil, err
	}
	l := &listServer{total: total, dsn: d.dsn}
	if err := l.fill(ctx, rows); err != nil {
		return nil, err
	}
	l.process, err = launch(ctx, b.meetd, []string{"serve"}, d.env())
	return l, err
}

// fill makes rooms in an order that is not that of their names, a recording in
// each, one a minute, and people who have a role on some of them, evenly spread.
func (l *listServer) fill(ctx context.Context, rows []int) error {
	conn, err := pgx.Connect(ctx, l.dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // everything is written
	if _, err := conn.Exec(ctx, `INSERT INTO meet_user
			(id, password, is_superuser, created_at, updated_at, sub, language, timezone, is_device, is_staff, is_active, default_room_configuration)
		SELECT gen_random_uuid(), '!', false, now(), now(), 'owner-' || i, 'en-us', 'UTC', false, false, true, '{}'
		FROM generate_series(0, $1::int - 1) i`, listOwners); err != nil {
		return err //nolint:wrapcheck // names the statement
	}
	for _, statement := range []string{
		fmt.Sprintf(`CREATE UNLOGGED TABLE seed AS SELECT i, gen_random_uuid() AS id, u.id AS owner
			FROM generate_series(1, %d) i JOIN meet_user u ON u.sub = 'owner-' || i %% %d`, l.total, listOwners),
		`CREATE INDEX ON seed (i)`,
		`INSERT INTO meet_resource (id, created_at, updated_at) SELECT id, now(), now() FROM seed ORDER BY i`,
		`INSERT INTO meet_room (resource_id, name, slug, configuration, access_level)
			SELECT id, 'room ' || md5(i::text), 'room-' || i, '{}', 'public' FROM seed ORDER BY i`,
		`INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
			SELECT gen_random_uuid(), now(), now(), 'owner', id, owner FROM seed ORDER BY i`,
		`INSERT INTO meet_recording (id, created_at, updated_at, status, worker_id, room_id, mode, options)
			SELECT id, now() - make_interval(mins => 2000000 - i), now(), 'saved', 'EG_' || i, id, 'screen_recording', '{}' FROM seed ORDER BY i`,
		`INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
			SELECT gen_random_uuid(), now(), now(), '', 'owner', id, owner FROM seed ORDER BY i`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err //nolint:wrapcheck // names the statement
		}
	}
	for _, n := range rows {
		if err := l.addPerson(ctx, conn, n); err != nil {
			return err
		}
	}
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} { // or the disk is busy with it while we measure
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err //nolint:wrapcheck // names the statement
		}
	}
	l.scans, err = scans(ctx, conn)
	return err
}

// addPerson adds somebody with a session, a member of n rooms and of as many
// recordings.
func (l *listServer) addPerson(ctx context.Context, conn *pgx.Conn, n int) error {
	id, secret := uuid.New(), sha256.Sum256([]byte(listSecret(n)))
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{`INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, language, timezone, is_device, is_staff, is_active, default_room_configuration)
			VALUES ($1, '!', false, now(), now(), 'has-' || $2::text, 'en-us', 'UTC', false, false, true, '{}')`, []any{id, strconv.Itoa(n)}},
		{`INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at) VALUES ($1, $2, '{}', now(), now() + interval '12 hours')`, []any{secret[:], id}},
		{`INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
			SELECT gen_random_uuid(), now(), now(), 'member', id, $1 FROM seed WHERE i % $2 = 0`, []any{id, l.total / n}},
		{`INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
			SELECT gen_random_uuid(), now(), now(), '', 'member', id, $1 FROM seed WHERE i % $2 = 0`, []any{id, l.total / n}},
	} {
		if _, err := conn.Exec(ctx, s.statement, s.args...); err != nil {
			return err //nolint:wrapcheck // names the statement
		}
	}
	return nil
}

// scanned is an error when any list looked through a whole table.
func (l *listServer) scanned(ctx context.Context) error {
	l.stop() // so that it has counted all that it did
	conn, err := pgx.Connect(ctx, l.dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // everything is read
	after, err := scans(ctx, conn)
	if err == nil && after != l.scans {
		err = fmt.Errorf("with %d rows tables were scanned from end to end: %s before, %s after", l.total, l.scans, after)
	}
	return err
}

// scans tells how often the tables of the lists were scanned from end to end.
func scans(ctx context.Context, conn *pgx.Conn) (string, error) {
	// A connection counts what it did when it is closed, or when it is told to.
	if _, err := conn.Exec(ctx, `SELECT pg_stat_force_next_flush()`); err != nil {
		return "", err //nolint:wrapcheck // names the statement
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for others := 1; others > 0; <-tick.C {
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&others); err != nil {
			return "", err //nolint:wrapcheck // names the statement
		}
	}
	var text string
	err := conn.QueryRow(ctx, `SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables
		WHERE relname IN ('meet_room', 'meet_resource', 'meet_resource_access', 'meet_recording', 'meet_recording_access')`).Scan(&text)
	return text, err //nolint:wrapcheck // names the statement
}
