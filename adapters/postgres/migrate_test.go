package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	sqlfiles "meetd/sql"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

// catalogueSQL reads what testdata/schema/catalogue.tsv holds, without the
// position of columns: their order counts, and Django's has gaps.
const catalogueSQL = `
SELECT line FROM (
	SELECT 1 AS part, c.relname::text AS a, lpad(a.attnum::text, 4, '0') AS b,
		concat_ws(E'\t', 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
			CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE '' END,
			CASE a.attidentity WHEN 'd' THEN 'identity by default' ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END) AS line
	FROM pg_class c
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
	UNION ALL
	SELECT 2, c.relname, o.conname, concat_ws(E'\t', 'constraint', c.relname, o.conname, pg_get_constraintdef(o.oid))
	FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
	WHERE o.connamespace = 'public'::regnamespace AND o.contype <> 'n'
	UNION ALL
	SELECT 3, t.relname, i.relname, concat_ws(E'\t', 'index', t.relname, i.relname, pg_get_indexdef(i.oid))
	FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
	WHERE i.relnamespace = 'public'::regnamespace AND x.indisvalid AND i.relname NOT LIKE 'meetd\_%'
	UNION ALL
	SELECT 4, e.extname, '', concat_ws(E'\t', 'extension', e.extname) FROM pg_extension e WHERE e.extname <> 'plpgsql'
) AS all_lines ORDER BY part, a COLLATE "C", b COLLATE "C"`

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

func execute(t *testing.T, c *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.PgConn().Exec(t.Context(), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func lines(t *testing.T, c *pgx.Conn, query string, args ...any) []string {
	t.Helper()
	rows, err := c.Query(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func exists(t *testing.T, c *pgx.Conn, relation string) bool {
	t.Helper()
	return lines(t, c, `SELECT (to_regclass($1) IS NOT NULL)::text`, relation)[0] == "true"
}

// dump is everything in the schema public that is not ours: catalogue and rows.
func dump(t *testing.T, c *pgx.Conn) []string {
	t.Helper()
	out := lines(t, c, catalogueSQL)
	for _, table := range lines(t, c, `SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname COLLATE "C"`) {
		name := pgx.Identifier{"public", table}.Sanitize()
		for _, row := range lines(t, c, `SELECT concat(xmin, ' ', row_to_json(r)) FROM (SELECT xmin, * FROM `+name+`) r ORDER BY 1`) {
			out = append(out, table+": "+row)
		}
	}
	return out
}

// asDjango makes what Django leaves: the baseline, rows in it, and tables that
// meetd does not know.
func asDjango(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c := connect(t, dsn)
	files, err := fs.Glob(sqlfiles.Files, "baseline/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(sqlfiles.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		execute(t, c, string(text))
	}
	execute(t, c, `
		CREATE TABLE easy_thumbnails_source (id integer PRIMARY KEY, name text);
		INSERT INTO easy_thumbnails_source VALUES (1, 'unused');
		INSERT INTO meet_user (password, is_superuser, id, created_at, updated_at, sub, email, language, timezone, is_device, is_staff, is_active, default_room_configuration)
		VALUES ('!', false, '11111111-1111-4111-8111-111111111111', now(), now(), 'sub', 'Ann@example.org', 'en-us', 'UTC', false, false, true, '{}');
		INSERT INTO meet_resource VALUES ('22222222-2222-4222-8222-222222222222', now(), now());
		INSERT INTO meet_room VALUES ('A room', '22222222-2222-4222-8222-222222222222', 'a-room', '{"a": 1}', 'public', '0123456789');
		INSERT INTO meet_recording VALUES ('33333333-3333-4333-8333-333333333333', now(), now(), 'active', 'EG_1', '22222222-2222-4222-8222-222222222222', 'screen_recording', '{}', null);
		INSERT INTO django_session VALUES ('key', 'data', now())`)
	return c
}

func TestMigrateEmptyDatabaseGivesDjangosSchema(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../testdata/schema/catalogue.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var want, wantApplied []string
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSuffix(line, "\n")
		switch f := strings.Split(line, "\t"); f[0] {
		case "column":
			want = append(want, strings.Join(slices.Delete(f, 2, 3), "\t"))
		case "constraint", "index", "extension":
			want = append(want, line)
		case "migration":
			wantApplied = append(wantApplied, line)
		}
	}
	dsn := pgtest.Empty(t)
	if err := postgres.Migrate(t.Context(), dsn, quiet); err != nil {
		t.Fatal(err)
	}
	c := connect(t, dsn)
	got := lines(t, c, catalogueSQL)

	// The order of columns counts, that of the rest does not.
	columns := func(all []string) (cols, rest []string) {
		for _, l := range all {
			if strings.HasPrefix(l, "column\t") {
				cols = append(cols, l)
			} else {
				rest = append(rest, l)
			}
		}
		slices.Sort(rest)
		return cols, rest
	}
	gotColumns, gotRest := columns(got)
	wantColumns, wantRest := columns(want)
	if diff := cmp.Diff(wantColumns, gotColumns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantRest, gotRest); diff != "" {
		t.Errorf("constraints, indexes, extensions (-want +got):\n%s", diff)
	}
	gotApplied := lines(t, c, `SELECT concat_ws(E'\t', 'migration', app, name) FROM django_migrations ORDER BY id`)
	if diff := cmp.Diff(wantApplied, gotApplied); diff != "" {
		t.Errorf("migrations (-want +got):\n%s", diff)
	}
	site := lines(t, c, `SELECT concat(id, domain, name) FROM django_site`)
	if diff := cmp.Diff([]string{"1example.comexample.com"}, site); diff != "" {
		t.Errorf("sites (-want +got):\n%s", diff)
	}
	if err := postgres.CheckSchema(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestMigrateAgainChangesNothing(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	c := connect(t, dsn)
	everything := func() []string {
		return append(dump(t, c),
			lines(t, c, `SELECT concat(oid, ' ', relname, ' ', relfilenode) FROM pg_class WHERE relnamespace IN ('public'::regnamespace, 'meetd'::regnamespace) ORDER BY 1`)...)
	}
	before := everything()
	if err := postgres.Migrate(t.Context(), dsn, quiet); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, everything()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestMigrateOnSeveralNodesAtOnce(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = postgres.Migrate(t.Context(), dsn, quiet) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if err := postgres.CheckSchema(t.Context(), connect(t, dsn)); err != nil {
		t.Error(err)
	}
}

func TestMigrateWaitsForAnotherNode(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	c := connect(t, dsn)
	execute(t, c, `SELECT pg_advisory_lock(x'6d65657464'::bigint)`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := postgres.Migrate(ctx, dsn, quiet)
	if err == nil || !strings.Contains(err.Error(), "another node") {
		t.Errorf("error %v, want one about another node", err)
	}
	if exists(t, c, "public.meet_user") {
		t.Error("the tables were made without the lock")
	}
}

func TestMigrateAdoptsDjangosDatabase(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	c := asDjango(t, dsn)
	// What an interrupted build leaves behind carries the name.
	execute(t, c, `CREATE INDEX meetd_recording_open ON meet_recording (id)`)
	before := dump(t, c)
	if err := postgres.Migrate(t.Context(), dsn, quiet); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, dump(t, c)); diff != "" {
		t.Errorf("Django's tables changed (-before +after):\n%s", diff)
	}
	got := lines(t, c, `
		SELECT i.relname || ' ' || a.attname FROM pg_index x
		JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_attribute a ON a.attrelid = i.oid
		WHERE i.relname LIKE 'meetd\_%' AND i.relnamespace = 'public'::regnamespace AND x.indisvalid ORDER BY 1`)
	if diff := cmp.Diff([]string{
		"meetd_admin_log_object id", "meetd_admin_log_object object_id",
		"meetd_recording_created created_at", "meetd_recording_created id", "meetd_recording_open created_at",
		"meetd_recording_status created_at", "meetd_recording_status id", "meetd_recording_status status",
		"meetd_recording_worker_id worker_id", "meetd_resource_created created_at", "meetd_resource_created id",
		"meetd_room_level access_level", "meetd_room_level name", "meetd_room_level resource_id", "meetd_room_name name", "meetd_room_name resource_id",
		"meetd_room_search name", "meetd_room_search slug", "meetd_user_created created_at", "meetd_user_created id", "meetd_user_email lower",
		"meetd_user_email_order id", "meetd_user_email_order lower", "meetd_user_name_order id", "meetd_user_name_order lower",
		"meetd_user_search admin_email", "meetd_user_search email", "meetd_user_search full_name", "meetd_user_search sub",
		"meetd_user_standing expr", "meetd_user_standing id", "meetd_user_standing is_device", "meetd_user_standing is_staff",
		"meetd_user_standing is_superuser", "meetd_user_standing updated_at",
	}, got); diff != "" {
		t.Errorf("our indexes (-want +got):\n%s", diff)
	}
	if err := postgres.CheckSchema(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestMigrateRefusesOtherDatabases(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change string
		want   []string
	}{
		"older Django": {
			`DELETE FROM django_migrations WHERE app = 'core' AND name > '0013'`,
			[]string{"0012_alter_room_access_level", "v1.27.0", "migrate"},
		},
		"same number, other migration": {
			`UPDATE django_migrations SET name = '0022_fork' WHERE app = 'core' AND name LIKE '0022%'`,
			[]string{"0022_fork", "v1.27.0"},
		},
		"no django_migrations":   {`DROP TABLE django_migrations`, []string{"no django_migrations"}},
		"missing tables":         {`DROP TABLE meet_recording_access, file`, []string{"lacks the tables file, meet_recording_access"}},
		"another Django project": {`DELETE FROM django_migrations WHERE app = 'core'`, []string{"another Django project"}},
		"newer with missing tables": {
			`INSERT INTO django_migrations (app, name, applied) VALUES ('core', '0023_x', now()); DROP TABLE file`,
			[]string{"0023_x", "lacks the tables file"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Empty(t)
			c := asDjango(t, dsn)
			execute(t, c, tt.change)
			before := dump(t, c)
			err := postgres.Migrate(t.Context(), dsn, quiet)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, w := range append(tt.want, "nothing was changed") {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if diff := cmp.Diff(before, dump(t, c)); diff != "" {
				t.Errorf("changed (-before +after):\n%s", diff)
			}
			if lines(t, c, `SELECT (to_regnamespace('meetd') IS NULL)::text`)[0] != "true" {
				t.Error("the schema meetd was made")
			}
		})
	}
}

func TestMigrateAcceptsNewerDjangoWithWarning(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	c := asDjango(t, dsn)
	execute(t, c, `INSERT INTO django_migrations (app, name, applied) VALUES ('core', '0023_x', now())`)
	var out bytes.Buffer
	if err := postgres.Migrate(t.Context(), dsn, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "0023_x") {
		t.Errorf("log %q does not warn of 0023_x", out.String())
	}
	if err := postgres.CheckSchema(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// A role called meetd, as here, looks for tables in the schema meetd first.
func TestMigratePutsDjangosTablesBesideOurSchema(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	c := connect(t, dsn)
	execute(t, c, `CREATE SCHEMA meetd`)
	if err := postgres.Migrate(t.Context(), dsn, quiet); err != nil {
		t.Fatal(err)
	}
	if !exists(t, c, "public.meet_user") || exists(t, c, "meetd.meet_user") {
		t.Error("Django's tables are not in public")
	}
	for _, relation := range []string{"meetd.session", "meetd.kept_event", "meetd.river_job", "meetd.goose_db_version"} {
		if !exists(t, c, relation) {
			t.Errorf("%s is missing", relation)
		}
	}
}

func TestMigrateInTheSchemaOfTheSearchPath(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t) + "&search_path=%22Meet%20App%22"
	c := connect(t, dsn)
	execute(t, c, `CREATE SCHEMA "Meet App"`)
	if err := postgres.Migrate(t.Context(), dsn, quiet); err != nil {
		t.Fatal(err)
	}
	if !exists(t, c, `"Meet App".meet_user`) || exists(t, c, "public.meet_user") {
		t.Error("Django's tables are not in the schema of the search path")
	}
	if err := postgres.CheckSchema(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// The extension may be in another schema than the tables, as where a superuser
// made it.
func TestMigrateExtensionElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare string
		from    func(*testing.T, string) *pgx.Conn
	}{
		"empty":  {`CREATE EXTENSION pg_trgm SCHEMA public; CREATE SCHEMA meet`, nil},
		"Django": {`CREATE SCHEMA "Tools"; CREATE EXTENSION pg_trgm SCHEMA "Tools"; CREATE SCHEMA meet`, asDjango},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Empty(t)
			execute(t, connect(t, dsn), c.prepare)
			dsn += "&search_path=meet,public"
			if c.from != nil {
				c.from(t, dsn)
			}
			for range 2 {
				if err := postgres.Migrate(t.Context(), dsn, quiet); err != nil {
					t.Fatal(err)
				}
			}
			conn := connect(t, dsn)
			if err := postgres.CheckSchema(t.Context(), conn); err != nil {
				t.Error(err)
			}
			if !exists(t, conn, "meet.meetd_user_search") || exists(t, conn, "public.meet_user") {
				t.Error("the tables are not where they belong")
			}
		})
	}
}

func TestMigrateWithAnOrdinaryRole(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare string // run by a superuser; ROLE and DB stand for their names
		want    string // empty: succeeds
	}{
		"owns the database":   {`ALTER DATABASE DB OWNER TO ROLE; ALTER SCHEMA public OWNER TO ROLE`, ""},
		"everything prepared": {`CREATE EXTENSION pg_trgm; CREATE SCHEMA meetd AUTHORIZATION ROLE; GRANT CREATE ON SCHEMA public TO ROLE`, ""},
		"no extension":        {`CREATE SCHEMA meetd AUTHORIZATION ROLE; GRANT CREATE ON SCHEMA public TO ROLE`, "CREATE EXTENSION pg_trgm"},
		"no schema":           {`CREATE EXTENSION pg_trgm; GRANT CREATE ON SCHEMA public TO ROLE`, "create the schema meetd owned by it"},
		"nothing":             {`CREATE EXTENSION pg_trgm; REVOKE CREATE ON SCHEMA public FROM PUBLIC`, "lacks rights"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := pgtest.Empty(t)
			u, err := url.Parse(dsn)
			if err != nil {
				t.Fatal(err)
			}
			c := connect(t, dsn)
			role := "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
			db := pgx.Identifier{strings.TrimPrefix(u.Path, "/")}.Sanitize()
			execute(t, c, `CREATE ROLE `+role+` LOGIN PASSWORD 'secret'`,
				strings.NewReplacer("ROLE", role, "DB", db).Replace(tt.prepare))
			u.User = url.UserPassword(role, "secret")
			err = postgres.Migrate(t.Context(), u.String(), quiet)
			if tt.want == "" {
				if err == nil {
					err = postgres.CheckSchema(t.Context(), connect(t, u.String()))
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one saying %q", err, tt.want)
			}
		})
	}
}

func TestMigrateNeedsTheOwnerOfDjangosTables(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	c := asDjango(t, dsn)
	role := "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute(t, c, `CREATE ROLE `+role+` LOGIN PASSWORD 'secret'; CREATE SCHEMA meetd AUTHORIZATION `+role+`;
		GRANT ALL ON ALL TABLES IN SCHEMA public TO `+role)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, "secret")
	err = postgres.Migrate(t.Context(), u.String(), quiet)
	if err == nil || !strings.Contains(err.Error(), "does not own Django's tables") {
		t.Errorf("error %v, want one about the owner", err)
	}
}

func TestCheckSchemaNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ change, want string }{
		"nothing":          {``, ""},
		"newer meetd":      {`INSERT INTO meetd.goose_db_version (version_id, is_applied) VALUES (99999, true)`, ""},
		"a table":          {`DROP TABLE file`, "the table file"},
		"core migration":   {`DELETE FROM django_migrations WHERE name LIKE '0022%'`, "0022_user"},
		"extension":        {`DROP EXTENSION pg_trgm CASCADE`, "pg_trgm"},
		"our schema":       {`DROP SCHEMA meetd CASCADE`, "the schema meetd"},
		"our migrations":   {`DELETE FROM meetd.goose_db_version WHERE version_id > 1`, "at 1 of"},
		"job queue":        {`DROP TABLE meetd.river_migration`, "job queue"},
		"queue migrations": {`DELETE FROM meetd.river_migration WHERE version > 6`, "job queue (it is at 6 of"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := connect(t, pgtest.DSN(t))
			execute(t, c, tt.change)
			err := postgres.CheckSchema(t.Context(), c)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "`meetd migrate`")):
				t.Errorf("error %v, want one saying %q and what to run", err, tt.want)
			}
		})
	}
}
