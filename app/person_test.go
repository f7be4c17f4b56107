package app_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/devstack/storetest"
	"meetd/app"
	persons "meetd/app/person"
)

// tables is all that is stored, in one text for each table.
func (s *service) tables(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, table := range s.lines(t, `SELECT c.relnamespace::regnamespace || '.' || c.relname FROM pg_class c
		WHERE c.relkind = 'r' AND c.relnamespace IN ('public'::regnamespace, 'meetd'::regnamespace) ORDER BY 1`) {
		out[table] = strings.Join(s.lines(t, `SELECT x::text FROM `+table+` x ORDER BY 1`), "\n")
	}
	return out
}

// upload makes a file with its objects.
func (s *service) upload(t *testing.T, st storetest.Store, of account, name string) []string {
	t.Helper()
	id := uuid.New()
	s.exec(t, `INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, creator_id, description)
		VALUES ($1, now(), now(), 'background_image', $2::text, $2::text, 'ready', $3, $2::text)`, id, name, of.ID)
	extension := filepath.Ext(name)
	if extension == name { // a dot-file has none
		extension = ""
	}
	keys := []string{"files/" + id.String() + extension, "tmp/files/" + id.String() + extension}
	for _, key := range keys {
		st.Put(t, key, "image/png", []byte(name))
	}
	return keys
}

// estate is a person with everything that somebody can have: zada. bob is another
// one, who uses some of it.
type estate struct {
	*service
	st                           storetest.Store
	zada, bob                    account
	alone, shared, both          uuid.UUID // rooms
	film, inAlone, inBob, inBoth uuid.UUID // recordings
	goes, stays                  []string  // objects
}

const sentinel = "zadasentinel"

func newEstate(t *testing.T) estate {
	t.Helper()
	st := storetest.Embedded(t, storetest.Hook{})
	env := storeEnv(st)
	env["MEETD_EVENTS_TOKEN"] = "events-token-of-the-test-which-is-long"
	e := estate{service: startService(t, env), st: st}
	e.zada, e.bob = e.login(t, sentinel), e.login(t, "bob")
	e.alone, e.shared, e.both = e.room(t, e.zada), e.room(t, e.zada), e.room(t, e.zada)
	e.exec(t, `UPDATE meet_room SET name = 'Room of zadasentinel' WHERE resource_id = $1`, e.alone)
	e.role(t, e.shared, e.login(t, "late"), "administrator")
	e.exec(t, `UPDATE meet_resource_access SET created_at = now() + interval '1 hour' WHERE role = 'administrator'`)
	e.role(t, e.shared, e.bob, "administrator")
	e.role(t, e.shared, e.login(t, "member"), "member")
	e.role(t, e.both, e.bob, "owner")
	e.film = e.recording(t, screen, "saved", roles{e.zada: "owner"})
	e.inAlone = e.recording(t, screen, "saved", roles{e.zada: "administrator"})
	e.inBob = e.recording(t, screen, "saved", roles{e.zada: "owner", e.bob: "owner"})
	e.inBoth = e.recording(t, screen, "saved", roles{e.zada: "member", e.bob: "owner"})
	e.exec(t, `UPDATE meet_recording SET room_id = $1, options = '{"collect_metadata": true}' WHERE id = $2`, e.alone, e.inAlone)
	e.exec(t, `UPDATE meet_recording SET options = '{"collect_metadata": true}' WHERE id = $1`, e.film)
	e.exec(t, `UPDATE meet_recording SET room_id = $1 WHERE id = $2`, e.both, e.inBoth)
	e.goes = slices.Concat(objects(t, st, e.film), objects(t, st, e.inAlone), e.upload(t, st, e.zada, sentinel+".PNG"), e.upload(t, st, e.zada, "noextension"), e.upload(t, st, e.zada, "."+sentinel))
	e.stays = slices.Concat(objects(t, st, e.inBob), objects(t, st, e.inBoth), e.upload(t, st, e.bob, "bob.png"))

	email, id := sentinel+"@example.org", e.zada.ID
	e.exec(t, `UPDATE meet_user SET email = initcap(email), admin_email = $2 WHERE id = $1`, id, "admin."+email)
	e.exec(t, `INSERT INTO auth_group (name) VALUES ('people')`)
	e.exec(t, `INSERT INTO meet_user_groups (user_id, group_id) SELECT $1, id FROM auth_group`, id)
	e.exec(t, `INSERT INTO django_content_type (app_label, model) VALUES ('x', 'y')`)
	e.exec(t, `INSERT INTO auth_permission (name, content_type_id, codename) SELECT 'name', id, 'code' FROM django_content_type WHERE app_label = 'x'`)
	e.exec(t, `INSERT INTO meet_user_user_permissions (user_id, permission_id) SELECT $1, id FROM auth_permission WHERE codename = 'code'`, id)
	e.exec(t, `INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message, user_id) VALUES
		(now(), 'x', 'what zadasentinel did', 1, '[]', $1::uuid), (now(), $1::uuid::text, $2::text, 2, '[]', $3),
		(now(), 'y', 'Owner of ' || $2::text, 2, '[{"added": {"object": "' || upper($2::text) || ' (owner)"}}]', $3), (now(), $4::uuid::text, 'Room of zadasentinel', 3, '', $3)`,
		id, email, e.bob.ID, e.alone)
	e.exec(t, `INSERT INTO meetd.notice (recording_id, kind, recipient, created_at) VALUES ($1, 'mail', $2, now())`, e.film, id)
	e.exec(t, `INSERT INTO meetd.lobby_entry VALUES ($1, gen_random_uuid(), 'sub-zadasentinel', 'waiting', 'zadasentinel', '', now(), now() + interval '1 hour')`, e.both)
	e.exec(t, `INSERT INTO meetd.throttle VALUES ($1, '{}', now() + interval '1 hour')`, "invite "+id.String())
	e.exec(t, `INSERT INTO meetd.river_job (kind, args, max_attempts, queue, scheduled_at, errors) VALUES
		('invite', jsonb_build_object('sender', $1::text, 'to', '["x@example.org"]'::jsonb), 7, 'none', now(), NULL),
		('invite', jsonb_build_object('sender', 'bob@example.org', 'to', jsonb_build_array($1::text)), 7, 'none', now(), NULL),
		('invite', jsonb_build_object('sender', 'bob@example.org', 'to', jsonb_build_array($1::text, 'x@example.org')), 7, 'none', now(), NULL),
		('invite', '{"sender": "bob@example.org", "to": null}', 7, 'none', now(), ARRAY[jsonb_build_object('error', $1::text)])`, email)
	// An older account of the same person was merged into another, and that into this.
	e.exec(t, `INSERT INTO meetd.merge_journal (keep, exact, email_filter, started_at, finished_at) VALUES
		('newest', false, 'zadasentinel@', now(), now()), ('newest', false, 'example.org', now(), now()), ('newest', false, 'zadasentinel@', now(), now())`)
	old, older := uuid.New(), uuid.New()
	e.exec(t, `INSERT INTO meetd.merge_group (journal_id, address, survivor_id, merged_at) VALUES (1, $1::text, $2::uuid, now()), (2, $1::text, $3::uuid, now()), (2, 'bob@example.org', $4, now()), (3, 'bob@example.org', $4, now())`, email, old, id, e.bob.ID)
	e.exec(t, `INSERT INTO meetd.merge_item (group_id, kind, user_id, row_id, deleted) VALUES
		(1, 'account', $1::uuid, $1::uuid, jsonb_build_object('email', $3::text, 'password', 'secret')), (2, 'account', $2::uuid, $2::uuid, jsonb_build_object('email', $3::text)),
		(3, 'account', $4::uuid, $4::uuid, '{"email": "bob@example.org"}')`, older, old, email, uuid.New())
	e.exec(t, `INSERT INTO meetd.audit_event (at, action, actor_id, subject, details) VALUES (now(), 'logged_in', $1::uuid, $1::uuid::text, '{}')`, id)
	// zada keeps recordings of others from being deleted; bob does so with one that
	// zada once held.
	byName, byAddress, once := uuid.New(), uuid.New(), uuid.New()
	e.exec(t, `INSERT INTO meetd.recording_hold (recording_id, reason, placed_at, placed_by) VALUES
		($1, 'case 1', now(), 'Zadasentinel Z.'), ($2, 'case 2', now(), upper($4::text)), ($3, 'case 3', now(), 'bob')`, byName, byAddress, once, email)
	e.exec(t, `INSERT INTO meetd.audit_event (at, action, actor_id, subject, details) VALUES
		(now() + interval '1 ms', 'recording_held', $1::uuid, $2, '{}'), (now() - interval '1 hour', 'recording_held', $1::uuid, $3, '{}')`, id, byName.String(), once.String())
	return e
}

// eraseBy erases somebody.
func (s *service) eraseBy(t *testing.T, who string, o app.EraseOptions) (r persons.Erasure, err error) {
	t.Helper()
	var out bytes.Buffer
	err = app.ErasePerson(t.Context(), s.conf, who, o, true, time.Now, &out)
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
	}
	return r, err
}

// same compares tables, but for those that change by themselves.
func same(t *testing.T, before, after map[string]string, ignored ...string) {
	t.Helper()
	for table := range before {
		if before[table] != after[table] && !slices.Contains(ignored, table) && !strings.HasPrefix(table, "meetd.river") && !strings.HasPrefix(table, "meetd.audit") {
			t.Errorf("%s was\n%s\nand is\n%s", table, before[table], after[table])
		}
	}
}

// Nothing of the person is left, in any table and in the bucket, and nobody else
// has less than before.
func TestErase(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	before := e.tables(t)
	if !strings.Contains(strings.ToLower(fmt.Sprint(before)), sentinel) {
		t.Fatal("the sentinel is nowhere")
	}
	r, err := e.eraseBy(t, "sub-"+sentinel, app.EraseOptions{})
	if err == nil || len(r.Blocked) != 1 || r.Blocked[0].ID != e.shared || r.Done {
		t.Errorf("with a shared room: %+v %v", r, err)
	}
	r, err = e.eraseBy(t, e.zada.ID.String(), app.EraseOptions{Transfer: true, DryRun: true})
	if err != nil || len(r.Blocked) > 0 || r.Done || len(r.Deleted) != 7 || r.Rows["account"] != 1 {
		t.Errorf("dry run: %+v %v", r, err)
	}
	planned := r
	same(t, before, e.tables(t))
	if n := e.count(t, `SELECT count(*) FROM meetd.audit_event`); n != 3 {
		t.Errorf("%d events for nothing", n-3)
	}

	r, err = e.eraseBy(t, strings.ToUpper(sentinel)+"@example.org", app.EraseOptions{Transfer: true})
	if err != nil || !r.Done {
		t.Fatalf("%+v %v", r, err)
	}
	if fmt.Sprint(planned.Deleted, planned.Kept, planned.Changed, planned.Objects, planned.Rows) != fmt.Sprint(r.Deleted, r.Kept, r.Changed, r.Objects, r.Rows) {
		t.Errorf("it was planned\n%+v\nand done\n%+v", planned, r)
	}
	if got := slices.Sorted(slices.Values(r.Objects)); !slices.Equal(got, slices.Sorted(slices.Values(e.goes))) {
		t.Errorf("objects: %v, want %v", got, e.goes)
	}
	after := e.tables(t)
	for table, text := range after {
		if i := strings.Index(strings.ToLower(text), sentinel); i >= 0 {
			t.Errorf("%s still holds %.100q", table, text[max(0, i-50):])
		}
		if strings.Contains(text, e.zada.ID.String()) && !strings.HasPrefix(table, "meetd.audit_event") && table != "public.django_admin_log" && table != "meetd.recording_hold" && table != "meetd.river_job" {
			t.Errorf("%s still holds the id", table)
		}
	}
	e.gone(t, e.st, e.goes)
	for _, key := range e.stays {
		if !has(t, e.st, key) {
			t.Errorf("%s of somebody else is gone", key)
		}
	}
	eventually(t, "the rows of the files are gone", func() bool { return e.count(t, `SELECT count(*) FROM file`) == 1 })
	got := strings.Join(e.lines(t, `SELECT concat_ws(' ', u.full_name, a.role) FROM meet_resource_access a JOIN meet_user u ON u.id = a.user_id
		WHERE u.full_name NOT LIKE 'owner-%' ORDER BY 1`), ", ")
	if got != "bob owner, bob owner, late administrator, member member" {
		t.Errorf("roles on rooms: %s", got)
	}
	if got := e.count(t, `SELECT count(*) FROM meet_recording_access WHERE role = 'owner' AND user_id = $1`, e.bob.ID); got != 2 {
		t.Errorf("bob owns %d recordings", got)
	}
	if got := e.lines(t, `SELECT concat_ws(' ', args->>'sender', args->>'to') FROM meetd.river_job WHERE kind = 'invite' ORDER BY id`); len(got) != 2 ||
		got[0] != `bob@example.org ["x@example.org"]` || got[1] != "bob@example.org" {
		t.Errorf("invitations: %q", got)
	}
	if got := strings.Join(e.lines(t, `SELECT reason || ' ' || placed_by FROM meetd.recording_hold ORDER BY reason`), ", "); got != "case 1 "+e.zada.ID.String()+", case 2 "+e.zada.ID.String()+", case 3 bob" {
		t.Errorf("holds: %s", got)
	}
	if got := e.lines(t, `SELECT address || ' ' || email_filter FROM meetd.merge_group g JOIN meetd.merge_journal j ON j.id = g.journal_id ORDER BY g.id`); len(got) != 2 ||
		got[0] != "bob@example.org example.org" || got[1] != "bob@example.org (erased)" {
		t.Errorf("merges: %q", got)
	}
	if got := e.lines(t, `SELECT object_repr || ' ' || change_message FROM django_admin_log ORDER BY id`); len(got) != 3 || got[0] != e.zada.ID.String()+" []" ||
		got[1] != "Owner of "+e.zada.ID.String()+` [{"added": {"object": "`+e.zada.ID.String()+` (owner)"}}]` || got[2] != e.alone.String()+" " {
		t.Errorf("the administration log: %q", got)
	}
	trail := e.deeds(t, map[string]string{e.zada.ID.String(): "zada", e.bob.ID.String(): "bob", e.shared.String(): "shared", e.alone.String(): "alone"})
	for _, want := range []string{
		"role_changed nobody bob from=administrator room=shared to=owner", "room_deleted nobody alone reason=erased",
		"person_erased nobody zada files=3 recordings=2 rooms=1",
	} {
		if !slices.Contains(trail, want) {
			t.Errorf("%s is not in %q", want, trail)
		}
	}
	if n := e.count(t, `SELECT count(*) FROM meetd.announcement WHERE type = 'recording.deleted'`); n != 2 {
		t.Errorf("%d announcements", n)
	}
	if _, said, err := e.verify(t, ""); err != nil {
		t.Errorf("%s %v", said, err)
	}
	if _, err := e.eraseBy(t, e.zada.ID.String(), app.EraseOptions{}); err == nil || !strings.Contains(err.Error(), "no account has") {
		t.Errorf("again: %v", err)
	}
	if got := e.request(t, e.zada, "GET", "/api/v1.0/users/me/", "", nil); got.Status != 401 {
		t.Errorf("the session works: %d", got.Status)
	}
}

// What is on legal hold prevents everything, or stays.
func TestEraseHeld(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	e.putOnHold(t, e.film)
	e.putOnHold(t, e.inAlone)
	before := e.tables(t)
	r, err := e.eraseBy(t, "sub-"+sentinel, app.EraseOptions{Transfer: true})
	if err == nil || len(r.Blocked) != 2 || r.Done {
		t.Errorf("held: %+v %v", r, err)
	}
	same(t, before, e.tables(t))
	r, err = e.eraseBy(t, "sub-"+sentinel, app.EraseOptions{Transfer: true, ExceptHeld: true})
	if err != nil || !r.Done {
		t.Fatalf("%+v %v", r, err)
	}
	for _, id := range []uuid.UUID{e.film, e.inAlone} {
		if s1(t, e.service, `SELECT status FROM meet_recording WHERE id = $1`, id) != "saved" {
			t.Errorf("%s is gone", id)
		}
	}
	if n := e.count(t, `SELECT count(*) FROM meet_room WHERE resource_id = $1`, e.alone); n != 1 {
		t.Error("the room of a held recording is gone")
	}
	kept := 0
	for _, k := range r.Kept {
		if strings.Contains(k.Why, "on legal hold") {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("kept: %+v", r.Kept)
	}
}

// A room that others use is deleted only when that was said.
func TestEraseShared(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	e.exec(t, `UPDATE meet_recording SET room_id = $1 WHERE id = $2`, e.alone, e.inBob) // bob owns a recording in a room of zada's
	r, err := e.eraseBy(t, "sub-"+sentinel, app.EraseOptions{Transfer: true})
	if err == nil || len(r.Blocked) != 1 || r.Blocked[0].ID != e.alone {
		t.Errorf("a recording of somebody else: %+v %v", r, err)
	}
	r, err = e.eraseBy(t, "sub-"+sentinel, app.EraseOptions{DeleteShared: true})
	if err != nil || !r.Done || len(r.Changed) != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if n := e.count(t, `SELECT count(*) FROM meet_room WHERE resource_id IN ($1, $2)`, e.alone, e.shared); n != 0 {
		t.Errorf("%d rooms are left", n)
	}
	if n := e.count(t, `SELECT count(*) FROM meet_recording WHERE id = $1`, e.inBob); n != 0 {
		t.Error("the recording is left")
	}
}

// Two who erase the same person, and two owners of a room who are erased at once:
// the room goes with the last one.
func TestEraseAtOnce(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	var rooms []uuid.UUID
	a, b := s.login(t, "a"), s.login(t, "b")
	for range 20 {
		room := s.room(t, a)
		s.role(t, room, b, "owner")
		rooms = append(rooms, room)
	}
	var wg sync.WaitGroup
	done := make(chan string, 6)
	for _, who := range []account{a, b, a, b, a, b} {
		wg.Go(func() {
			r, err := s.eraseBy(t, who.ID.String(), app.EraseOptions{})
			switch {
			case err == nil && r.Done:
				done <- "done"
			case err != nil && strings.Contains(err.Error(), "no account has"):
				done <- "nobody"
			default:
				done <- fmt.Sprint(r, err)
			}
		})
	}
	wg.Wait()
	close(done)
	got := slices.Sorted(func(yield func(string) bool) {
		for d := range done {
			if !yield(d) {
				return
			}
		}
	})
	if strings.Join(got, " ") != "done done nobody nobody nobody nobody" {
		t.Errorf("%q", got)
	}
	if n := s.count(t, `SELECT (SELECT count(*) FROM meet_room) + (SELECT count(*) FROM meet_user)`); n != 0 {
		t.Errorf("%d rooms and accounts of %d are left", n, len(rooms))
	}
}

// What somebody gets while he is being erased goes too.
func TestEraseLooksAgain(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	zada, bob := s.login(t, "zada"), s.login(t, "bob")
	room := s.room(t, zada)
	s.role(t, room, bob, "owner")
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context()) //nolint:errcheck // it is committed, or the test failed
	if _, err := tx.Exec(t.Context(), `SELECT FROM meet_room WHERE resource_id = $1 FOR UPDATE`, room); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.eraseBy(t, "sub-zada", app.EraseOptions{})
		done <- err
	}()
	eventually(t, "the erasure waits for the room", func() bool {
		return s.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	})
	late, film := s.room(t, zada), s.recording(t, screen, "saved", roles{zada: "owner"})
	s.exec(t, `UPDATE meet_recording SET room_id = $1 WHERE id = $2`, late, film)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := s.count(t, `SELECT (SELECT count(*) FROM meet_room WHERE resource_id = $1) + (SELECT count(*) FROM meet_recording WHERE id = $2)`, late, film); n != 0 {
		t.Errorf("%d of a room and a recording are left", n)
	}
}

// Who is meant has to be clear, and nobody else is touched whose address is alike.
func TestEraseWhom(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	bo, jimbo, twin := s.login(t, "bo"), s.login(t, "jimbo"), s.login(t, "twin")
	s.exec(t, `UPDATE meet_user SET email = 'same@example.org' WHERE id IN ($1, $2)`, jimbo.ID, twin.ID)
	s.exec(t, `INSERT INTO meet_user (password, is_superuser, id, created_at, updated_at, sub, email, language, timezone, is_device, is_staff, is_active, default_room_configuration) VALUES
		('!', false, gen_random_uuid(), now(), now(), 'jim@example.org', 'other@example.org', 'en-us', 'UTC', false, false, true, '{}'),
		('!', false, gen_random_uuid(), now(), now(), $1, 'Jim@example.org', 'en-us', 'UTC', false, false, true, '{}')`, jimbo.ID.String())
	const logged = `jimbo@example.org bo@example.org.uk x-bo@example.org bo.bo@example.org`
	s.exec(t, `INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message, user_id) VALUES (now(), 'x', $1::text, 2, $1::text, $2)`, logged, jimbo.ID)
	for who, want := range map[string]string{
		"nobody@example.org": "no account has", uuid.NewString(): "no account has", "": "no account has",
		"same@example.org": "several accounts share the e-mail", "jim@example.org": "subject of one account, and the e-mail or id of another",
		jimbo.ID.String(): "subject of one account, and the e-mail or id of another",
	} {
		if _, err := s.eraseBy(t, who, app.EraseOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", who, err)
		}
		if err := app.ExportPerson(t.Context(), s.conf, who, "", false, time.Now, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("export %q: %v", who, err)
		}
	}
	if r, err := s.eraseBy(t, "BO@example.org", app.EraseOptions{}); err != nil || r.Person != bo.ID {
		t.Errorf("%+v %v", r, err)
	}
	if got := s.lines(t, `SELECT object_repr FROM django_admin_log`); len(got) != 1 || got[0] != logged {
		t.Errorf("the log is %q", got)
	}
	if n := s.count(t, `SELECT count(*) FROM meet_user`); n != 4 {
		t.Errorf("%d accounts", n)
	}
	// What names one account in two ways is clear.
	s.exec(t, `UPDATE meet_user SET sub = 'other@example.org' WHERE email = 'other@example.org'`)
	if r, err := s.eraseBy(t, "other@example.org", app.EraseOptions{}); err != nil || !r.Done {
		t.Errorf("%+v %v", r, err)
	}
}

// An export holds what is the person's, and its report tells the rest.
func TestPersonExport(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	folder := filepath.Join(t.TempDir(), "out")
	if err := app.ExportPerson(t.Context(), e.conf, "sub-"+sentinel, folder, true, time.Now, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	read := func(name string, to any) []byte {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err == nil && to != nil {
			err = json.Unmarshal(text, to)
		}
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var data map[string][]map[string]any
	text := string(read("person.json", &data))
	for name, want := range map[string]int{
		"account": 1, "groups": 1, "permissions": 1, "rooms": 3, "recordings": 4, "files": 3, "sessions": 1, "notices": 1, "lobby": 1, "throttle": 1,
		"invitations": 3, "holds": 2, "audit": 3, "merges": 2, "admin_log": 2,
	} {
		if len(data[name]) != want {
			t.Errorf("%d %s, want %d: %v", len(data[name]), name, want, data[name])
		}
	}
	hash := sha256.Sum256([]byte(e.zada.Secret))
	for _, secret := range []string{`"password"`, "id_hash", hex.EncodeToString(hash[:]), "bob@example.org\", \"full_name"} {
		if strings.Contains(text, secret) {
			t.Errorf("person.json holds %s", secret)
		}
	}
	var report persons.Export
	read("report.json", &report)
	want := slices.DeleteFunc(slices.Clone(e.goes), func(key string) bool { return strings.Contains(key, e.inAlone.String()) })
	var got []string
	for _, f := range report.Files {
		sum := sha256.Sum256(read(f.Name, nil))
		if hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s has another hash", f.Name)
		}
		if key, ok := strings.CutPrefix(f.Name, "objects/"); ok {
			got = append(got, key)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(report.Missing) != 0 || len(report.Without) != 3 {
		t.Errorf("objects %v, want %v; %+v", got, want, report)
	}
	if err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		info, infoErr := d.Info()
		if err = errors.Join(err, infoErr); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %s", name, info.Mode())
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if err := app.ExportPerson(t.Context(), e.conf, "sub-"+sentinel, folder, false, time.Now, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("into a folder that is there: %v", err)
	}
}

// Others go on working with what is being erased: nobody waits for ever, and nobody
// is told of a deadlock.
func TestEraseWhileOthersWork(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	bob := s.login(t, "bob")
	var rooms []uuid.UUID
	for range 5 {
		rooms = append(rooms, s.room(t, bob))
	}
	var people []account
	for i := range 8 {
		p := s.login(t, fmt.Sprint("p", i))
		for _, room := range rooms {
			s.role(t, room, p, "owner")
		}
		people = append(people, p)
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	for worker := range 3 {
		wg.Go(func() {
			for i := worker; ; i++ {
				select {
				case <-over:
					return
				default:
				}
				who, room := people[i%len(people)], rooms[i%len(rooms)]
				for _, got := range []answer{
					s.write(t, bob, "/api/v1.0/resource-accesses/", fmt.Sprintf(`{"user":%q,"resource":%q,"role":"member"}`, who.ID, room)),
					s.ask(t, bob, "PATCH", "/api/v1.0/rooms/"+room.String()+"/", `{"access_level":"public"}`),
					s.start(t, who, room, `{"mode":"screen_recording"}`),
				} {
					if got.Status == 500 && !strings.Contains(string(got.Body), "recording") {
						t.Errorf("%d %s", got.Status, got.Body)
					}
				}
			}
		})
	}
	for _, p := range people {
		for done := false; !done; {
			r, err := s.eraseBy(t, p.ID.String(), app.EraseOptions{})
			if done = r.Done; !done && (err == nil || !strings.Contains(err.Error(), "others keep changing")) {
				t.Fatalf("%+v %v", r, err)
			}
		}
	}
	close(over)
	wg.Wait()
	if n := s.count(t, `SELECT (SELECT count(*) FROM meet_user) + (SELECT count(*) FROM meet_resource_access)`); n != 1+5 {
		t.Errorf("%d accounts and roles are left", n)
	}
	if strings.Contains(s.logs.String(), "deadlock") {
		t.Error("there was a deadlock")
	}
}
