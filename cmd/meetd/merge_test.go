package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
)

func TestMergeUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		err  string
	}{
		{[]string{"merge-duplicate-users", "--help"}, 0, "-email-filter"},
		{[]string{"merge-duplicate-users", "--keep", "best"}, 2, "--keep best: it is newest or oldest"},
		{[]string{"merge-duplicate-users", "--dry"}, 2, "not defined: -dry"},
		{[]string{"merge-duplicate-users", "ada"}, 2, `no argument "ada"`},
		{[]string{"unmerge-users", "--help"}, 0, "Usage: meetd unmerge-users JOURNAL-ID"},
		{[]string{"unmerge-users"}, 2, "Usage: meetd unmerge-users JOURNAL-ID"},
		{[]string{"unmerge-users", "one"}, 2, "Usage: meetd unmerge-users JOURNAL-ID"},
		{[]string{"unmerge-users", "1", "2"}, 2, "Usage: meetd unmerge-users JOURNAL-ID"},
		{[]string{"unmerge-users", "--dry-run", "1"}, 2, "Usage: meetd unmerge-users JOURNAL-ID"},
	} {
		var out, err bytes.Buffer
		if code := run(t.Context(), c.args, lookup(nil), &out, &err); code != c.code || !strings.Contains(err.String(), c.err) {
			t.Errorf("%v: code %d, %q, %q", c.args, code, out.String(), err.String())
		}
	}
}

// The commands reach the database: report, dry run, merge, undo.
func TestMergeAndUnmerge(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.Exec(t.Context(), `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
			is_device, is_staff, is_active, default_room_configuration)
		SELECT gen_random_uuid(), '!', false, now(), now(), 's' || n, CASE WHEN n % 2 = 0 THEN 'ada@x.org' ELSE 'ADA@x.org' END, 'en-us', 'UTC', false, false, true, '{}' FROM generate_series(1, 3) n`)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	env := lookup(map[string]string{"DATABASE_URL": dsn})
	for _, c := range []struct {
		args string
		code int
		out  string
		err  string
	}{
		{"merge-duplicate-users --report", 0, "[DONE] 1 group(s), 2 user(s) would be deleted, 1 group(s) with conflicts.", ""},
		{"merge-duplicate-users --dry-run --keep oldest", 0, "[DONE] Merged 0 group(s), deleted 0 user(s).", ""},
		{"merge-duplicate-users --exact --email-filter ADA@ --dry-run", 0, "[INFO] Email 'ADA@x.org': 2 users", ""},
		{"merge-duplicate-users --email-filter bob", 0, "[INFO] Filtering emails containing 'bob'.\n[INFO] No duplicate users found. Nothing to do.", ""},
		{"merge-duplicate-users", 0, "[DONE] Merged 1 group(s), deleted 2 user(s).\n[INFO] Journal 1: undo with meetd unmerge-users 1.", ""},
		{"unmerge-users 1", 0, "[DONE] Restored 1 group(s), 2 user(s); 0 thing(s) skipped.", ""},
		{"unmerge-users 1", 0, "Nothing to do.", ""},
		{"unmerge-users 2", 1, "", "meetd unmerge-users: there is no journal 2"},
	} {
		var out, err bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), env, &out, &err); code != c.code ||
			!strings.Contains(out.String(), c.out) || !strings.Contains(err.String(), c.err) {
			t.Errorf("%s: code %d, %s%s", c.args, code, out.String(), err.String())
		}
	}
}
