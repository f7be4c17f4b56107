package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
)

func TestJobs(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context()) //nolint:errcheck // only of this test
	ids := map[string]int64{}
	for _, state := range []string{"discarded", "cancelled", "retryable", "available", "completed"} {
		var id int64
		if err := db.QueryRow(t.Context(), `INSERT INTO meetd.river_job (kind, state, args, queue, attempt, max_attempts, scheduled_at, finalized_at, errors)
			VALUES (CASE WHEN $1 = 'cancelled' THEN 'invite' ELSE 'mail_owner' END, $1::text::meetd.river_job_state, jsonb_build_object('recording', $1), 'default', 3, 3,
				'2026-01-15T14:30:00Z', CASE WHEN $1 IN ('discarded', 'cancelled', 'completed') THEN now() END,
				ARRAY[jsonb_build_object('at', now(), 'attempt', 1, 'error', 'the first', 'trace', ''),
					jsonb_build_object('at', now(), 'attempt', 3, 'error', E'no answer\nof http://u:hunter2@h/?k=hunter2', 'trace', 'hunter2')])
			RETURNING id`, state).Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids[state] = id
	}
	env := lookup(map[string]string{"DATABASE_URL": dsn})
	id := func(state string) string { return fmt.Sprint(ids[state]) }
	for _, c := range []struct {
		args []string
		code int
		out  []string // the beginnings of its lines
		err  string
	}{
		{
			[]string{"jobs"},
			0,
			[]string{
				"ID  KIND        STATE      ATTEMPTS  NEXT                  SUBJECT                     LAST ERROR",
				id("retryable") + "   mail_owner  retryable  3/3       2026-01-15T14:30:00Z  {\"recording\": \"retryable\"}  no answer of http://***@h/?***",
				id("cancelled") + "   invite      cancelled  3/3       -  ",
				id("discarded") + "   mail_owner  discarded  3/3       -  ",
			},
			"",
		},
		{[]string{"jobs", "--limit", "1"}, 0, []string{"ID", id("retryable")}, ""},
		{[]string{"jobs", "--kind", "invite"}, 0, []string{"ID", id("cancelled")}, ""},
		{[]string{"jobs", "--state", "completed"}, 0, []string{"ID", id("completed")}, ""},
		{[]string{"jobs", "--state", "all", "--kind", "mail_owner"}, 0, []string{"ID", id("completed"), id("available"), id("retryable"), id("discarded")}, ""},
		{[]string{"jobs", "--help"}, 0, nil, "Usage: meetd jobs"},
		{[]string{"jobs", "retry", "--help"}, 0, nil, "-kind"},
		{[]string{"jobs", "--state", "lost"}, 2, nil, "there is no state 'lost'; use one of available, cancelled"},
		{[]string{"jobs", "--limit", "0"}, 2, nil, "use a number from 1 to 10000"},
		{[]string{"jobs", "x"}, 2, nil, `no argument "x"`},
		{[]string{"jobs", "retry"}, 2, nil, "Usage: meetd jobs"},
		{[]string{"jobs", "retry", "--kind", "invite", "1"}, 2, nil, "Usage: meetd jobs"},
		{[]string{"jobs", "retry", "one"}, 2, nil, `"one" is no id of a job`},
		{[]string{"jobs", "cancel"}, 2, nil, "Usage: meetd jobs"},
		{[]string{"jobs", "cancel", "--kind", "invite"}, 2, nil, "kind"},
		{[]string{"jobs", "retry", "99999", id("cancelled")}, 1, []string{id("cancelled") + " is available"}, "there is no job 99999"},
		{[]string{"jobs", "cancel", id("available"), id("completed")}, 0, []string{id("available") + " is cancelled", id("completed") + " is completed"}, ""},
		{[]string{"jobs", "retry", "--kind", "invite"}, 1, nil, "no job of the kind 'invite' was given up or waits for another try"},
		{
			[]string{"jobs", "retry", "--kind", "mail_owner"},
			0,
			[]string{id("discarded") + " is available", id("retryable") + " is available", id("available") + " is available"},
			"",
		},
		{[]string{"jobs"}, 0, []string{"ID"}, ""},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), c.args, env, &out, &errs)
		var lines []string
		if out.Len() > 0 {
			lines = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		}
		ok := code == c.code && strings.Contains(errs.String(), c.err) && len(lines) == len(c.out) && !strings.Contains(out.String(), "hunter2")
		for i, line := range lines {
			ok = ok && strings.HasPrefix(line, c.out[i])
		}
		if !ok {
			t.Errorf("%v: code %d\n%s%s", c.args, code, out.String(), errs.String())
		}
	}
	var attempts int
	if err := db.QueryRow(t.Context(), `SELECT max_attempts FROM meetd.river_job WHERE id = $1`, ids["discarded"]).Scan(&attempts); err != nil || attempts != 4 {
		t.Errorf("what was given up has %d attempts, %v", attempts, err)
	}
}
