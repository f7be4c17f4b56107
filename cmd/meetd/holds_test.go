package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
)

func TestHolds(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	env := lookup(map[string]string{"DATABASE_URL": dsn})
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the database is thrown away
	const id, other = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	if _, err := c.Exec(t.Context(), `SET session_replication_role = replica`); err != nil { // no room is needed
		t.Fatal(err)
	}
	if _, err := c.Exec(t.Context(), `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
		VALUES ($1, now(), now(), 'saved', $1, 'transcript', '{}')`, id); err != nil {
		t.Fatal(err)
	}
	const header = "RECORDING  SINCE  BY  REASON\n"
	for _, step := range []struct {
		args []string
		code int
		out  string // its beginning and its end
		end  string
		err  string
	}{
		{[]string{"holds"}, 0, header, "", ""},
		{[]string{"hold", id}, 2, "", "", "--reason is missing"},
		{[]string{"hold", id, "--reason", "  "}, 2, "", "", "--reason is missing"},
		{[]string{"hold", "--reason", "a trial"}, 2, "", "", "Usage: meetd hold RECORDING_ID"},
		{[]string{"hold", "x", "--reason", "a trial"}, 2, "", "", "Usage: meetd hold RECORDING_ID"},
		{[]string{"hold", id, "--reason", "a trial", other}, 2, "", "", "Usage: meetd hold RECORDING_ID"},
		{[]string{"hold", "--help"}, 0, "", "", "legal hold"},
		{[]string{"hold", other, "--reason", "a trial"}, 1, "", "", "there is no recording " + other},
		{[]string{"release", id}, 1, "", "", "is not on hold"},
		{[]string{"hold", id, "--reason", "a trial", "--by", "root"}, 0, id + " is on hold.\n", "", ""},
		{[]string{"hold", "--reason", "another", id}, 1, "", "", "is on hold already"},
		{[]string{"holds"}, 0, "RECORDING ", "root  a trial\n", ""},
		{[]string{"hold", id, "--reason", strings.Repeat("é", 501)}, 1, "", "", "the reason of 1 to 500 characters"},
		{[]string{"hold", id, "--reason", "a\xff"}, 1, "", "", "have to be text"},
		{[]string{"holds", "x"}, 2, "", "", `no argument "x"`},
		{[]string{"release", "--help"}, 0, "", "", "Usage: meetd release RECORDING_ID"},
		{[]string{"release", id}, 0, id + " is no longer on hold.\n", "", ""},
		{[]string{"hold", "--reason= again\n\x1b[2J\ta\u202eb", "--by", "root\tx", id}, 0, id + " is on hold.\n", "", ""},
		{[]string{"holds"}, 0, "RECORDING ", "Z  root x  again [2J a b\n", ""},
		{[]string{"release", id}, 0, id + " is no longer on hold.\n", "", ""},
		{[]string{"hold", "--reason", strings.Repeat("é", 500), id}, 0, id + " is on hold.\n", "", ""},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), step.args, env, &out, &errs)
		if code != step.code || !strings.HasPrefix(out.String(), step.out) || !strings.HasSuffix(out.String(), step.end) ||
			(step.out == "" && out.Len() > 0) || !strings.Contains(errs.String(), step.err) {
			t.Errorf("%v: code %d, %q, %q", step.args, code, out.String(), errs.String())
		}
	}
	var trail string
	if err := c.QueryRow(t.Context(), `SELECT string_agg(action || ' ' || subject, ', ' ORDER BY id) FROM meetd.audit_event`).Scan(&trail); err != nil ||
		trail != "recording_held "+id+", recording_released "+id+", recording_held "+id+", recording_released "+id+", recording_held "+id {
		t.Errorf("written down: %s, %v", trail, err)
	}
}
