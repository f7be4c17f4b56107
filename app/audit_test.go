package app_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/app"
)

// happened writes so many events down, without a seal.
func (s *service) happened(t *testing.T, n int) {
	t.Helper()
	s.exec(t, `INSERT INTO meetd.audit_event (at, action, actor_id, subject, details)
		SELECT '2026-01-01Z'::timestamptz + make_interval(secs => i), 'logged_in', gen_random_uuid(), 'subject ' || i, '{"n": "1", "a": "ü\"2"}' FROM generate_series(1, $1) i`, n)
}

// tamper changes what may not be changed, as the owner of the tables can.
func (s *service) tamper(t *testing.T, statements ...string) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), s.DB, func(tx pgx.Tx) error {
		for _, statement := range append([]string{
			`ALTER TABLE meetd.audit_event DISABLE TRIGGER ALL`, `ALTER TABLE meetd.audit_seal DISABLE TRIGGER ALL`,
		}, append(statements, `ALTER TABLE meetd.audit_event ENABLE TRIGGER ALL`, `ALTER TABLE meetd.audit_event ENABLE ALWAYS TRIGGER audit_append_only`,
			`ALTER TABLE meetd.audit_seal ENABLE TRIGGER ALL`)...) {
			if _, err := tx.Exec(t.Context(), statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// verify checks the trail, and gives the hash of the newest seal.
func (s *service) verify(t *testing.T, expected string) (hash, said string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = app.VerifyAudit(t.Context(), s.conf, expected, &out)
	if found := regexp.MustCompile(`hash ([0-9a-f]{64})\n`).FindStringSubmatch(out.String()); found != nil {
		hash = found[1]
	}
	return hash, out.String(), err
}

// Nothing can be taken back by a slip, and whatever is done to the tables by force
// is found, and where.
func TestAuditTampering(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   []string
		want string
	}{
		"an event is changed":     {[]string{`UPDATE meetd.audit_event SET subject = 'other' WHERE id = 4`}, "seal 4 does not fit event 4"},
		"its time is changed":     {[]string{`UPDATE meetd.audit_event SET at = at + interval '1 microsecond' WHERE id = 4`}, "seal 4 does not fit event 4"},
		"its actor is removed":    {[]string{`UPDATE meetd.audit_event SET actor_id = NULL WHERE id = 4`}, "seal 4 does not fit event 4"},
		"a detail is added":       {[]string{`UPDATE meetd.audit_event SET details = details || '{"b": ""}' WHERE id = 4`}, "seal 4 does not fit event 4"},
		"details are no texts":    {[]string{`ALTER TABLE meetd.audit_event DROP CONSTRAINT audit_event_details_check`, `UPDATE meetd.audit_event SET details = '[1]' WHERE id = 4`}, "event 4, of seal 4, was changed"},
		"an event is deleted":     {[]string{`DELETE FROM meetd.audit_event WHERE id = 4`}, "event 4, of seal 4, is gone"},
		"the first is deleted":    {[]string{`DELETE FROM meetd.audit_event WHERE id = 1`, `DELETE FROM meetd.audit_seal WHERE seq = 1`}, "seal 1 is gone"},
		"with its seal":           {[]string{`DELETE FROM meetd.audit_event WHERE id = 4`, `DELETE FROM meetd.audit_seal WHERE seq = 4`}, "seal 4 is gone"},
		"and the rest moves up":   {[]string{`DELETE FROM meetd.audit_event WHERE id = 4`, `DELETE FROM meetd.audit_seal WHERE seq = 4`, `UPDATE meetd.audit_seal SET seq = seq - 1000 WHERE FALSE`, `ALTER TABLE meetd.audit_seal DROP CONSTRAINT audit_seal_pkey`, `UPDATE meetd.audit_seal SET seq = seq - 1 WHERE seq > 4`}, "seal 4 does not fit event 5"},
		"a seal is deleted":       {[]string{`DELETE FROM meetd.audit_seal WHERE seq = 4`}, "seal 4 is gone"},
		"the newest seal is gone": {[]string{`DELETE FROM meetd.audit_seal WHERE seq = 9`}, "event 9 has no seal and does not wait for one"},
		"a hash is changed":       {[]string{`UPDATE meetd.audit_seal SET hash = sha256('x') WHERE seq = 4`}, "seal 4 does not fit event 4"},
		"two change places": {[]string{
			`ALTER TABLE meetd.audit_seal DROP CONSTRAINT audit_seal_event_id_key`,
			`UPDATE meetd.audit_seal SET event_id = 9 - event_id WHERE event_id IN (4, 5)`,
		}, "seal 4 does not fit event 5"},
		"an event slips in": {[]string{
			`INSERT INTO meetd.audit_event (at, action, subject, details) VALUES (now(), 'logged_in', '', '{}')`,
		}, "event 10 has no seal and does not wait for one"},
		"with a seal of its own": {[]string{
			`INSERT INTO meetd.audit_event (at, action, subject, details) VALUES (now(), 'logged_in', '', '{}')`,
			`INSERT INTO meetd.audit_seal VALUES (10, 10, sha256('x'))`,
		}, "seal 10 does not fit event 10"},
		"one is lost before its seal": {[]string{
			`INSERT INTO meetd.audit_unsealed VALUES (11)`,
		}, "event 11 is gone; it was not sealed yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
			s.happened(t, 9)
			if _, said, err := s.verify(t, ""); err != nil || !strings.HasPrefix(said, "9 events and 9 seals are as they were; 0 events wait") {
				t.Fatalf("untouched: %s %v", said, err)
			}
			s.tamper(t, c.do...)
			if _, said, err := s.verify(t, ""); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %s and %v, want %s", said, err, c.want)
			}
		})
	}
}

// What the tables refuse by themselves.
func TestAuditAppendOnly(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	s.happened(t, 3)
	if _, _, err := s.verify(t, ""); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE meetd.audit_event SET subject = ''`, `DELETE FROM meetd.audit_event`, `TRUNCATE meetd.audit_event`,
		`UPDATE meetd.audit_seal SET seq = seq`, `DELETE FROM meetd.audit_seal WHERE seq = 3`, `TRUNCATE meetd.audit_seal`,
		`SET session_replication_role = replica; DELETE FROM meetd.audit_event`,
		`INSERT INTO meetd.audit_event (at, action, subject, details) VALUES (now(), '', '', '{"a": 1}')`,
	} {
		if _, err := s.DB.Exec(t.Context(), statement); err == nil {
			t.Errorf("%s is possible", statement)
		}
	}
	if _, said, err := s.verify(t, ""); err != nil {
		t.Errorf("%s %v", said, err)
	}
}

// A hash that was noted down tells a trail that was cut off, or written anew.
func TestAuditExpected(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	if _, said, err := s.verify(t, ""); err != nil || !strings.Contains(said, "0 events and 0 seals") {
		t.Errorf("an empty trail: %s %v", said, err)
	}
	s.happened(t, 5)
	noted, _, err := s.verify(t, "")
	if err != nil {
		t.Fatal(err)
	}
	s.happened(t, 5)
	if _, said, err := s.verify(t, noted); err != nil || !strings.Contains(said, "that of seal 5.") {
		t.Errorf("it went on: %s %v", said, err)
	}
	s.tamper(t, `DELETE FROM meetd.audit_seal WHERE seq >= 5`, `DELETE FROM meetd.audit_event WHERE id >= 5`)
	if _, said, err := s.verify(t, ""); err != nil {
		t.Errorf("cut off, without knowing the hash: %s %v", said, err)
	}
	if _, _, err := s.verify(t, noted); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("cut off: %v", err)
	}
	if _, _, err := s.verify(t, "abc"); err == nil || !strings.Contains(err.Error(), "is no hash") {
		t.Errorf("no hash: %v", err)
	}
}

// Events that are committed late get their seals later, and two who seal at the
// same time make one chain. The job seals by itself.
func TestAuditSealing(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `INSERT INTO meetd.audit_event (at, action, subject, details) VALUES (now(), 'late', '', '{}')`); err != nil {
		t.Fatal(err)
	}
	s.happened(t, 2500)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, said, err := s.verify(t, ""); err != nil {
				t.Errorf("%s %v", said, err)
			}
		})
	}
	wg.Wait()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.exec(t, `INSERT INTO meetd.river_job (args, kind, max_attempts) VALUES ('{}', 'seal_audit_trail', 1)`)
	eventually(t, "the late event is sealed", func() bool {
		return s.count(t, `SELECT count(*) FROM meetd.audit_seal s JOIN meetd.audit_event e ON e.id = s.event_id WHERE e.action = 'late' AND s.seq = 2501`) == 1
	})
	hash, said, err := s.verify(t, "")
	if err != nil || !strings.HasPrefix(said, "2501 events and 2501 seals are as they were; 0 events wait") {
		t.Errorf("%s %v", said, err)
	}
	if !strings.Contains(s.logs.String(), hash) {
		t.Error("the log does not hold the hash")
	}
}

// What was written down before there was a chain is sealed with the rest.
func TestAuditUpgrade(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	s.exec(t, `DROP TABLE meetd.audit_seal, meetd.audit_unsealed; DROP FUNCTION meetd.audit_await_seal, meetd.audit_append_only CASCADE;
		DROP INDEX meetd.audit_event_download, meetd.audit_event_subject; ALTER TABLE meetd.audit_event DROP CONSTRAINT audit_event_details_check;
		ALTER TABLE meetd.lobby_entry DROP COLUMN client;
		DELETE FROM meetd.goose_db_version WHERE version_id >= 18`)
	s.happened(t, 1500)
	if err := app.Migrate(t.Context(), s.conf, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	s.happened(t, 10)
	if _, said, err := s.verify(t, ""); err != nil || !strings.HasPrefix(said, "1510 events and 1510 seals are as they were; 0 events wait") {
		t.Errorf("%s %v", said, err)
	}
}

func TestAuditExport(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	s.happened(t, 9)
	if _, _, err := s.verify(t, ""); err != nil {
		t.Fatal(err)
	}
	actor := uuid.New()
	s.exec(t, `INSERT INTO meetd.audit_event (at, action, actor_id, subject, details) VALUES ('2026-01-02Z', 'logged_out', $1, 'x', '{}')`, actor)
	export := func(o app.AuditExport) string {
		var out bytes.Buffer
		if err := app.ExportAudit(t.Context(), s.conf, o, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for _, c := range []struct {
		options app.AuditExport
		want    int
	}{
		{app.AuditExport{}, 10},
		{app.AuditExport{Since: "2026-01-01T00:00:03Z"}, 8},
		{app.AuditExport{Until: "2026-01-01T00:00:03Z"}, 2},
		{app.AuditExport{Since: "2026-01-01T00:00:03+00:00", Until: "2026-01-01T00:00:05Z"}, 2},
		{app.AuditExport{Actor: actor.String()}, 1},
		{app.AuditExport{Subject: "subject 7"}, 1},
		{app.AuditExport{Subject: "nothing"}, 0},
	} {
		c.options.Format = "jsonl"
		text := export(c.options)
		if n := strings.Count(text, "\n"); n != c.want {
			t.Errorf("%+v: %d lines, want %d", c.options, n, c.want)
		}
		c.options.Format = "csv"
		rows, err := csv.NewReader(strings.NewReader(export(c.options))).ReadAll()
		if err != nil || len(rows) != c.want+1 {
			t.Errorf("%+v: %d rows, want %d: %v", c.options, len(rows), c.want+1, err)
		}
	}
	var line struct {
		ID      int64
		At      time.Time
		Action  string
		Actor   uuid.UUID
		Subject string
		Details map[string]string
		Seal    int64
		Hash    string
	}
	if err := json.Unmarshal([]byte(export(app.AuditExport{Subject: "subject 7", Format: "jsonl"})), &line); err != nil || line.ID != 7 || line.Seal != 7 ||
		len(line.Hash) != 64 || line.Details["a"] != `ü"2` || line.At.Second() != 7 || line.Actor == uuid.Nil {
		t.Errorf("%+v, %v", line, err)
	}
	for _, bad := range []app.AuditExport{
		{Since: "yesterday", Format: "csv"}, {Until: "2026-01-01", Format: "csv"}, {Actor: "ada", Format: "csv"}, {Format: "xml"},
	} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
