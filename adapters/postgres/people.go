package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/user"
	"meetd/ports"
)

type people struct{ c conn }

func (r people) Rooms(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error) {
	ids, err := q.PersonRooms(ctx, r.c, id)
	return ids, translate(err, "person")
}

// LockRooms locks in the order in which everybody does: the room, and then what
// people have roles on.
func (r people) LockRooms(ctx context.Context, ids ...uuid.UUID) error {
	_, err := q.RoomsLock(ctx, r.c, ids)
	if err == nil {
		_, err = q.ResourcesLock(ctx, r.c, ids)
	}
	return translate(err, "person")
}

func (r people) Recordings(ctx context.Context, id uuid.UUID, rooms ...uuid.UUID) ([]ports.PersonRecording, error) {
	rows, err := q.PersonRecordings(ctx, r.c, db.PersonRecordingsParams{Person: id, Rooms: rooms})
	out := make([]ports.PersonRecording, len(rows))
	for i, row := range rows {
		out[i] = ports.PersonRecording{ID: row.ID, Room: row.RoomID, Role: access.Role(row.Role), Others: row.Others}
	}
	return out, translate(err, "person")
}

func (r people) Files(ctx context.Context, id uuid.UUID) ([]ports.PersonFile, error) {
	rows, err := q.PersonFiles(ctx, r.c, id)
	out := make([]ports.PersonFile, len(rows))
	for i, row := range rows {
		out[i] = ports.PersonFile{ID: row.ID, Name: row.Filename}
	}
	return out, translate(err, "person")
}

func (r people) Lock(ctx context.Context, id uuid.UUID) error {
	_, err := q.PersonLock(ctx, r.c, id)
	return translate(err, "person")
}

// The statements that follow are not for sqlc: it knows neither whole rows nor
// River's tables, and not what is deleted inside a WITH. @id is the account,
// @identity what it is called in LiveKit, @emails are its addresses in lower case.

// theirMerges are the groups of journals that are about a person: about the
// account, and about those that were merged into it.
const theirMerges = `
	WITH RECURSIVE persons (id) AS (
		SELECT @id::uuid
		UNION
		SELECT i.user_id FROM persons p
		JOIN meetd.merge_group g ON g.survivor_id = p.id AND g.undone_at IS NULL
		JOIN meetd.merge_item i ON i.group_id = g.id AND i.kind = 'account'
	), theirs AS (
		SELECT g.id FROM meetd.merge_group g WHERE g.survivor_id IN (SELECT id FROM persons)
		UNION
		SELECT i.group_id FROM meetd.merge_item i WHERE i.user_id IN (SELECT id FROM persons)
	)`

// invited are the addresses an invitation goes to.
const invited = `jsonb_array_elements_text(CASE WHEN jsonb_typeof(j.args->'to') = 'array' THEN j.args->'to' ELSE '[]' END)`

// theirHolds are the legal holds that the person placed, by the trail, or on the
// command line under an address. Who placed an earlier one of the same recording
// did so before this one.
const theirHolds = `(lower(h.placed_by) = ANY (@emails::text[]) OR EXISTS (SELECT FROM meetd.audit_event e
	WHERE e.actor_id = @id AND e.action = 'recording_held' AND e.subject = h.recording_id::text AND e.at >= h.placed_at))`

// personData is what is told about a person. What opens something is left out:
// passwords, and what sessions are known by and hold.
var personData = []struct{ name, query string }{
	{"account", `SELECT to_jsonb(u) - 'password' || jsonb_build_object('has_password', u.password NOT LIKE '!%') FROM meet_user u WHERE u.id = @id`},
	{"groups", `SELECT jsonb_build_object('name', g.name) FROM meet_user_groups l JOIN auth_group g ON g.id = l.group_id WHERE l.user_id = @id ORDER BY g.name`},
	{"permissions", `SELECT jsonb_build_object('codename', p.codename, 'name', p.name)
		FROM meet_user_user_permissions l JOIN auth_permission p ON p.id = l.permission_id WHERE l.user_id = @id ORDER BY p.codename`},
	{"rooms", `SELECT jsonb_build_object('id', m.resource_id, 'name', m.name, 'slug', m.slug, 'access_level', m.access_level,
			'configuration', m.configuration, 'created_at', r.created_at, 'role', a.role, 'role_since', a.created_at)
		FROM meet_resource_access a JOIN meet_room m ON m.resource_id = a.resource_id JOIN meet_resource r ON r.id = a.resource_id
		WHERE a.user_id = @id ORDER BY a.created_at, a.id`},
	{"recordings", `SELECT jsonb_build_object('id', c.id, 'room', c.room_id, 'mode', c.mode, 'status', c.status, 'options', c.options,
			'created_at', c.created_at, 'role', a.role, 'role_since', a.created_at,
			'on_hold', EXISTS (SELECT FROM meetd.recording_hold h WHERE h.recording_id = c.id))
		FROM meet_recording_access a JOIN meet_recording c ON c.id = a.recording_id
		WHERE a.user_id = @id ORDER BY a.created_at, a.id`},
	{"holds", `SELECT to_jsonb(h) FROM meetd.recording_hold h WHERE ` + theirHolds + ` ORDER BY h.placed_at, h.recording_id`},
	{"files", `SELECT to_jsonb(f) FROM file f WHERE f.creator_id = @id ORDER BY f.created_at, f.id`},
	{"sessions", `SELECT jsonb_build_object('created_at', s.created_at, 'expires_at', s.expires_at, 'sub', s.sub, 'teams', to_jsonb(s.teams))
		FROM meetd.session s WHERE s.user_id = @id ORDER BY s.created_at`},
	{"notices", `SELECT to_jsonb(n) FROM meetd.notice n WHERE n.recipient = @id ORDER BY n.created_at, n.recording_id`},
	{"lobby", `SELECT to_jsonb(l) FROM meetd.lobby_entry l WHERE l.identity = @identity ORDER BY l.since`},
	{"throttle", `SELECT to_jsonb(t) FROM meetd.throttle t WHERE strpos(t.bucket, @id::text) > 0 ORDER BY t.bucket`},
	{"invitations", `SELECT j.args FROM meetd.river_job j
		WHERE j.kind = 'invite' AND (lower(j.args->>'sender') = ANY (@emails::text[]) OR EXISTS (SELECT FROM ` + invited + ` x WHERE lower(x) = ANY (@emails::text[])))
		ORDER BY j.id`},
	{"audit", `SELECT to_jsonb(e) FROM meetd.audit_event e WHERE e.actor_id = @id OR e.subject = @id::text ORDER BY e.id`},
	{"merges", theirMerges + `
		SELECT to_jsonb(i) || jsonb_build_object('address', g.address, 'merged_at', g.merged_at, 'undone_at', g.undone_at, 'deleted', i.deleted - 'password')
		FROM meetd.merge_item i JOIN meetd.merge_group g ON g.id = i.group_id WHERE g.id IN (SELECT id FROM theirs) ORDER BY i.id`},
	{"admin_log", `SELECT to_jsonb(l) FROM django_admin_log l WHERE l.user_id = @id OR l.object_id = @id::text ORDER BY l.id`},
}

func (r people) Data(ctx context.Context, u *user.User) ([]ports.PersonData, error) {
	args := about(u)
	out := make([]ports.PersonData, len(personData))
	for i, d := range personData {
		rows, err := r.c.Query(ctx, d.query, args)
		if err != nil {
			return nil, translate(err, d.name)
		}
		list, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
		if err != nil {
			return nil, translate(err, d.name)
		}
		out[i] = ports.PersonData{Name: d.name, Rows: list}
	}
	return out, nil
}

// about is what the statements know of a person.
func about(u *user.User) pgx.NamedArgs {
	emails := []string{}
	for _, address := range []*string{u.Email, u.AdminEmail} {
		if address != nil && *address != "" {
			emails = append(emails, strings.ToLower(*address))
		}
	}
	return pgx.NamedArgs{"id": u.ID, "identity": u.Identity(), "emails": emails}
}

// eraseMore removes what sqlc does not understand, each with what it is called in
// reports. Of @gone, the things that go with the person, logs keep the ids only.
var eraseMore = []struct{ name, statement string }{
	{"merge journal", theirMerges + `, items AS (DELETE FROM meetd.merge_item i USING theirs WHERE i.group_id = theirs.id)
		DELETE FROM meetd.merge_group g USING theirs WHERE g.id = theirs.id`},
	{"merge journal", `DELETE FROM meetd.merge_journal j WHERE j.finished_at IS NOT NULL AND NOT EXISTS (SELECT FROM meetd.merge_group g WHERE g.journal_id = j.id)`},
	// More of an address than its domain names somebody.
	{"merge journal", `UPDATE meetd.merge_journal j SET email_filter = '(erased)' WHERE j.email_filter <> '' AND EXISTS (
		SELECT FROM unnest(@emails::text[]) x WHERE strpos(x, lower(j.email_filter)) > 0 AND strpos('@' || split_part(x, '@', -1), lower(j.email_filter)) = 0)`},
	{"administration log", `UPDATE django_admin_log l SET object_repr = l.object_id WHERE l.object_id = ANY (@gone::text[])`},
	{"legal hold", `UPDATE meetd.recording_hold h SET placed_by = @id::text WHERE ` + theirHolds},
	{"invitation", `DELETE FROM meetd.river_job j WHERE j.kind = 'invite' AND (lower(j.args->>'sender') = ANY (@emails::text[])
		OR NOT EXISTS (SELECT FROM ` + invited + ` x WHERE lower(x) <> ALL (@emails::text[])) AND EXISTS (SELECT FROM ` + invited + `))`},
	{"invitation", `UPDATE meetd.river_job j SET args = jsonb_set(j.args, '{to}', (SELECT jsonb_agg(x) FROM ` + invited + ` x WHERE lower(x) <> ALL (@emails::text[])))
		WHERE j.kind = 'invite' AND EXISTS (SELECT FROM ` + invited + ` x WHERE lower(x) = ANY (@emails::text[]))`},
	{"error of a job", `UPDATE meetd.river_job j SET errors = '{}' WHERE j.errors IS NOT NULL
		AND EXISTS (SELECT FROM unnest(@emails::text[]) x WHERE strpos(lower(j.errors::text), x) > 0)`},
}

// eraseMentions has the id stand where others noted an address down.
const eraseMentions = `UPDATE django_admin_log l SET
		object_repr = left(regexp_replace(l.object_repr, @mention, @id::text, 'gi'), 200), change_message = regexp_replace(l.change_message, @mention, @id::text, 'gi')
	WHERE l.object_repr ~* @mention OR l.change_message ~* @mention`

func (r people) Erase(ctx context.Context, u *user.User, now time.Time, gone ...uuid.UUID) (map[string]int64, error) {
	rows := map[string]int64{}
	args := about(u)
	texts := []string{u.ID.String()}
	for _, id := range gone {
		texts = append(texts, id.String())
	}
	args["gone"] = texts
	count := func(name string, n int64, err error) error {
		if n > 0 {
			rows[name] += n
		}
		if err != nil {
			return fmt.Errorf("erase %s: %w", name, err)
		}
		return nil
	}
	for _, e := range eraseMore {
		tag, err := r.c.Exec(ctx, e.statement, args)
		if err := count(e.name, tag.RowsAffected(), err); err != nil {
			return nil, translate(err, "person")
		}
	}
	for _, address := range args["emails"].([]string) { //nolint:forcetypeassert // about says so
		// No part of another address: bo@x.org is not in jimbo@x.org.
		args["mention"] = `(?<![\w.+-])` + regexp.QuoteMeta(address) + `(?![\w@-]|\.\w)`
		tag, err := r.c.Exec(ctx, eraseMentions, args)
		if err := count("administration log", tag.RowsAffected(), err); err != nil {
			return nil, translate(err, "person")
		}
	}
	for _, e := range []struct {
		name string
		do   func() (int64, error)
	}{
		{"role on a room", func() (int64, error) { return q.PersonEraseRoomAccesses(ctx, r.c, u.ID) }},
		{"role on a recording", func() (int64, error) { return q.PersonEraseRecordingAccesses(ctx, r.c, u.ID) }},
		{"group", func() (int64, error) { return q.PersonEraseGroups(ctx, r.c, u.ID) }},
		{"permission", func() (int64, error) { return q.PersonErasePermissions(ctx, r.c, u.ID) }},
		{"administration log", func() (int64, error) { return q.PersonEraseAdminLog(ctx, r.c, u.ID) }},
		{"session", func() (int64, error) { return q.PersonEraseSessions(ctx, r.c, u.ID) }},
		{"notice", func() (int64, error) { return q.PersonEraseNotices(ctx, r.c, u.ID) }},
		{"lobby entry", func() (int64, error) { return q.PersonEraseLobby(ctx, r.c, u.Identity()) }},
		{"counter", func() (int64, error) { return q.PersonEraseThrottle(ctx, r.c, u.ID.String()) }},
		{"file", func() (int64, error) {
			return q.PersonEraseFiles(ctx, r.c, db.PersonEraseFilesParams{Now: now, Person: u.ID})
		}},
		{"account", func() (int64, error) { return q.PersonEraseAccount(ctx, r.c, u.ID) }},
	} {
		n, err := e.do()
		if err := count(e.name, n, err); err != nil {
			return nil, translate(err, "person")
		}
	}
	return rows, nil
}
