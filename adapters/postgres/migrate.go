package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	sqlfiles "meetd/sql"
)

const (
	schemaName   = "meetd"
	versionTable = schemaName + ".goose_db_version"
	// coreMigration is the newest migration of the Django backend v1.27.0.
	coreMigration = "0022_user_default_room_access_level_and_more"
	// migrateLock is the advisory lock of a migration: "meetd" in ASCII.
	migrateLock = 0x6d65657464
	lockPoll    = 200 * time.Millisecond
)

// djangoTables are the tables of the baseline.
var djangoTables = []string{
	"auth_group", "auth_group_permissions", "auth_permission",
	"django_admin_log", "django_content_type", "django_migrations", "django_session", "django_site",
	"file",
	"meet_application", "meet_application_domain", "meet_recording", "meet_recording_access",
	"meet_resource", "meet_resource_access", "meet_room",
	"meet_user", "meet_user_groups", "meet_user_user_permissions",
}

// Migrate brings the database at dsn to what this version of meetd needs. An
// empty one gets all tables; one that the Django backend v1.27.0 or a later one
// migrated is adopted; anything else is refused and left as it is. It may run on
// several nodes at once and again at any time.
func Migrate(ctx context.Context, dsn string, log *slog.Logger) error {
	pool, schema, err := migrationPool(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	unlock, err := lockMigration(ctx, pool, log)
	if err != nil {
		return err
	}
	defer unlock()

	state, err := readState(ctx, pool, schema)
	if err != nil {
		return err
	}
	empty, err := state.accept(log)
	if err != nil {
		return err
	}
	if empty {
		log.InfoContext(ctx, "empty database: creating the tables")
		if err := applyBaseline(ctx, pool); err != nil {
			return err
		}
	}
	if err := createSchema(ctx, pool); err != nil {
		return err
	}
	if err := migrateOwn(ctx, pool, log); err != nil {
		return err
	}
	return migrateRiver(ctx, pool, log)
}

// migrationPool connects so that names without a schema mean Django's, even for
// a role that is called like our schema and so would look there first; what the
// extension brings is found where it is.
func migrationPool(ctx context.Context, dsn string) (*pgxpool.Pool, string, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, "", fmt.Errorf("read the address of the database: %w", err)
	}
	first, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, "", fmt.Errorf("connect to the database: %w", err)
	}
	schema, err := djangoSchema(ctx, first)
	if err = errors.Join(err, first.Close(ctx)); err != nil {
		return nil, "", err
	}
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns = 4, 0, 0
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `
			SELECT set_config('search_path', concat_ws(', ', quote_ident($1), (
				SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
				WHERE e.extname = 'pg_trgm' AND n.nspname <> $1)), false), set_config('statement_timeout', '0', false)`, schema)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, "", fmt.Errorf("connect to the database: %w", err)
	}
	return pool, schema, nil
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// djangoSchema is where Django's tables are, or would be made.
func djangoSchema(ctx context.Context, q querier) (string, error) {
	var schema string
	err := q.QueryRow(ctx, `
		SELECT s FROM unnest(current_schemas(false)) WITH ORDINALITY AS p (s, n)
		WHERE s <> $1 ORDER BY n LIMIT 1`, schemaName).Scan(&schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", errors.New("the search path of the database role names no existing schema for Django's tables: create the schema public or set search_path in the address of the database")
	}
	if err != nil {
		return "", fmt.Errorf("look at the database: %w", err)
	}
	return schema, nil
}

// lockMigration waits until no other node migrates. It asks again and again: a
// session that waited inside PostgreSQL would hold up CREATE INDEX CONCURRENTLY
// of the one it waits for, and that one would never end.
func lockMigration(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) (unlock func(), err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer func() {
		if err != nil {
			conn.Release()
		}
	}()
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for told := false; ; told = true {
		var locked bool
		if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(migrateLock)).Scan(&locked); err != nil {
			return nil, fmt.Errorf("lock the database for the migration: %w", err)
		}
		if locked {
			// The lock ends with its session.
			return func() { _ = conn.Hijack().Close(context.WithoutCancel(ctx)) }, nil
		}
		if !told {
			log.InfoContext(ctx, "another node migrates the database: waiting for it")
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another node that migrates the database: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// djangoState is what is found of Django in a database.
type djangoState struct {
	schema  string
	present []string // those of djangoTables that exist
	core    []string // the applied migrations of the app core, oldest first
}

func readState(ctx context.Context, q querier, schema string) (djangoState, error) {
	s := djangoState{schema: schema}
	rows, err := q.Query(ctx, `
		SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = ANY ($2) AND c.relkind IN ('r', 'p', 'v', 'f')`, schema, djangoTables)
	if err == nil {
		s.present, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err == nil && slices.Contains(s.present, "django_migrations") {
		table := pgx.Identifier{schema, "django_migrations"}.Sanitize()
		rows, err = q.Query(ctx, `SELECT name FROM `+table+` WHERE app = 'core' ORDER BY name COLLATE "C"`)
		if err == nil {
			s.core, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
	}
	if err != nil {
		return s, fmt.Errorf("look at the database: %w", err)
	}
	return s, nil
}

// accept decides whether meetd may work on such a database and whether the
// tables have to be made first.
func (s djangoState) accept(log *slog.Logger) (empty bool, err error) {
	if len(s.present) == 0 {
		return true, nil
	}
	var missing []string
	for _, t := range djangoTables {
		if !slices.Contains(s.present, t) {
			missing = append(missing, t)
		}
	}
	const untouched = "; nothing was changed"
	switch {
	case slices.Contains(missing, "django_migrations"):
		return false, fmt.Errorf("the schema %s has tables of the Django backend (%s) but no django_migrations: restore the whole database or use an empty one"+untouched,
			s.schema, strings.Join(s.present, ", "))
	case len(s.core) == 0:
		return false, fmt.Errorf("the schema %s belongs to another Django project or to an unfinished first migration, as no migration of the app core is noted in it: use the right database or an empty one"+untouched, s.schema)
	case !slices.Contains(s.core, coreMigration):
		return false, fmt.Errorf("the database is at the core migration %s of the Django backend, meetd needs %s: run `python manage.py migrate` of the Django backend v1.27.0 first"+untouched,
			s.core[len(s.core)-1], coreMigration)
	case len(missing) > 0:
		return false, fmt.Errorf("the database is at the core migration %s of the Django backend but lacks the tables %s: restore the whole database or use an empty one"+untouched,
			s.core[len(s.core)-1], strings.Join(missing, ", "))
	}
	if newest := s.core[len(s.core)-1]; newest > coreMigration {
		log.Warn("the database is newer than the Django backend v1.27.0, which meetd was made for",
			slog.String("newest_core_migration", newest), slog.String("known_core_migration", coreMigration))
	}
	return false, nil
}

// applyBaseline makes Django's tables, all or none.
func applyBaseline(ctx context.Context, pool *pgxpool.Pool) error {
	files, err := fs.Glob(sqlfiles.Files, "baseline/*.sql")
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, name := range files {
			text, err := fs.ReadFile(sqlfiles.Files, name)
			if err != nil {
				return err
			}
			// The simple protocol takes a file of several statements.
			if _, err := tx.Conn().PgConn().Exec(ctx, string(text)).ReadAll(); err != nil {
				return explain("create the tables ("+name+")", err)
			}
		}
		return nil
	})
}

// createSchema makes the schema meetd unless there is one. CREATE SCHEMA IF NOT
// EXISTS would ask for the right to create one even then.
func createSchema(ctx context.Context, pool *pgxpool.Pool) error {
	var exists bool
	err := pool.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, schemaName).Scan(&exists)
	if err == nil && !exists {
		var text []byte
		if text, err = fs.ReadFile(sqlfiles.Files, "schema.sql"); err == nil {
			_, err = pool.Exec(ctx, string(text))
		}
	}
	return explain("create the schema "+schemaName, err)
}

// migrateOwn applies our migrations.
func migrateOwn(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	files, err := fs.Sub(sqlfiles.Files, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { _ = db.Close() }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	done, err := provider.Up(ctx)
	for _, r := range done {
		log.InfoContext(ctx, "migration applied", slog.String("migration", r.Source.Path), slog.Duration("duration", r.Duration))
	}
	return explain("migrate the schema "+schemaName, err)
}

// migrateRiver applies the migrations of the job queue.
func migrateRiver(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	m, err := riverMigrator(pool)
	if err != nil {
		return err
	}
	done, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return explain("migrate the job queue", err)
	}
	for _, v := range done.Versions {
		log.InfoContext(ctx, "job queue migration applied", slog.Int("version", v.Version), slog.Duration("duration", v.Duration))
	}
	return nil
}

// riverMigrator is quiet, since we tell what it did.
func riverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: schemaName, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("read the migrations of the job queue: %w", err)
	}
	return m, nil
}

// explain adds what to do to the errors an operator can mend.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", doing, err)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch about := func(s string) bool { return strings.Contains(pg.Message, s) }; {
	case about("pg_trgm") && pg.Code == "42501":
		return fmt.Errorf("the database role may not create the extension pg_trgm: let a superuser run `CREATE EXTENSION pg_trgm` in this database once (%w)", err)
	case about("pg_trgm"):
		return fmt.Errorf("the extension pg_trgm is not installed on the database server: install PostgreSQL's contrib package there (%w)", err)
	case about("must be owner"):
		return fmt.Errorf("the database role does not own Django's tables: use the role of the Django backend or make this one a member of it (%w)", err)
	case pg.Code == "42501":
		return fmt.Errorf("the database role lacks rights: let the owner of the database run `GRANT CREATE ON DATABASE … TO` this role, or create the schema %s owned by it, and let it create tables in the schema of Django's tables (%w)", schemaName, err)
	}
	return err
}

// CheckSchema tells quickly whether the database is what Migrate makes of it. A
// newer one is fine.
func CheckSchema(ctx context.Context, q querier) error {
	lacking, err := lacks(ctx, q)
	if err != nil {
		return fmt.Errorf("check the schema of the database: %w", err)
	}
	if lacking != "" {
		return fmt.Errorf("the database lacks %s: run `meetd migrate`", lacking)
	}
	return nil
}

// lacks names the first thing found missing.
func lacks(ctx context.Context, q querier) (string, error) {
	schema, err := djangoSchema(ctx, q)
	if err != nil {
		return "", err
	}
	s, err := readState(ctx, q, schema)
	if err != nil {
		return "", err
	}
	for _, t := range djangoTables {
		if !slices.Contains(s.present, t) {
			return "the table " + t, nil
		}
	}
	if !slices.Contains(s.core, coreMigration) {
		return "the core migration " + coreMigration + " of the Django backend", nil
	}
	var extension, own, river bool
	err = q.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm'),
		       to_regclass($1) IS NOT NULL, to_regclass($2) IS NOT NULL`,
		versionTable, schemaName+".river_migration").Scan(&extension, &own, &river)
	if err != nil {
		return "", err
	}
	switch {
	case !extension:
		return "the extension pg_trgm", nil
	case !own:
		return "the schema " + schemaName, nil
	case !river:
		return "the tables of the job queue", nil
	}
	return behind(ctx, q)
}

// behind names the migrations that were not applied.
func behind(ctx context.Context, q querier) (string, error) {
	files, err := fs.Glob(sqlfiles.Files, "migrations/*.sql")
	if err != nil {
		return "", err
	}
	var want int64
	for _, name := range files {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return "", err
		}
		want = max(want, v)
	}
	m, err := riverMigrator(nil)
	if err != nil {
		return "", err
	}
	versions := m.AllVersions()
	wantRiver := versions[len(versions)-1].Version
	var have, haveRiver int64
	err = q.QueryRow(ctx, `
		SELECT (SELECT coalesce(max(version_id), 0) FROM `+versionTable+` WHERE is_applied),
		       (SELECT coalesce(max(version), 0) FROM `+schemaName+`.river_migration WHERE line = 'main')`).Scan(&have, &haveRiver)
	switch {
	case err != nil:
		return "", err
	case have < want:
		return fmt.Sprintf("migrations (it is at %d of %d)", have, want), nil
	case haveRiver < int64(wantRiver):
		return fmt.Sprintf("migrations of the job queue (it is at %d of %d)", haveRiver, wantRiver), nil
	}
	return "", nil
}
