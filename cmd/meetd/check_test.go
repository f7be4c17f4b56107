package main

import (
	"bytes"
	"strings"
	"testing"

	"meetd/adapters/devstack/pgtest"
)

// A deployment waits with it for the database, before that is migrated.
func TestCheck(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Empty(t)
	for _, c := range []struct {
		args, dsn string
		code      int
		out, err  string
	}{
		{"", dsn, 0, "(security.W018)", ""},
		{"--database default", dsn, 0, "issues (0 silenced).\n", ""},
		{"--database default --deploy", dsn, 0, "issues (0 silenced).\n", ""},
		{"--database default", "postgres://u:pw@127.0.0.1:1/x", 1, "", "database"},
		{"--database other", dsn, 2, "", "--database is default"},
		{"--fail-level WARNING", dsn, 1, "(security.W018)", "there are warnings"},
		{"--fail-level INFO", dsn, 2, "", "--fail-level is"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"check"}, strings.Fields(c.args)...), lookup(map[string]string{"DATABASE_URL": c.dsn}), &out, &errs)
		if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.err) || strings.Contains(errs.String(), "pw") {
			t.Errorf("%s: code %d, %s, %s", c.args, code, out.String(), errs.String())
		}
	}
}
