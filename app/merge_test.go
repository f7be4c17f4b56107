package app_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/app"
)

// people is a database whose rows have small numbers for ids.
type people struct {
	DB   *pgxpool.Pool
	dsn  string
	conf *app.Config
}

func newPeople(t *testing.T) *people { return openPeople(t, pgtest.DSN(t)) }

func openPeople(t *testing.T, dsn string) *people {
	t.Helper()
	conf, err := app.Load(func(name string) (string, bool) { return dsn, name == "DATABASE_URL" }, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &people{DB: pool, dsn: dsn, conf: conf}
}

// number is the n-th id; ids are in the order of their numbers.
func number(n int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("00000000-0000-4000-8000-%012d", n)) }

// epoch is when everything began; account n was made n minutes later.
var epoch = time.Date(2026, 1, 15, 12, 0, 0, 153910000, time.UTC)

func (p *people) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	if _, err := p.DB.Exec(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// account makes an account; nil for email or sub is null.
func (p *people) account(t *testing.T, n int, email, sub any) {
	t.Helper()
	p.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
			is_device, is_staff, is_active, default_room_configuration)
		VALUES ($1, '!' || ($1::uuid)::text, false, $2, $2, $3, $4, 'en-us', 'UTC', false, false, true, '{}')`,
		number(n), epoch.Add(time.Duration(n)*time.Minute), sub, email)
}

// room makes room n.
func (p *people) room(t *testing.T, n int) {
	t.Helper()
	p.exec(t, `INSERT INTO meet_resource VALUES ($1, $2, $2)`, number(n), epoch)
	p.exec(t, `INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) VALUES ($1, $2, $2, '{}', 'public')`,
		number(n), fmt.Sprint("room-", n))
}

// access n is a role of an account in a room.
func (p *people) access(t *testing.T, n, account, room int, role string) {
	t.Helper()
	p.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id) VALUES ($1, $2, $2, $3, $4, $5)`,
		number(n), epoch, role, number(room), number(account))
}

// recording makes recording n of a room.
func (p *people) recording(t *testing.T, n, room int) {
	t.Helper()
	p.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
		VALUES ($1, $2, $2, 'saved', $3, 'screen_recording', '{}')`, number(n), epoch, number(room))
}

// share n is a role of an account, or with account 0 of a team, on a recording.
func (p *people) share(t *testing.T, n, account, recording int, role string) {
	t.Helper()
	p.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
		VALUES ($1, $2, $2, CASE WHEN $3 THEN 'blue' ELSE '' END, $4, $5, CASE WHEN NOT $3 THEN $6::uuid END)`,
		number(n), epoch, account == 0, role, number(recording), number(account))
}

// file makes file n of an account.
func (p *people) file(t *testing.T, n, account int) {
	t.Helper()
	p.exec(t, `INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, creator_id)
		VALUES ($1, $2, $2, 'background_image', 'a', 'a.png', 'ready', $3)`, number(n), epoch, number(account))
}

// facts is what a merge changes, one line each.
func (p *people) facts(t *testing.T) string {
	t.Helper()
	rows, err := p.DB.Query(t.Context(), `SELECT line FROM (
		SELECT 1 AS part, id, concat('account ', right(id::text, 3)::int, ' ', coalesce(email, 'null'), ' ', coalesce(nullif(sub, ''), CASE sub WHEN '' THEN 'empty' ELSE 'null' END)) AS line FROM meet_user
		UNION ALL SELECT 2, id, concat('access ', right(id::text, 3)::int, ': ', right(user_id::text, 3)::int, ' in ', right(resource_id::text, 3)::int, ' ', role) FROM meet_resource_access
		UNION ALL SELECT 3, id, concat('share ', right(id::text, 3)::int, ': ', coalesce(right(user_id::text, 3)::int::text, team), ' on ', right(recording_id::text, 3)::int, ' ', role) FROM meet_recording_access
		UNION ALL SELECT 4, id, concat('file ', right(id::text, 3)::int, ': ', right(creator_id::text, 3)::int) FROM file
	) all_of_them ORDER BY part, id`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// text removes what only indents lines in the source.
func text(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := range lines {
		lines[i] = strings.TrimLeft(lines[i], "\t")
	}
	return strings.Join(lines, "\n")
}

// outcome is what a command said.
type outcome struct {
	Out, Errs string
	Err       error
}

func (p *people) merge(t *testing.T, o app.MergeOptions) outcome {
	t.Helper()
	if o.Keep == "" {
		o.Keep = "newest"
	}
	var out, errs bytes.Buffer
	err := app.MergeAccounts(t.Context(), p.conf, o, time.Now, &out, &errs)
	return outcome{out.String(), errs.String(), err}
}

func (p *people) unmerge(t *testing.T, journal int64) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	err := app.UnmergeAccounts(t.Context(), p.conf, journal, time.Now, &out, &errs)
	return outcome{out.String(), errs.String(), err}
}

func (o outcome) ok(t *testing.T) outcome {
	t.Helper()
	if o.Err != nil || o.Errs != "" {
		t.Fatalf("%s%s%v", o.Out, o.Errs, o.Err)
	}
	return o
}

// state is all rows of all tables but those of journals and the audit trail, by
// table and id.
type state map[string]map[string]map[string]any

func (p *people) state(t *testing.T) state {
	t.Helper()
	out := state{}
	for table, rows := range p.everything(t) {
		if table != "session" && !strings.HasPrefix(table, "audit_") && !strings.HasPrefix(table, "merge_") {
			out[table] = rows
		}
	}
	return out
}

// everything is all rows of all tables.
func (p *people) everything(t *testing.T) state {
	t.Helper()
	rows, err := p.DB.Query(t.Context(), `SELECT c.oid::regclass::text, c.relname::text FROM pg_class c
		WHERE c.relkind = 'r' AND c.relnamespace IN ('public'::regnamespace, 'meetd'::regnamespace)`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Name, Short string }])
	if err != nil {
		t.Fatal(err)
	}
	out := state{}
	for _, table := range tables {
		rows, err := p.DB.Query(t.Context(), `SELECT to_jsonb(x) FROM `+table.Name+` x`)
		if err != nil {
			t.Fatal(err)
		}
		values, err := pgx.CollectRows(rows, pgx.RowTo[map[string]any])
		if err != nil {
			t.Fatal(err)
		}
		out[table.Short] = map[string]map[string]any{}
		for _, v := range values {
			key := ""
			for _, column := range []string{"id", "resource_id", "id_hash", "name", "version_id", "version"} {
				if v[column] != nil && key == "" {
					key = fmt.Sprint(v[column])
				}
			}
			out[table.Short][key] = v
		}
	}
	return out
}

func TestMergeRules(t *testing.T) {
	t.Parallel()
	two := func(t *testing.T, p *people) {
		t.Helper()
		p.account(t, 1, "Ada@Example.org", "s1")
		p.account(t, 2, "aDa@example.ORG", "s2")
	}
	for _, c := range []struct {
		name    string
		options app.MergeOptions
		before  func(t *testing.T, p *people)
		want    string
	}{
		{name: "the newest survives and its address is in lower case", before: two, want: `account 2 ada@example.org s2`},
		{
			name: "the oldest on demand", options: app.MergeOptions{Keep: "oldest"}, before: two,
			want: `account 1 ada@example.org s1`,
		},
		{
			name: "among those of the same time the highest id", before: func(t *testing.T, p *people) {
				t.Helper()
				for _, n := range []int{2, 3, 1} {
					p.account(t, n, "ada@example.org", fmt.Sprint("s", n))
				}
				p.exec(t, `UPDATE meet_user SET created_at = $1`, epoch)
			}, want: `account 3 ada@example.org s3`,
		},
		{
			name: "among those of the same time the lowest id", options: app.MergeOptions{Keep: "oldest"}, before: func(t *testing.T, p *people) {
				t.Helper()
				for _, n := range []int{2, 3, 1} {
					p.account(t, n, "ada@example.org", fmt.Sprint("s", n))
				}
				p.exec(t, `UPDATE meet_user SET created_at = $1`, epoch)
			}, want: `account 1 ada@example.org s1`,
		},
		{
			name: "no address is nobody's", before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, nil, "s1")
				p.account(t, 2, nil, "s2")
				p.account(t, 3, "", "s3")
				p.account(t, 4, "", "s4")
				p.account(t, 5, "Bob@example.org", "s5")
			}, want: `
				account 1 null s1
				account 2 null s2
				account 3  s3
				account 4  s4
				account 5 Bob@example.org s5`,
		},
		{
			name: "look-alikes are others", before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, "kim@example.org", "s1")
				p.account(t, 2, "\u212Aim@example.org", "s2")
				p.account(t, 3, "é@example.org", "s3")
				p.account(t, 4, "É@EXAMPLE.org", "s4")
				p.account(t, 5, "É@example.org", "s5")
			}, want: `
				account 1 kim@example.org s1
				account 2 ` + "\u212A" + `im@example.org s2
				account 3 é@example.org s3
				account 5 É@example.org s5`,
		},
		{
			name: "exact tells cases apart and changes no address", options: app.MergeOptions{Exact: true}, before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, "Ada@example.org", "s1")
				p.account(t, 2, "ada@example.org", "s2")
				p.account(t, 3, "Ada@example.org", "s3")
			}, want: `
				account 2 ada@example.org s2
				account 3 Ada@example.org s3`,
		},
		{
			name: "the filter means what it says", options: app.MergeOptions{EmailFilter: "A_b%"}, before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, "xa_B%@example.org", "s1")
				p.account(t, 2, "Xa_b%@example.org", "s2")
				p.account(t, 3, "xacb%@example.org", "s3")
				p.account(t, 4, "xacb%@example.org", "s4")
				p.account(t, 5, "xa_bc@example.org", "s5")
				p.account(t, 6, "xa_bc@example.org", "s6")
			}, want: `
				account 2 xa_b%@example.org s2
				account 3 xacb%@example.org s3
				account 4 xacb%@example.org s4
				account 5 xa_bc@example.org s5
				account 6 xa_bc@example.org s6`,
		},
		{
			name: "accesses move, or raise the survivor's", before: func(t *testing.T, p *people) {
				t.Helper()
				two(t, p)
				for i, c := range [][2]string{
					{"member", ""},
					{"owner", "member"},
					{"administrator", "member"},
					{"owner", "administrator"},
					{"member", "owner"},
					{"administrator", "owner"},
					{"member", "administrator"},
					{"owner", "owner"},
					{"odd", "member"},
					{"member", "odd"},
					{"odd", "other"},
				} {
					room := 10 + i
					p.room(t, room)
					p.access(t, 100+i, 1, room, c[0])
					p.recording(t, room, room)
					p.share(t, 100+i, 1, room, c[0])
					p.share(t, 200+i, 0, room, "member")
					if c[1] != "" {
						p.access(t, 300+i, 2, room, c[1])
						p.share(t, 300+i, 2, room, c[1])
					}
				}
			}, want: `
				account 2 ada@example.org s2
				access 100: 2 in 10 member
				access 301: 2 in 11 owner
				access 302: 2 in 12 administrator
				access 303: 2 in 13 owner
				access 304: 2 in 14 owner
				access 305: 2 in 15 owner
				access 306: 2 in 16 administrator
				access 307: 2 in 17 owner
				access 308: 2 in 18 member
				access 309: 2 in 19 member
				access 310: 2 in 20 other
				share 100: 2 on 10 member
				share 200: blue on 10 member
				share 201: blue on 11 member
				share 202: blue on 12 member
				share 203: blue on 13 member
				share 204: blue on 14 member
				share 205: blue on 15 member
				share 206: blue on 16 member
				share 207: blue on 17 member
				share 208: blue on 18 member
				share 209: blue on 19 member
				share 210: blue on 20 member
				share 301: 2 on 11 owner
				share 302: 2 on 12 administrator
				share 303: 2 on 13 owner
				share 304: 2 on 14 owner
				share 305: 2 on 15 owner
				share 306: 2 on 16 administrator
				share 307: 2 on 17 owner
				share 308: 2 on 18 member
				share 309: 2 on 19 member
				share 310: 2 on 20 other`,
		},
		{
			name: "of three, the first stale access stays and takes the highest role", before: func(t *testing.T, p *people) {
				t.Helper()
				two(t, p)
				p.account(t, 3, "ada@example.org", "s3")
				p.room(t, 10)
				p.access(t, 102, 1, 10, "member")
				p.access(t, 101, 2, 10, "owner")
				p.recording(t, 20, 10)
				p.share(t, 102, 1, 20, "administrator")
				p.share(t, 101, 2, 20, "member")
			}, want: `
				account 3 ada@example.org s3
				access 102: 3 in 10 owner
				share 102: 3 on 20 administrator`,
		},
		{
			name: "files move", before: func(t *testing.T, p *people) {
				t.Helper()
				two(t, p)
				p.file(t, 31, 1)
				p.file(t, 32, 2)
				p.exec(t, `INSERT INTO file SELECT $1, created_at, updated_at, type, title, deleted_at, hard_deleted_at, filename, upload_state, mimetype, size, description, malware_detection_info FROM file LIMIT 1`, number(33))
			}, want: `
				account 2 ada@example.org s2
				file 31: 2
				file 32: 2
				file 33: `,
		},
		{
			name: "a survivor without a subject takes the newest", before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, "ada@example.org", "s1")
				p.account(t, 2, "ada@example.org", "s2")
				p.account(t, 3, "ada@example.org", "")
				p.account(t, 4, "ada@example.org", nil)
			}, want: `account 4 ada@example.org s2`,
		},
		{
			name: "an empty subject is none", before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, "ada@example.org", "s1")
				p.account(t, 2, "ada@example.org", "")
			}, want: `account 2 ada@example.org s1`,
		},
		{
			name: "the oldest without a subject takes the newest", options: app.MergeOptions{Keep: "oldest"}, before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, "Ada@example.org", nil)
				p.account(t, 2, "ada@example.org", "s2")
				p.account(t, 3, "ada@example.org", "s3")
				p.account(t, 4, "ada@example.org", "")
			}, want: `account 1 ada@example.org s3`,
		},
		{
			name: "nobody has a subject", before: func(t *testing.T, p *people) {
				t.Helper()
				p.account(t, 1, "ada@example.org", "")
				p.account(t, 2, "ada@example.org", nil)
			}, want: `account 2 ada@example.org null`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(t)
			c.before(t, p)
			before := p.state(t)
			out := p.merge(t, c.options).ok(t)
			if diff := cmp.Diff(text(c.want), strings.TrimSpace(p.facts(t))); diff != "" {
				t.Errorf("after the merge (-want +got):\n%s\n%s", diff, out.Out)
			}
			if !strings.Contains(out.Out, "Journal 1") {
				return
			}
			p.unmerge(t, 1).ok(t)
			if diff := cmp.Diff(before, p.state(t)); diff != "" {
				t.Errorf("after the undoing (-want +got):\n%s", diff)
			}
		})
	}
}

// furnish gives accounts 1 and 2 of one address everything an account can have.
func (p *people) furnish(t *testing.T) {
	t.Helper()
	p.account(t, 1, "Ada@example.org", "s1")
	p.account(t, 2, "ada@Example.org", nil)
	p.exec(t, `UPDATE meet_user SET is_staff = true, is_superuser = true, last_login = created_at, admin_email = 'root', full_name = 'Ada',
		short_name = 'A', password = 'pbkdf2', language = 'fr-fr', default_room_access_level = 'trusted', default_room_configuration = '{"a": [1, null]}'
		WHERE id = $1`, number(1))
	p.room(t, 10)
	p.room(t, 11)
	p.access(t, 101, 1, 10, "owner")
	p.access(t, 102, 1, 11, "owner")
	p.access(t, 103, 2, 11, "member")
	p.recording(t, 20, 10)
	p.recording(t, 21, 10)
	p.share(t, 101, 1, 20, "administrator")
	p.share(t, 102, 1, 21, "owner")
	p.share(t, 103, 2, 21, "member")
	p.file(t, 30, 1)
	p.exec(t, `INSERT INTO auth_group (id, name) VALUES (7, 'crew')`)
	p.exec(t, `INSERT INTO meet_user_groups (user_id, group_id) VALUES ($1, 7), ($2, 7)`, number(1), number(2))
	p.exec(t, `INSERT INTO django_content_type VALUES (71, 'core', 'thing')`)
	p.exec(t, `INSERT INTO auth_permission VALUES (72, 'x', 71, 'x'), (73, 'y', 71, 'y')`)
	p.exec(t, `INSERT INTO meet_user_user_permissions (user_id, permission_id) VALUES ($1, 72), ($1, 73), ($2, 73)`, number(1), number(2))
	p.exec(t, `INSERT INTO django_admin_log (action_time, object_repr, action_flag, change_message, content_type_id, user_id)
		SELECT now(), 'x', 1, '[]', 71, u FROM unnest($1::uuid[]) u`, []uuid.UUID{number(1), number(2)})
	p.exec(t, `INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at)
		SELECT u::text::bytea, u, '{}', now(), now() FROM unnest($1::uuid[]) u`, []uuid.UUID{number(1), number(2)})
}

// What hangs on a stale account goes with it, the survivor's stays.
func TestMergeTakesEverythingAlong(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.furnish(t)
	want := p.everything(t)
	stale := number(1).String()
	for _, table := range []string{"meet_user_groups", "meet_user_user_permissions", "django_admin_log", "session"} {
		maps.DeleteFunc(want[table], func(_ string, row map[string]any) bool { return row["user_id"] == stale })
		if len(want[table]) == 0 {
			t.Fatalf("the survivor has nothing in %s", table)
		}
	}
	p.merge(t, app.MergeOptions{}).ok(t)
	got := p.everything(t)
	for _, table := range []string{"meet_user_groups", "meet_user_user_permissions", "django_admin_log", "session", "auth_group", "meet_room", "meet_resource", "meet_recording"} {
		if diff := cmp.Diff(want[table], got[table]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", table, diff)
		}
	}
	survivor := want["meet_user"][number(2).String()]
	survivor["sub"], survivor["email"] = "s1", "ada@example.org"
	if diff := cmp.Diff(map[string]map[string]any{number(2).String(): survivor}, got["meet_user"]); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	for _, row := range slices.Concat(slices.Collect(maps.Values(got["meet_resource_access"])), slices.Collect(maps.Values(got["meet_recording_access"]))) {
		old := want["meet_resource_access"][row["id"].(string)]
		if old == nil {
			old = want["meet_recording_access"][row["id"].(string)]
		}
		if row["updated_at"] != old["updated_at"] {
			t.Errorf("updated_at of %v changed, which no partial save does", row)
		}
	}
	var actions []string
	if err := p.DB.QueryRow(t.Context(), `SELECT array_agg(concat(action, ' ', subject, ' ', details) ORDER BY id) FROM meetd.audit_event`).Scan(&actions); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		`account_merge_started 1 {"resumed": "false", "addresses": "1"}`,
		`account_merge_finished 1 {"failed": "0", "groups": "1", "accounts": "1"}`,
	}, actions); diff != "" {
		t.Errorf("audit trail (-want +got):\n%s", diff)
	}
}

func TestMergeOutput(t *testing.T) {
	t.Parallel()
	const one, two, three, four = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002",
		"00000000-0000-4000-8000-000000000003", "00000000-0000-4000-8000-000000000004"
	p := newPeople(t)
	p.furnish(t)
	p.account(t, 3, "zoe@example.org", nil)
	p.account(t, 4, "Zoe@example.org", "s4")
	p.account(t, 5, "alone@example.org", "s5")
	p.exec(t, `UPDATE meet_user SET created_at = date_trunc('second', created_at) WHERE id = $1`, number(3))
	before := p.everything(t)
	const ada = `
		[INFO] Email 'ada@example.org': 2 users — keeping ` + two + ` (created 2026-01-15).
		       stale: ` + one + ` (created 2026-01-15)
	`
	const zoe = `
		[INFO] Email 'zoe@example.org': 2 users — keeping ` + four + ` (created 2026-01-15).
		       stale: ` + three + ` (created 2026-01-15)
	`
	for _, c := range []struct {
		name    string
		options app.MergeOptions
		want    string
		changes bool
	}{
		{"dry run", app.MergeOptions{DryRun: true}, `
			[DRY-RUN] No changes will be written.
			[INFO] Found 2 email(s) with duplicate users.` + ada + `
			       [DRY-RUN] Would migrate: 2 ResourceAccess, 2 RecordingAccess, 1 File(s).` + zoe + `
			       [DRY-RUN] Would migrate: 0 ResourceAccess, 0 RecordingAccess, 0 File(s).
			[DONE] Merged 0 group(s), deleted 0 user(s).`, false},
		{"dry run with a filter", app.MergeOptions{DryRun: true, EmailFilter: "ZOE@"}, `
			[DRY-RUN] No changes will be written.
			[INFO] Filtering emails containing 'ZOE@'.
			[INFO] Found 1 email(s) with duplicate users.` + zoe + `
			       [DRY-RUN] Would migrate: 0 ResourceAccess, 0 RecordingAccess, 0 File(s).
			[DONE] Merged 0 group(s), deleted 0 user(s).`, false},
		{"dry run that finds nothing", app.MergeOptions{DryRun: true, Exact: true}, `
			[DRY-RUN] No changes will be written.
			[INFO] No duplicate users found. Nothing to do.`, false},
		{"report", app.MergeOptions{Report: true}, `
			[INFO] Found 2 email(s) with duplicate users.
			[INFO] Email 'ada@example.org': 2 users.
			       keep:  ` + two + ` created 2026-01-15, last login never, no sub, active, 1 room access(es), 1 recording access(es), 0 file(s)
			       stale: ` + one + ` created 2026-01-15, last login 2026-01-15, sub, active, staff, superuser, admin_email, 2 room access(es), 2 recording access(es), 1 file(s)
			       [CONFLICT] a staff account is lost.
			       [CONFLICT] an admin_email is lost.
			       [CONFLICT] preferences are lost.
			[INFO] Email 'zoe@example.org': 2 users.
			       keep:  ` + four + ` created 2026-01-15, last login never, sub, active, 0 room access(es), 0 recording access(es), 0 file(s)
			       stale: ` + three + ` created 2026-01-15, last login never, no sub, active, 0 room access(es), 0 recording access(es), 0 file(s)
			[DONE] 2 group(s), 2 user(s) would be deleted, 1 group(s) with conflicts.`, false},
		{"nothing", app.MergeOptions{EmailFilter: "alone"}, `
			[INFO] Filtering emails containing 'alone'.
			[INFO] No duplicate users found. Nothing to do.`, false},
		{"merge", app.MergeOptions{}, `
			[INFO] Found 2 email(s) with duplicate users.` + ada + zoe + `
			[DONE] Merged 2 group(s), deleted 2 user(s).
			[INFO] Journal 1: undo with meetd unmerge-users 1.`, true},
	} {
		got := p.merge(t, c.options).ok(t)
		want := strings.ReplaceAll(text(c.want), "\n\n", "\n")
		if diff := cmp.Diff(want, strings.TrimSpace(got.Out)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(before, p.everything(t)); (diff != "") != c.changes {
			t.Errorf("%s changed (-before +after):\n%s", c.name, diff)
		}
	}
}

// What cannot be restored is told and stays as it is, all else is restored, once.
func TestUnmergeWhatChangedSince(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change []string
		told   string // what is skipped, in any order
		differ string // the rows that are not as before the merge
	}{
		{name: "nothing"},
		{
			name:   "the subject is somebody else's",
			change: []string{`UPDATE meet_user SET sub = 'new' WHERE sub = 's1'`, `UPDATE meet_user SET sub = 's1' WHERE sub = 's9'`},
			told: `
				2, sub: it was changed since.
				1, account: restored without its sub, which another account has.`,
			differ: "meet_user 1, meet_user 2, meet_user 9",
		},
		{
			name:   "the subject is nobody's",
			change: []string{`UPDATE meet_user SET sub = 'new' WHERE sub = 's1'`},
			told:   `2, sub: it was changed since.`,
			differ: "meet_user 2",
		},
		{
			name:   "the admin_email is taken",
			change: []string{`UPDATE meet_user SET admin_email = 'root' WHERE sub = 's1'`},
			told:   `1, account: restored without its admin_email, which another account has.`,
			differ: "meet_user 1, meet_user 2",
		},
		{
			name:   "the e-mail was changed",
			change: []string{`UPDATE meet_user SET email = 'ada@example.com' WHERE sub = 's1'`},
			told:   `2, email: it was changed since.`,
			differ: "meet_user 2",
		},
		{
			name: "roles were changed",
			change: []string{
				`UPDATE meet_resource_access SET role = 'administrator'`,
				`UPDATE meet_recording_access SET role = 'member' WHERE role = 'administrator'`,
			},
			told: `
				1, access to room 10: the access was changed since.
				2, access to room 11: the access was changed since.
				1, access to recording 20: the access was changed since.`,
			differ: "meet_recording_access 101, meet_resource_access 101, meet_resource_access 103",
		},
		{
			name:   "an access was deleted",
			change: []string{`DELETE FROM meet_resource_access WHERE role = 'owner'`},
			told: `
				1, access to room 10: the access was deleted.
				2, access to room 11: the access was deleted.`,
			differ: "meet_resource_access 101, meet_resource_access 103",
		},
		{
			name: "rooms and recordings were deleted",
			change: []string{
				`DELETE FROM meet_recording_access`, `DELETE FROM meet_recording`, `DELETE FROM meet_resource_access`,
				`DELETE FROM meet_room`, `DELETE FROM meet_resource`,
			},
			told: `
				1, access to room 10: the access was deleted.
				1, access to room 11: the room was deleted.
				2, access to room 11: the access was deleted.
				1, access to recording 20: the access was deleted.
				1, access to recording 21: the recording was deleted.
				2, access to recording 21: the access was deleted.`,
			differ: "meet_recording 20, meet_recording 21, meet_recording_access 101, meet_recording_access 102, meet_recording_access 103, " +
				"meet_resource 10, meet_resource 11, meet_resource_access 101, meet_resource_access 102, meet_resource_access 103, meet_room 10, meet_room 11",
		},
		{
			name:   "a file has another owner",
			change: []string{`UPDATE file SET creator_id = (SELECT id FROM meet_user WHERE sub = 's9')`},
			told:   `1, file 30: the file has another owner.`,
			differ: "file 30",
		},
		{
			name:   "a file was deleted",
			change: []string{`DELETE FROM file`},
			told:   `1, file 30: the file was deleted.`,
			differ: "file 30",
		},
		{
			name: "group, permission and content type were deleted",
			change: []string{
				`DELETE FROM meet_user_groups`, `DELETE FROM auth_group`, `DELETE FROM meet_user_user_permissions`, `DELETE FROM auth_permission`,
				`UPDATE django_admin_log SET content_type_id = NULL`, `DELETE FROM django_content_type`,
			},
			told: `
				1, membership of group 7: the group was deleted.
				1, permission 72: the permission was deleted.
				1, permission 73: the permission was deleted.`,
			differ: "auth_group 7, auth_permission 72, auth_permission 73, django_admin_log 1, django_admin_log 2, django_content_type 71, " +
				"meet_user_groups 1, meet_user_groups 2, meet_user_user_permissions 1, meet_user_user_permissions 2, meet_user_user_permissions 3",
		},
		{
			name: "the survivor was deleted",
			change: []string{
				`DELETE FROM meet_resource_access`, `DELETE FROM meet_recording_access`, `UPDATE file SET creator_id = NULL`,
				`DELETE FROM meet_user_groups`, `DELETE FROM meet_user_user_permissions`, `DELETE FROM django_admin_log`,
				`DELETE FROM meet_user WHERE sub = 's1'`,
			},
			told: `
				2, sub: the account was deleted.
				2, email: the account was deleted.
				1, access to room 10: the access was deleted.
				2, access to room 11: the access was deleted.
				1, access to recording 20: the access was deleted.
				2, access to recording 21: the access was deleted.
				1, file 30: the file has another owner.`,
			differ: "django_admin_log 2, file 30, meet_recording_access 101, meet_recording_access 103, meet_resource_access 101, meet_resource_access 103, " +
				"meet_user 2, meet_user_groups 2, meet_user_user_permissions 3",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(t)
			p.furnish(t)
			p.account(t, 9, "else@example.org", "s9")
			before := p.state(t)
			p.merge(t, app.MergeOptions{}).ok(t)
			for _, change := range c.change {
				p.exec(t, change)
			}
			changed := p.state(t)
			got := short(p.unmerge(t, 1).ok(t).Out)
			want := strings.Split(text(c.told), "\n")
			if c.told == "" {
				want = nil
			}
			done := fmt.Sprintf("[DONE] Restored 1 group(s), 1 user(s); %d thing(s) skipped.", len(want))
			for i := range want {
				want[i] = "[SKIPPED] Email 'ada@example.org', account " + want[i]
			}
			slices.Sort(want)
			lines := strings.Split(strings.TrimSpace(got), "\n")
			slices.Sort(lines[:len(lines)-1])
			if diff := cmp.Diff(append(want, done), lines); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			after := p.state(t)
			if diff := cmp.Diff(c.differ, strings.Join(differing(before, after), ", ")); diff != "" {
				t.Errorf("rows that differ (-want +got):\n%s\n%s", diff, cmp.Diff(before, after))
			}
			for _, row := range differing(before, after) {
				table, id, _ := strings.Cut(row, " ")
				if table != "meet_user" && table != "django_admin_log" && !cmp.Equal(find(changed, table, id), find(after, table, id)) {
					t.Errorf("%s was touched", row)
				}
			}
			if got := p.unmerge(t, 1).ok(t); !strings.HasPrefix(got.Out, "[INFO] Journal 1 was undone on ") || !strings.HasSuffix(got.Out, ". Nothing to do.\n") {
				t.Errorf("again: %s", got.Out)
			}
			if diff := cmp.Diff(after, p.state(t)); diff != "" {
				t.Errorf("again it changed (-want +got):\n%s", diff)
			}
		})
	}
}

// short writes the ids of this test as their numbers.
func short(s string) string {
	return regexp.MustCompile(`00000000-0000-4000-8000-0*`).ReplaceAllString(s, "")
}

// differing lists the rows that are not the same, by table and number.
func differing(a, b state) []string {
	var out []string
	for table := range a {
		ids := map[string]bool{}
		for id := range a[table] {
			ids[id] = true
		}
		for id := range b[table] {
			ids[id] = true
		}
		for id := range ids {
			if !cmp.Equal(a[table][id], b[table][id]) {
				out = append(out, table+" "+short(id))
			}
		}
	}
	slices.Sort(out)
	return out
}

// find is the row with a number.
func find(s state, table, id string) map[string]any {
	for key, row := range s[table] {
		if short(key) == id {
			return row
		}
	}
	return nil
}
