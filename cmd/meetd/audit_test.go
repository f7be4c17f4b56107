package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
)

// What the commands say, and with which exit code.
func TestAuditAndPersonCommands(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.WithoutCancel(t.Context())) })
	const id = "46d1a121-2426-484d-8fb3-09b5d886f7a8"
	if _, err := db.Exec(t.Context(), `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, language, timezone,
			is_device, is_staff, is_active, default_room_configuration)
		VALUES ('`+id+`', '!', false, now(), now(), 'ada', 'ada@example.org', 'en-us', 'UTC', false, false, true, '{}')`); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "ada")
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"DATABASE_URL": dsn, "DJANGO_CONFIGURATION": "Development"}[name]
		return v, ok
	}
	for _, c := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"audit", 2, "", "Usage: meetd audit verify"},
		{"audit --help", 0, "", "Usage: meetd audit verify"},
		{"audit nothing", 2, "", "Usage: meetd audit verify"},
		{"audit verify now", 2, "", `takes no argument "now"`},
		{"audit verify --help", 0, "", "-expect hash"},
		{"audit verify", 0, "0 events and 0 seals are as they were", ""},
		{"audit verify --expect 12", 1, "", "'12' is no hash"},
		{"audit verify --expect " + strings.Repeat("0", 64), 1, "", "no seal has the hash 00"},
		{"audit export --format xml", 2, "", "use jsonl or csv"},
		{"audit export --since monday", 2, "", "write it like"},
		{"audit export --help", 0, "", "-subject id"},
		{"end-sessions ada", 0, "0 session(s)", ""},
		{"audit export --format csv", 0, "sessions_ended,," + id, ""},
		{"audit export --subject " + id, 0, `"action":"sessions_ended","actor":null,"subject":"` + id, ""},
		{"audit export --actor " + id, 0, "", ""},
		{"audit verify", 0, "1 events and 1 seals are as they were", ""},
		{"person", 2, "", "Usage: meetd person export"},
		{"person erase", 2, "", "Usage: meetd person export"},
		{"person erase ada bob", 2, "", "Usage: meetd person export"},
		{"person erase --help", 0, "", "-delete-shared"},
		{"person export nobody", 1, "", `no account has the id, subject or e-mail "nobody"`},
		{"person export ada --out " + folder, 0, "1 file(s) in " + folder, ""},
		{"person export --out " + folder + " ada", 1, "", "name a new one with --out"},
		{"person erase --dry-run ada@example.org", 0, "would be erased. Nothing was changed.", ""},
		{"person erase ada", 0, "Account " + id + " was erased.", ""},
		{"person erase ada", 1, "", "no account has"},
		{"audit verify", 0, "3 events and 3 seals", ""},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), lookup, &out, &errs); code != c.code ||
			!strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.err) || c.err == "" && errs.Len() > 0 {
			t.Errorf("%s: %d\n%s%s", c.args, code, &out, &errs)
		}
	}
	if text, err := os.ReadFile(filepath.Join(folder, "report.json")); err != nil || !strings.Contains(string(text), `"person.json"`) {
		t.Errorf("report.json: %s %v", text, err)
	}
	if _, err := db.Exec(t.Context(), `ALTER TABLE meetd.audit_event DISABLE TRIGGER ALL; DELETE FROM meetd.audit_event WHERE id = 1`); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"audit", "verify"}, lookup, &out, &errs); code != 1 || !strings.Contains(errs.String(), "the audit trail is broken: event 1, of seal 1, is gone") {
		t.Errorf("%d\n%s%s", code, &out, &errs)
	}
}
