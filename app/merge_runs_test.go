package app_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres"
	"meetd/app"
	"meetd/ports"
)

// populate makes a small population with every oddity there can be.
func (p *people) populate(t *testing.T, r *rand.Rand, accounts int) {
	t.Helper()
	var b pgx.Batch
	emails := []any{
		nil, "", "ada@x.org", "Ada@x.org", "ADA@X.ORG", "bob@x.org", "Bob@X.org", "kim@x.org", "\u212Aim@x.org", "É@x.org", "é@x.org", "É@X.org",
		"a_b%@x.org", "A_b%@x.org", "acbd@x.org",
	}
	roles := []string{"member", "administrator", "owner", "odd"}
	pick := func(n int) uuid.UUID { return number(1 + r.IntN(n)) }
	for n := range accounts {
		sub := []any{nil, "", fmt.Sprint("s", n), fmt.Sprint("t", n), fmt.Sprint("u", n)}[r.IntN(5)]
		b.Queue(`INSERT INTO meet_user (id, password, last_login, is_superuser, created_at, updated_at, sub, email, admin_email, full_name, language, timezone,
				is_device, is_staff, is_active, default_room_configuration)
			VALUES ($1, '!', $2, $3, $2, $2, $4, $5, $6, 'Name', 'en-us', 'UTC', false, $3, $7, '{"a": {"b": null}}') ON CONFLICT DO NOTHING`,
			number(1+n), epoch.Add(time.Duration(r.IntN(4))*time.Microsecond), r.IntN(9) == 0, sub, emails[r.IntN(len(emails))],
			[]any{nil, nil, fmt.Sprint("admin", n)}[r.IntN(3)], r.IntN(5) != 0)
	}
	const rooms = 8
	for n := range rooms {
		b.Queue(`INSERT INTO meet_resource VALUES ($1, $2, $2)`, number(1+n), epoch)
		b.Queue(`INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) VALUES ($1, $2, $2, '{}', 'public')`, number(1+n), fmt.Sprint("room-", n))
		b.Queue(`INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options) VALUES ($1, $2, $2, 'saved', $1, 'screen_recording', '{}')`, number(1+n), epoch)
	}
	b.Queue(`INSERT INTO auth_group (id, name) VALUES (1, 'one'), (2, 'two')`)
	b.Queue(`INSERT INTO django_content_type VALUES (1001, 'core', 'thing')`)
	b.Queue(`INSERT INTO auth_permission VALUES (1001, 'x', 1001, 'x')`)
	const someone = ` FROM (SELECT id FROM meet_user WHERE id = $2) u ON CONFLICT DO NOTHING`
	for n := range accounts * 3 {
		id, who := number(1+n), pick(accounts)
		b.Queue(`INSERT INTO meet_resource_access SELECT $1, $3, $3, $4, $5, u.id`+someone, id, who, epoch, roles[r.IntN(4)], pick(rooms))
		b.Queue(`INSERT INTO meet_recording_access SELECT $1, $3, $3, '', $4, $5, u.id`+someone, id, who, epoch, roles[r.IntN(4)], pick(rooms))
		switch r.IntN(8) {
		case 0:
			b.Queue(`INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, creator_id)
				SELECT $1, $3::timestamptz, $3::timestamptz, 'background_image', 'a', 'a', 'ready', u.id`+someone, id, who, epoch)
		case 1:
			b.Queue(`INSERT INTO meet_user_groups (user_id, group_id) SELECT u.id, $1`+someone, 1+r.IntN(2), who)
		case 2:
			b.Queue(`INSERT INTO meet_user_user_permissions (user_id, permission_id) SELECT u.id, $1`+someone, 1001, who)
		case 3:
			b.Queue(`INSERT INTO django_admin_log (action_time, object_repr, action_flag, change_message, user_id) SELECT $1::timestamptz, 'x', 1, '[]', u.id`+someone, epoch, who)
		case 4:
			b.Queue(`INSERT INTO meetd.session SELECT $1::text::bytea, u.id, '{}', $3::timestamptz, $3::timestamptz`+someone, fmt.Sprint(n), who, epoch)
		}
	}
	for n := range rooms {
		b.Queue(`INSERT INTO meet_recording_access VALUES ($1, $2, $2, 'team', 'member', $3, NULL)`, uuid.New(), epoch, number(1+n))
	}
	if err := p.DB.SendBatch(t.Context(), &b).Close(); err != nil {
		t.Fatal(err)
	}
}

// reference merges row by row, as the rules say it.
func reference(s state, o app.MergeOptions) {
	fold := func(e string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ", r) {
				return r + 32
			}
			return r
		}, e)
	}
	groups := map[string][]map[string]any{}
	for _, u := range s["meet_user"] {
		email, _ := u["email"].(string)
		if email == "" || !strings.Contains(fold(email), fold(o.EmailFilter)) {
			continue
		}
		if !o.Exact {
			email = fold(email)
		}
		groups[email] = append(groups[email], u)
	}
	rank := map[any]int{"owner": 3, "administrator": 2, "member": 1}
	text := func(v any) string { s, _ := v.(string); return s }
	made := func(u map[string]any) time.Time {
		at, err := time.Parse(time.RFC3339Nano, text(u["created_at"]))
		if err != nil {
			panic(err)
		}
		return at
	}
	for email, users := range groups {
		if len(users) < 2 {
			continue
		}
		slices.SortFunc(users, func(a, b map[string]any) int {
			return cmp.Or(made(a).Compare(made(b)), strings.Compare(text(a["id"]), text(b["id"])))
		})
		survivor, stale := users[len(users)-1], users[:len(users)-1]
		if o.Keep == "oldest" {
			survivor, stale = users[0], users[1:]
		}
		sub := ""
		for _, u := range stale {
			for table, object := range map[string]string{"meet_resource_access": "resource_id", "meet_recording_access": "recording_id"} {
				for key, row := range s[table] {
					if row["user_id"] != u["id"] {
						continue
					}
					var own map[string]any
					for _, other := range s[table] {
						if other["user_id"] == survivor["id"] && other[object] == row[object] {
							own = other
						}
					}
					if own == nil {
						row["user_id"] = survivor["id"]
						continue
					}
					if rank[row["role"]] > rank[own["role"]] {
						own["role"] = row["role"]
					}
					delete(s[table], key)
				}
			}
			for _, f := range s["file"] {
				if f["creator_id"] == u["id"] {
					f["creator_id"] = survivor["id"]
				}
			}
			for _, table := range []string{"meet_user_groups", "meet_user_user_permissions", "django_admin_log", "session"} {
				maps.DeleteFunc(s[table], func(_ string, row map[string]any) bool { return row["user_id"] == u["id"] })
			}
			delete(s["meet_user"], text(u["id"]))
			sub = cmp.Or(text(u["sub"]), sub)
		}
		if text(survivor["sub"]) == "" && sub != "" {
			survivor["sub"] = sub
		}
		survivor["email"] = email
	}
}

// Whatever there is, the merge of many at once ends like the one row by row, and
// its undoing where it began.
func TestMergeEqualsTheReference(t *testing.T) {
	t.Parallel()
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			p := newPeople(t)
			p.populate(t, r, 20+r.IntN(60))
			o := app.MergeOptions{
				Keep: []string{"newest", "oldest"}[r.IntN(2)], Exact: r.IntN(3) == 0,
				EmailFilter: []string{"", "", "A", "_B%", "nobody"}[r.IntN(5)],
			}
			before, want := p.state(t), p.everything(t)
			reference(want, o)
			out := p.merge(t, o).ok(t)
			got := p.everything(t)
			for table := range before {
				if diff := gocmp.Diff(want[table], got[table]); diff != "" {
					t.Errorf("%+v: %s (-want +got):\n%s", o, table, diff)
				}
			}
			if diff := gocmp.Diff(want["session"], got["session"]); diff != "" {
				t.Errorf("%+v: sessions (-want +got):\n%s", o, diff)
			}
			if strings.HasSuffix(out.Out, "Nothing to do.\n") {
				if diff := gocmp.Diff(before, p.state(t)); diff != "" {
					t.Errorf("with nothing to do (-want +got):\n%s", diff)
				}
				return
			}
			if undone := p.unmerge(t, 1).ok(t); strings.Contains(undone.Out, "SKIPPED") {
				t.Errorf("%+v: %s", o, undone.Out)
			}
			if diff := gocmp.Diff(before, p.state(t)); diff != "" {
				t.Errorf("%+v: undone (-want +got):\n%s", o, diff)
			}
		})
	}
}

// refuse makes the database refuse to delete an account.
func (p *people) refuse(t *testing.T, account int) {
	t.Helper()
	p.exec(t, `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'this account stays'; END $$`)
	p.exec(t, fmt.Sprintf(`CREATE TRIGGER refuse_%d BEFORE DELETE ON meet_user FOR EACH ROW WHEN (OLD.id = '%s') EXECUTE FUNCTION refuse()`, account, number(account)))
}

// An address that cannot be merged fails alone, and nothing of it is half done.
func TestMergeFailsAlone(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	for n, email := range []string{"ada@x.org", "Ada@x.org", "bob@x.org", "BOB@x.org", "cyd@x.org", "Cyd@x.org", "dan@x.org", "Dan@x.org"} {
		p.account(t, 1+n, email, fmt.Sprint("s", 1+n))
	}
	p.room(t, 10)
	p.access(t, 100, 3, 10, "owner")
	p.access(t, 101, 5, 10, "owner")
	p.refuse(t, 3)
	p.refuse(t, 7)
	before := p.state(t)
	got := p.merge(t, app.MergeOptions{})
	if want := text(`
		[ERROR] Failed to merge 'bob@x.org': ERROR: this account stays (SQLSTATE P0001)
		[ERROR] Failed to merge 'dan@x.org': ERROR: this account stays (SQLSTATE P0001)
	`); got.Errs != want+"\n" {
		t.Errorf("errors: %s", got.Errs)
	}
	if got.Err == nil || got.Err.Error() != "Failed to merge 2 email group(s): bob@x.org, dan@x.org" {
		t.Errorf("error: %v", got.Err)
	}
	if strings.Count(got.Out, "[INFO] Email '") != 4 || !strings.HasSuffix(got.Out, "[DONE] Merged 2 group(s), deleted 2 user(s).\n[INFO] Journal 1: undo with meetd unmerge-users 1.\n") {
		t.Errorf("output: %s", got.Out)
	}
	if diff := gocmp.Diff(text(`
		account 2 ada@x.org s2
		account 3 bob@x.org s3
		account 4 bob@x.org s4
		account 6 cyd@x.org s6
		account 7 dan@x.org s7
		account 8 dan@x.org s8
		access 100: 3 in 10 owner
		access 101: 6 in 10 owner`), p.facts(t)); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	p.unmerge(t, 1).ok(t)
	if diff := gocmp.Diff(before, p.state(t)); diff != "" {
		t.Errorf("undone (-want +got):\n%s", diff)
	}
	p.exec(t, `DROP TRIGGER refuse_3 ON meet_user`)
	p.exec(t, `DROP TRIGGER refuse_7 ON meet_user`)
	if got := p.merge(t, app.MergeOptions{}).ok(t); !strings.Contains(got.Out, "[DONE] Merged 4 group(s), deleted 4 user(s).\n[INFO] Journal 2") {
		t.Errorf("again: %s", got.Out)
	}
}

// A group that cannot be restored is told and left as it is; the next time it is
// tried again, and nothing else.
func TestUnmergeFailsAlone(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.account(t, 1, "ada@x.org", nil)
	p.account(t, 2, "Ada@x.org", "s2")
	p.account(t, 3, "bob@x.org", "s3")
	p.account(t, 4, "bob@x.org", "s4")
	before := p.state(t)
	p.merge(t, app.MergeOptions{}).ok(t)
	p.account(t, 9, "ADA@x.org", nil) // a pending account for the same address
	got := p.unmerge(t, 1)
	if !strings.HasPrefix(got.Errs, "[ERROR] Failed to restore 'ada@x.org': ERROR: duplicate key") || got.Err == nil ||
		got.Err.Error() != "Failed to restore 1 email group(s): ada@x.org" {
		t.Errorf("%s%v", got.Errs, got.Err)
	}
	if got.Out != "[DONE] Restored 1 group(s), 1 user(s); 0 thing(s) skipped.\n" {
		t.Errorf("output: %s", got.Out)
	}
	if diff := gocmp.Diff(text(`
		account 2 ada@x.org s2
		account 3 bob@x.org s3
		account 4 bob@x.org s4
		account 9 ADA@x.org null`), p.facts(t)); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	p.exec(t, `DELETE FROM meet_user WHERE id = $1`, number(9))
	if got := p.unmerge(t, 1).ok(t); got.Out != "[DONE] Restored 2 group(s), 2 user(s); 0 thing(s) skipped.\n" {
		t.Errorf("again: %s", got.Out)
	}
	if diff := gocmp.Diff(before, p.state(t)); diff != "" {
		t.Errorf("in the end (-want +got):\n%s", diff)
	}
}

// Merges of the same accounts are undone in the order they were done, backward.
func TestUnmergeTheLatestFirst(t *testing.T) {
	t.Parallel()
	for _, keep := range []string{"newest", "oldest"} { // the survivor is merged away, or survives again
		p := newPeople(t)
		p.account(t, 1, "ada@x.org", "s1")
		p.account(t, 2, "Ada@x.org", nil)
		p.room(t, 10)
		p.access(t, 100, 1, 10, "owner")
		first := p.state(t)
		p.merge(t, app.MergeOptions{Keep: keep}).ok(t)
		p.account(t, 3, "adA@x.org", "s3")
		p.access(t, 101, 3, 10, "administrator")
		second := p.state(t)
		p.merge(t, app.MergeOptions{Keep: keep}).ok(t)
		if got := p.unmerge(t, 1); got.Err == nil || got.Err.Error() != "journal 2 merged some of the same accounts later: undo it first, with meetd unmerge-users 2" {
			t.Errorf("%s: the first one at once: %s%v", keep, got.Out, got.Err)
		}
		p.unmerge(t, 2).ok(t)
		if diff := gocmp.Diff(second, p.state(t)); diff != "" {
			t.Errorf("%s: the second undone (-want +got):\n%s", keep, diff)
		}
		p.exec(t, `DELETE FROM meet_resource_access WHERE id = $1`, number(101))
		p.exec(t, `DELETE FROM meet_user WHERE id = $1`, number(3))
		p.unmerge(t, 1).ok(t)
		if diff := gocmp.Diff(first, p.state(t)); diff != "" {
			t.Errorf("%s: the first undone (-want +got):\n%s", keep, diff)
		}
	}
}

func TestUnmergeUnknown(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	if got := p.unmerge(t, 7); got.Err == nil || got.Err.Error() != "there is no journal 7" {
		t.Errorf("%s%v", got.Out, got.Err)
	}
}

// Only one merge runs at a time.
func TestMergeAlone(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.account(t, 1, "ada@x.org", "s1")
	p.account(t, 2, "ada@x.org", "s2")
	before := p.everything(t)
	err := postgres.Merges{Pool: p.DB}.Alone(t.Context(), func(ports.MergeRun) error {
		for _, got := range []outcome{p.merge(t, app.MergeOptions{}), p.unmerge(t, 1)} {
			if got.Err == nil || got.Err.Error() != "another merge, or the undoing of one, is running: try again when it has ended" {
				t.Errorf("%s%v", got.Out, got.Err)
			}
		}
		p.merge(t, app.MergeOptions{DryRun: true}).ok(t)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if diff := gocmp.Diff(before, p.everything(t)); diff != "" {
		t.Errorf("it changed something (-want +got):\n%s", diff)
	}
	p.merge(t, app.MergeOptions{}).ok(t)
}

// until returns when the answer to a query is true.
func (p *people) until(t *testing.T, query string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for now := false; !now; runtime.Gosched() {
		if err := p.DB.QueryRow(ctx, query).Scan(&now); err != nil {
			t.Fatal(err)
		}
	}
}

// someoneWaits is whether a query of somebody waits for a lock.
const someoneWaits = `SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`

// What changes while the merge waits counts as it is then.
func TestMergeSeesWhatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change string
		want   string
	}{
		{"an account got another address", `UPDATE meet_user SET email = 'bob@x.org' WHERE sub = 's1'`, `
			account 1 bob@x.org s1
			account 2 ada@x.org s2
			access 100: 1 in 10 owner`},
		{"an account was deleted", `WITH a AS (DELETE FROM meet_resource_access) DELETE FROM meet_user WHERE sub = 's1'`, `
			account 2 ada@x.org s2`},
		{"an access was added and another raised", `WITH a AS (UPDATE meet_user SET full_name = 'x' WHERE sub = 's1'),
				b AS (UPDATE meet_resource_access SET role = 'administrator')
			INSERT INTO meet_resource_access VALUES ('00000000-0000-4000-8000-000000000101', now(), now(), 'member',
				'00000000-0000-4000-8000-000000000011', '00000000-0000-4000-8000-000000000001')`, `
			account 2 ada@x.org s2
			access 100: 2 in 10 administrator
			access 101: 2 in 11 member`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPeople(t)
			p.account(t, 1, "ada@x.org", "s1")
			p.account(t, 2, "ada@x.org", "s2")
			p.room(t, 10)
			p.room(t, 11)
			p.access(t, 100, 1, 10, "owner")
			tx, err := p.DB.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), c.change); err != nil {
				t.Fatal(err)
			}
			merged := make(chan outcome, 1)
			go func() { merged <- p.merge(t, app.MergeOptions{}) }()
			p.until(t, someoneWaits)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			(<-merged).ok(t)
			if diff := gocmp.Diff(text(c.want), p.facts(t)); diff != "" {
				t.Errorf("after it (-want +got):\n%s", diff)
			}
		})
	}
}

// An account that is locked for long fails alone, after a while.
func TestMergeDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	for n, email := range []string{"ada@x.org", "ada@x.org", "bob@x.org", "bob@x.org"} {
		p.account(t, 1+n, email, fmt.Sprint("s", 1+n))
	}
	tx, err := p.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context())) //nolint:errcheck // it held a lock, nothing else
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM meet_user WHERE sub = 's2' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if got := p.merge(t, app.MergeOptions{}); got.Err == nil || got.Err.Error() != "Failed to merge 1 email group(s): ada@x.org" ||
		!strings.Contains(got.Errs, "lock timeout") || !strings.Contains(got.Out, "[DONE] Merged 1 group(s), deleted 1 user(s).") {
		t.Errorf("%s%s%v", got.Out, got.Errs, got.Err)
	}
}

// A request of somebody whose account is merged away meanwhile is refused like
// one without a session.
func TestRequestOfAMergedAccount(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	p := openPeople(t, s.DB.Config().ConnString())
	ada := s.login(t, "ada")
	tx, err := p.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `DELETE FROM meet_user WHERE id = $1`, ada.ID); err != nil {
		t.Fatal(err)
	}
	csrf := strings.Repeat("a", 32)
	var got answer
	var wg sync.WaitGroup
	wg.Go(func() {
		got = s.request(t, ada, http.MethodPost, "/api/v1.0/rooms/", `{"name": "mine"}`, http.Header{
			"Content-Type": {"application/json"}, "X-Csrftoken": {csrf}, "Cookie": {"csrftoken=" + csrf + "; " + s.cookie + "=" + ada.Secret},
		})
	})
	p.until(t, someoneWaits)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if want := `{"detail":"Authentication credentials were not provided."}`; got.Status != http.StatusUnauthorized || string(got.Body) != want {
		t.Errorf("%d %s, want 401", got.Status, got.Body)
	}
	if got := p.facts(t); got != "" {
		t.Errorf("it left %s", got)
	}
}

// crowd makes accounts 1 … 2n, of which i and n+i share an address and a room.
func (p *people) crowd(t *testing.T, n int) {
	t.Helper()
	p.exec(t, `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
			is_device, is_staff, is_active, default_room_configuration)
		SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, '!', false, $2, $2, CASE WHEN i <= $1 THEN 's' || i END,
			CASE WHEN i <= $1 THEN 'P' ELSE 'p' END || i % $1 || '@x.org', 'en-us', 'UTC', false, false, true, '{}' FROM generate_series(1, 2 * $1) i`, n, epoch)
	p.exec(t, `INSERT INTO meet_resource SELECT ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, $2, $2 FROM generate_series(1, $1) i`, n, epoch)
	p.exec(t, `INSERT INTO meet_resource_access SELECT u.id, $1, $1, 'member', r.id, u.id FROM meet_user u JOIN meet_resource r ON right(r.id::text, 5)::int % $2 = substr(u.email, 2, strpos(u.email, '@') - 2)::int`, epoch, n)
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "meetd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "meetd/cmd/meetd").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
	}
	return path
}

// killed runs the program and kills it when the query says so.
func (p *people) killed(t *testing.T, program, query string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+p.dsn)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.until(t, query)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("it was not killed: %v", err)
	}
}

// A merge that is killed goes on where it was, in the same journal, and ends
// like one that was not; so does its undoing.
func TestMergeKilled(t *testing.T) {
	t.Parallel()
	const n = 3000
	program := build(t)
	whole, p := newPeople(t), newPeople(t)
	whole.crowd(t, n)
	p.crowd(t, n)
	before := p.state(t)
	whole.merge(t, app.MergeOptions{}).ok(t)

	p.killed(t, program, `SELECT count(*) > 0 FROM meetd.merge_group`, "merge-duplicate-users")
	if left := len(p.state(t)["meet_user"]); left == n || left == 2*n {
		t.Fatalf("%d accounts are left: it was not killed in the middle", left)
	}
	got := p.merge(t, app.MergeOptions{}).ok(t)
	if !strings.Contains(got.Out, "[INFO] Journal 1 was interrupted; it goes on.\n") || !strings.HasSuffix(got.Out, "[INFO] Journal 1: undo with meetd unmerge-users 1.\n") {
		t.Errorf("resumed: %s … %s", got.Out[:200], got.Out[len(got.Out)-200:])
	}
	if diff := gocmp.Diff(whole.state(t), p.state(t)); diff != "" {
		t.Errorf("resumed (-uninterrupted +got):\n%s", diff[:min(2000, len(diff))])
	}

	p.killed(t, program, `SELECT count(*) > 0 FROM meetd.merge_group WHERE undone_at IS NOT NULL`, "unmerge-users", "1")
	if left := len(p.state(t)["meet_user"]); left == n || left == 2*n {
		t.Fatalf("%d accounts are there: the undoing was not killed in the middle", left)
	}
	if got := p.unmerge(t, 1).ok(t); got.Out != fmt.Sprintf("[DONE] Restored %d group(s), %[1]d user(s); 0 thing(s) skipped.\n", n) {
		t.Errorf("undoing resumed: %s", got.Out)
	}
	if diff := gocmp.Diff(before, p.state(t)); diff != "" {
		t.Errorf("undone (-before +got):\n%s", diff[:min(2000, len(diff))])
	}
}

// Whoever appears before an interrupted merge goes on is merged too; what that
// merges again is restored in the right order.
func TestMergeGoesOnWithNewcomers(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.account(t, 1, "Ada@x.org", "s1")
	p.account(t, 2, "ada@x.org", "s2")
	p.room(t, 10)
	p.access(t, 100, 1, 10, "member")
	before := p.state(t)
	p.merge(t, app.MergeOptions{}).ok(t)
	p.exec(t, `UPDATE meetd.merge_journal SET finished_at = NULL`) // as if it had been killed
	if got := p.merge(t, app.MergeOptions{Keep: "oldest"}).ok(t); got.Out != "[INFO] No duplicate users found. Nothing to do.\n" {
		t.Errorf("another scope: %s", got.Out)
	}
	p.account(t, 3, "aDA@x.org", "s3")
	p.access(t, 101, 3, 10, "owner")
	if got := p.merge(t, app.MergeOptions{}).ok(t); !strings.Contains(got.Out, "[INFO] Journal 1 was interrupted; it goes on.\n") {
		t.Errorf("resumed: %s", got.Out)
	}
	if diff := gocmp.Diff(text(`
		account 3 ada@x.org s3
		access 101: 3 in 10 owner`), p.facts(t)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	p.unmerge(t, 1).ok(t)
	p.exec(t, `DELETE FROM meet_resource_access WHERE id = $1`, number(101))
	p.exec(t, `DELETE FROM meet_user WHERE id = $1`, number(3))
	if diff := gocmp.Diff(before, p.state(t)); diff != "" {
		t.Errorf("undone (-before +got):\n%s", diff)
	}
}

// A merge that was killed after its last batch is only closed, and one that is
// being undone does not go on.
func TestMergeEnds(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	p.account(t, 1, "Ada@x.org", "s1")
	p.account(t, 2, "ada@x.org", "s2")
	p.merge(t, app.MergeOptions{}).ok(t)
	p.exec(t, `UPDATE meetd.merge_journal SET finished_at = NULL`)
	if got := p.merge(t, app.MergeOptions{}).ok(t); got.Out != text(`
		[INFO] No duplicate users found. Nothing to do.
		[INFO] Journal 1 was interrupted; it goes on.
		[DONE] Merged 0 group(s), deleted 0 user(s).
		[INFO] Journal 1: undo with meetd unmerge-users 1.`)+"\n" {
		t.Errorf("closed: %s", got.Out)
	}
	if got := p.merge(t, app.MergeOptions{}).ok(t); got.Out != "[INFO] No duplicate users found. Nothing to do.\n" {
		t.Errorf("again: %s", got.Out)
	}
	p.exec(t, `UPDATE meetd.merge_journal SET finished_at = NULL`)
	p.unmerge(t, 1).ok(t)
	if got := p.merge(t, app.MergeOptions{}).ok(t); !strings.HasSuffix(got.Out, "[INFO] Journal 2: undo with meetd unmerge-users 2.\n") {
		t.Errorf("after the undoing: %s", got.Out)
	}
}
