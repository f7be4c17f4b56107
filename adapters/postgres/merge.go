package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

const (
	// mergeLock is the advisory lock of a merge: "merge" in ASCII.
	mergeLock = 0x6d65726765
	// mergePatience is how long to wait for that lock: as long as the server may
	// need to notice that a merge was killed.
	mergePatience = "3s"
	// mergeYield is how long a merge waits for a row. It is shorter than
	// PostgreSQL's deadlock_timeout: in a deadlock with a request it is the merge
	// that gives up, and tries again.
	mergeYield = "500ms"
)

// Merges keeps the merges of accounts.
type Merges struct{ Pool *pgxpool.Pool }

var _ ports.AccountMerges = Merges{}

// Addresses lists the addresses that more than one account has.
func (m Merges) Addresses(ctx context.Context, s ports.MergeScope) ([]string, error) {
	addresses, err := q.MergeAddresses(ctx, m.Pool, db.MergeAddressesParams{Exact: s.Exact, EmailFilter: s.EmailFilter})
	return addresses, mergeError(err)
}

// Accounts reads all accounts of these addresses.
func (m Merges) Accounts(ctx context.Context, s ports.MergeScope, addresses []string) ([]user.Duplicates, error) {
	rows, err := q.MergeAccounts(ctx, m.Pool, db.MergeAccountsParams{Addresses: addresses, Exact: s.Exact})
	if err != nil {
		return nil, mergeError(err)
	}
	accounts := make([]user.Duplicate, len(rows))
	for i, r := range rows {
		accounts[i] = user.Duplicate{
			ID: r.ID, CreatedAt: r.CreatedAt, Email: r.Email, Sub: r.Sub, AdminEmail: r.AdminEmail, LastLogin: r.LastLogin,
			Active: r.IsActive, Staff: r.IsStaff, Superuser: r.IsSuperuser,
			Preferences: user.Preferences{
				Language: r.Language, Timezone: r.Timezone, RoomConfiguration: r.DefaultRoomConfiguration,
			},
			Rooms: int(r.Rooms), Recordings: int(r.Recordings), Files: int(r.Files),
		}
		if r.DefaultRoomAccessLevel != nil {
			accounts[i].RoomAccessLevel = *r.DefaultRoomAccessLevel
		}
	}
	return grouped(s, addresses, accounts), nil
}

// grouped puts accounts together by their addresses. An address with one account
// is left out.
func grouped(s ports.MergeScope, addresses []string, accounts []user.Duplicate) []user.Duplicates {
	of := make(map[string][]user.Duplicate, len(addresses))
	for _, a := range accounts {
		address := a.Email
		if !s.Exact {
			address = user.FoldEmail(address)
		}
		of[address] = append(of[address], a)
	}
	groups := make([]user.Duplicates, 0, len(addresses))
	for _, address := range addresses {
		if len(of[address]) > 1 {
			groups = append(groups, user.Sort(address, of[address], s.Keep))
		}
	}
	return groups
}

// Alone runs fn while nobody else merges. Everything is done on the connection
// that holds the lock, so that nothing is done after the lock is lost.
func (m Merges) Alone(ctx context.Context, fn func(ports.MergeRun) error) error {
	pooled, err := m.Pool.Acquire(ctx)
	if err != nil {
		return mergeError(err)
	}
	c := pooled.Hijack() // its lock and settings end with it
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	for _, statement := range []string{
		`SET lock_timeout = '` + mergePatience + `'`,
		`SELECT pg_advisory_lock(` + strconv.Itoa(mergeLock) + `)`,
		`SET lock_timeout = '` + mergeYield + `'`,
		`SET statement_timeout = 0`,
		`SET jit = off`, // costs more than it gains in short statements
	} {
		if _, err := c.Exec(ctx, statement); err != nil {
			if sqlState(err) == lockNotAvailable {
				return fault.New(fault.Conflict, "merge_running")
			}
			return mergeError(err)
		}
	}
	return fn(mergeRun{c})
}

const lockNotAvailable = "55P03"

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// mergeError is translate for the words of an operator: what PostgreSQL says of
// an account is shown as it is.
func mergeError(err error) error {
	switch state := sqlState(err); {
	case err == nil:
		return nil
	case state == lockNotAvailable || state == "40P01" || state == "40001":
		return fault.Wrap(fault.Conflict, "account_locked", err)
	case state == "" || state[:2] == "08" || state[:2] == "53" || state[:2] == "57":
		return translate(err, "merge of accounts")
	}
	return err
}

type mergeRun struct{ c *pgx.Conn }

var _ ports.MergeRun = mergeRun{}

func (r mergeRun) Unfinished(ctx context.Context, s ports.MergeScope) (int64, error) {
	id, err := q.MergeJournalUnfinished(ctx, r.c, db.MergeJournalUnfinishedParams{
		Keep: string(s.Keep), Exact: s.Exact, EmailFilter: s.EmailFilter,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, fault.New(fault.NotFound, "merge_journal")
	}
	return id, mergeError(err)
}

func (r mergeRun) Begin(ctx context.Context, s ports.MergeScope, now time.Time) (int64, error) {
	id, err := q.MergeJournalInsert(ctx, r.c, db.MergeJournalInsertParams{
		Keep: string(s.Keep), Exact: s.Exact, EmailFilter: s.EmailFilter, StartedAt: now,
	})
	return id, mergeError(err)
}

func (r mergeRun) Merge(
	ctx context.Context, journal int64, s ports.MergeScope, addresses []string, now time.Time, plan ports.PlanMerge,
) (done []user.Merge, err error) {
	err = pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		groups, err := lockGroups(ctx, tx, s, addresses)
		if err != nil || len(groups) == 0 {
			return err
		}
		rooms, recordings, err := lockGrants(ctx, tx, groups)
		if err != nil {
			return err
		}
		done = make([]user.Merge, len(groups))
		for i, g := range groups {
			done[i] = plan(g, rooms[i], recordings[i])
		}
		return apply(ctx, tx, journal, done, now)
	})
	if err != nil {
		return nil, mergeError(err)
	}
	return done, nil
}

// lockGroups reads the accounts that have these addresses now. Whoever waits for
// them waits until the merge is over: also those who want to give them something.
func lockGroups(ctx context.Context, tx pgx.Tx, s ports.MergeScope, addresses []string) ([]user.Duplicates, error) {
	rows, err := q.MergeAccountsForUpdate(ctx, tx, db.MergeAccountsForUpdateParams{Addresses: addresses, Exact: s.Exact})
	if err != nil {
		return nil, err
	}
	accounts := make([]user.Duplicate, len(rows))
	for i, a := range rows {
		accounts[i] = user.Duplicate{ID: a.ID, CreatedAt: a.CreatedAt, Email: a.Email, Sub: a.Sub}
	}
	return grouped(s, addresses, accounts), nil
}

// lockGrants reads the accesses of the accounts of each group.
func lockGrants(ctx context.Context, tx pgx.Tx, groups []user.Duplicates) (rooms, recordings [][]access.Grant, err error) {
	group := map[uuid.UUID]int{}
	var accounts []uuid.UUID
	for i, g := range groups {
		for _, id := range append(g.StaleIDs(), g.Survivor.ID) {
			group[id] = i
			accounts = append(accounts, id)
		}
	}
	rooms, recordings = make([][]access.Grant, len(groups)), make([][]access.Grant, len(groups))
	inRooms, err := q.MergeRoomGrantsForUpdate(ctx, tx, accounts)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range inRooms {
		i := group[a.UserID]
		rooms[i] = append(rooms[i], access.Grant{ID: a.ID, Account: a.UserID, Object: a.ObjectID, Role: access.Role(a.Role)})
	}
	ofRecordings, err := q.MergeRecordingGrantsForUpdate(ctx, tx, accounts)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range ofRecordings {
		i := group[a.UserID]
		recordings[i] = append(recordings[i], access.Grant{ID: a.ID, Account: a.UserID, Object: a.ObjectID, Role: access.Role(a.Role)})
	}
	return rooms, recordings, nil
}

// changes are columns of what changes, for many groups.
type changes struct {
	groups []int64
	ids    []uuid.UUID // of the rows
	kinds  []string
	users  []uuid.UUID // whose it was
	object []*uuid.UUID
	before []*string
	after  []*string
	owners []uuid.UUID // whose it will be
}

func (c *changes) add(group int64, id uuid.UUID, kind string, account uuid.UUID, object *uuid.UUID, before, after *string, owner uuid.UUID) {
	c.groups, c.ids, c.kinds = append(c.groups, group), append(c.ids, id), append(c.kinds, kind)
	c.users, c.object = append(c.users, account), append(c.object, object)
	c.before, c.after, c.owners = append(c.before, before), append(c.after, after), append(c.owners, owner)
}

func (c *changes) addGrants(group int64, kind string, grants []access.Change) {
	for _, g := range grants {
		before, after := string(g.Before.Role), string(g.After.Role)
		c.add(group, g.Before.ID, kind, g.Before.Account, &g.Before.Object, &before, &after, g.After.Account)
	}
}

// The kinds of what a journal holds: what changed, and what was deleted.
const (
	itemSub       = "sub"
	itemEmail     = "email"
	itemRoom      = "room"
	itemRecording = "recording"

	itemAccount         = "account"
	itemRoomAccess      = "room_access"
	itemRecordingAccess = "recording_access"
	itemGroup           = "group"
	itemPermission      = "permission"
	itemLog             = "log"
)

// The statements that follow change many rows and note them in the journal at
// once. sqlc does not understand whole rows and what a DELETE in a WITH returns.
const (
	// noteChanges writes down what mergeRun itself knows.
	noteChanges = `
		INSERT INTO meetd.merge_item (group_id, row_id, kind, user_id, object_id, before, after)
		SELECT unnest($1::bigint[]), unnest($2::uuid[]), unnest($3::text[]), unnest($4::uuid[]), unnest($5::uuid[]), unnest($6::text[]), unnest($7::text[])`
	changeRooms = `
		UPDATE meet_resource_access a SET user_id = w.owner, role = w.role
		FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::uuid[]) AS owner, unnest($3::text[]) AS role) w
		WHERE a.id = w.id`
	changeRecordings = `
		UPDATE meet_recording_access a SET user_id = w.owner, role = w.role
		FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::uuid[]) AS owner, unnest($3::text[]) AS role) w
		WHERE a.id = w.id`
	dropRooms = `
		WITH gone AS (
			DELETE FROM meet_resource_access a USING (SELECT unnest($1::bigint[]) AS group_id, unnest($2::uuid[]) AS id) w
			WHERE a.id = w.id RETURNING w.group_id, a.user_id, a.id, a.resource_id, to_jsonb(a) AS deleted
		)
		INSERT INTO meetd.merge_item (group_id, kind, user_id, row_id, object_id, deleted)
		SELECT group_id, 'room_access', user_id, id, resource_id, deleted FROM gone`
	dropRecordings = `
		WITH gone AS (
			DELETE FROM meet_recording_access a USING (SELECT unnest($1::bigint[]) AS group_id, unnest($2::uuid[]) AS id) w
			WHERE a.id = w.id RETURNING w.group_id, a.user_id, a.id, a.recording_id, to_jsonb(a) AS deleted
		)
		INSERT INTO meetd.merge_item (group_id, kind, user_id, row_id, object_id, deleted)
		SELECT group_id, 'recording_access', user_id, id, recording_id, deleted FROM gone`
	moveFiles = `
		WITH old AS (
			SELECT f.id, w.* FROM file f
			JOIN (SELECT unnest($1::bigint[]) AS group_id, unnest($2::uuid[]) AS user_id, unnest($3::uuid[]) AS survivor) w ON w.user_id = f.creator_id
			FOR UPDATE OF f
		), moved AS (
			UPDATE file f SET creator_id = old.survivor FROM old WHERE f.id = old.id
		)
		INSERT INTO meetd.merge_item (group_id, kind, user_id, row_id, object_id) SELECT group_id, 'file', user_id, id, id FROM old`
	dropSessions = `DELETE FROM meetd.session WHERE user_id = ANY ($1)`
	dropAccounts = `
		WITH gone AS (
			DELETE FROM meet_user u USING (SELECT unnest($1::bigint[]) AS group_id, unnest($2::uuid[]) AS id) w
			WHERE u.id = w.id RETURNING w.group_id, u.id, to_jsonb(u) AS deleted
		)
		INSERT INTO meetd.merge_item (group_id, kind, user_id, row_id, deleted) SELECT group_id, 'account', id, id, deleted FROM gone`
	changeSurvivors = `
		UPDATE meet_user u SET sub = w.sub, email = w.email
		FROM (SELECT unnest($1::uuid[]) AS id, unnest($2::text[]) AS sub, unnest($3::text[]) AS email) w
		WHERE u.id = w.id`
)

// dropOwned deletes what hangs on accounts and nobody else can have.
func dropOwned(table, kind string) string {
	return `
		WITH gone AS (
			DELETE FROM ` + table + ` t USING (SELECT unnest($1::bigint[]) AS group_id, unnest($2::uuid[]) AS user_id) w
			WHERE t.user_id = w.user_id RETURNING w.group_id, t.user_id, to_jsonb(t) AS deleted
		)
		INSERT INTO meetd.merge_item (group_id, kind, user_id, deleted) SELECT group_id, '` + kind + `', user_id, deleted FROM gone`
}

// owned are the tables of what hangs on an account (database.md §3).
var owned = []struct{ kind, table string }{
	{itemGroup, "meet_user_groups"},
	{itemPermission, "meet_user_user_permissions"},
	{itemLog, "django_admin_log"},
}

// apply does what was planned, and notes it.
func apply(ctx context.Context, tx pgx.Tx, journal int64, merges []user.Merge, now time.Time) error {
	group, err := noteGroups(ctx, tx, journal, merges, now)
	if err != nil {
		return err
	}
	var rooms, recordings, notes changes // notes: of the survivors
	var staleGroups, roomGroups, recordingGroups []int64
	var stale, staleSurvivors, droppedRooms, droppedRecordings, survivors []uuid.UUID
	var subs, emails []*string
	for _, m := range merges {
		id, survivor := group[m.Survivor.ID], m.Survivor.ID
		for _, s := range m.Stale {
			staleGroups, stale, staleSurvivors = append(staleGroups, id), append(stale, s.ID), append(staleSurvivors, survivor)
		}
		rooms.addGrants(id, itemRoom, m.ChangedRooms)
		recordings.addGrants(id, itemRecording, m.ChangedRecordings)
		for _, g := range m.DroppedRooms {
			roomGroups, droppedRooms = append(roomGroups, id), append(droppedRooms, g.ID)
		}
		for _, g := range m.DroppedRecordings {
			recordingGroups, droppedRecordings = append(recordingGroups, id), append(droppedRecordings, g.ID)
		}
		newSub, newEmail := !same(m.Survivor.Sub, m.Sub), m.Survivor.Email != m.Address
		if newSub {
			notes.add(id, survivor, itemSub, survivor, nil, m.Survivor.Sub, m.Sub, survivor)
		}
		if newEmail {
			notes.add(id, survivor, itemEmail, survivor, nil, &m.Survivor.Email, &m.Address, survivor)
		}
		if newSub || newEmail {
			survivors, subs, emails = append(survivors, survivor), append(subs, m.Sub), append(emails, &m.Address)
		}
	}
	var b pgx.Batch
	for _, c := range []struct {
		changes
		statement string
	}{{rooms, changeRooms}, {recordings, changeRecordings}} {
		if len(c.ids) > 0 {
			b.Queue(c.statement, c.ids, c.owners, c.after)
		}
	}
	for _, c := range []changes{rooms, recordings, notes} {
		if len(c.ids) > 0 {
			b.Queue(noteChanges, c.groups, c.ids, c.kinds, c.users, c.object, c.before, c.after)
		}
	}
	if len(droppedRooms) > 0 {
		b.Queue(dropRooms, roomGroups, droppedRooms)
	}
	if len(droppedRecordings) > 0 {
		b.Queue(dropRecordings, recordingGroups, droppedRecordings)
	}
	b.Queue(moveFiles, staleGroups, stale, staleSurvivors)
	for _, o := range owned {
		b.Queue(dropOwned(o.table, o.kind), staleGroups, stale)
	}
	b.Queue(dropSessions, stale)
	b.Queue(dropAccounts, staleGroups, stale)
	if len(survivors) > 0 { // after the accounts: a subject and a pending address are unique
		b.Queue(changeSurvivors, survivors, subs, emails)
	}
	return tx.SendBatch(ctx, &b).Close()
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// noteGroups writes the groups into the journal and tells their ids there by
// their survivors.
func noteGroups(ctx context.Context, tx pgx.Tx, journal int64, merges []user.Merge, now time.Time) (map[uuid.UUID]int64, error) {
	p := db.MergeGroupsInsertParams{JournalID: journal, MergedAt: now}
	for _, m := range merges {
		p.Addresses, p.Survivors = append(p.Addresses, m.Address), append(p.Survivors, m.Survivor.ID)
	}
	rows, err := q.MergeGroupsInsert(ctx, tx, p)
	group := make(map[uuid.UUID]int64, len(rows))
	for _, g := range rows {
		group[g.SurvivorID] = g.ID
	}
	return group, err
}

func (r mergeRun) FoldEmail(ctx context.Context, journal int64, s ports.MergeScope, address string, now time.Time) error {
	err := pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		groups, err := lockGroups(ctx, tx, s, []string{address})
		if err != nil || len(groups) == 0 || groups[0].Survivor.Email == address {
			return err
		}
		d := groups[0]
		group, err := noteGroups(ctx, tx, journal, []user.Merge{{Duplicates: d}}, now)
		if err != nil {
			return err
		}
		var c changes
		c.add(group[d.Survivor.ID], d.Survivor.ID, itemEmail, d.Survivor.ID, nil, &d.Survivor.Email, &address, d.Survivor.ID)
		var b pgx.Batch
		b.Queue(noteChanges, c.groups, c.ids, c.kinds, c.users, c.object, c.before, c.after)
		b.Queue(changeSurvivors, c.ids, []*string{d.Survivor.Sub}, c.after)
		return tx.SendBatch(ctx, &b).Close()
	})
	return mergeError(err)
}

func (r mergeRun) Finish(ctx context.Context, journal int64, now time.Time) (ports.MergeTotals, error) {
	t, err := q.MergeJournalTotals(ctx, r.c, journal)
	if err == nil {
		err = q.MergeJournalFinish(ctx, r.c, db.MergeJournalFinishParams{ID: journal, FinishedAt: &now})
	}
	if err == nil {
		err = q.MergeJournalDeleteEmpty(ctx, r.c, journal)
	}
	return ports.MergeTotals{Groups: int(t.Groups), Accounts: int(t.Accounts)}, mergeError(err)
}

func (r mergeRun) BeginUndo(ctx context.Context, journal int64, now time.Time) ([]ports.MergedGroup, error) {
	undone, err := q.MergeJournalGet(ctx, r.c, journal)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, fault.About(fault.NotFound, "merge_journal", strconv.FormatInt(journal, 10))
	case err != nil:
		return nil, mergeError(err)
	case undone != nil:
		return nil, fault.About(fault.Conflict, "merge_undone", undone.UTC().Format(time.DateTime))
	}
	later, err := q.MergeJournalLater(ctx, r.c, journal)
	if err == nil && later != 0 {
		return nil, fault.About(fault.Conflict, "merge_later", strconv.FormatInt(later, 10))
	}
	if err == nil {
		err = q.MergeJournalUndoing(ctx, r.c, db.MergeJournalUndoingParams{ID: journal, UndoStartedAt: &now})
	}
	if err != nil {
		return nil, mergeError(err)
	}
	rows, err := q.MergeGroupsToUndo(ctx, r.c, journal)
	groups := make([]ports.MergedGroup, len(rows))
	for i, g := range rows {
		groups[i] = ports.MergedGroup{ID: g.ID, Address: g.Address}
	}
	return groups, mergeError(err)
}

// The statements that undo, each for the groups $1. What cannot be given back is
// noted as skipped.
var undoStatements = []string{
	undoSurvivor("sub"),
	undoSurvivor("email"),
	// The survivor's sessions may be those of the person whose subject went back.
	`DELETE FROM meetd.session WHERE user_id IN (
		SELECT user_id FROM meetd.merge_item WHERE group_id = ANY ($1) AND kind = 'sub' AND skipped IS NULL)`,
	// What is unique and was taken meanwhile stays with who has it.
	`WITH want AS (
		SELECT i.id, i.deleted,
			EXISTS (SELECT 1 FROM meet_user u WHERE u.sub = i.deleted->>'sub') AS sub_taken,
			EXISTS (SELECT 1 FROM meet_user u WHERE u.admin_email = i.deleted->>'admin_email') AS admin_email_taken,
			EXISTS (SELECT 1 FROM meet_user u WHERE u.id = i.row_id) AS there
		FROM meetd.merge_item i WHERE i.group_id = ANY ($1) AND i.kind = 'account'
	), back AS (
		INSERT INTO meet_user
		SELECT r.* FROM want, jsonb_populate_record(NULL::meet_user, want.deleted
			|| CASE WHEN want.sub_taken THEN '{"sub": null}' ELSE '{}' END::jsonb
			|| CASE WHEN want.admin_email_taken THEN '{"admin_email": null}' ELSE '{}' END::jsonb) r
		WHERE NOT want.there
	)
	UPDATE meetd.merge_item i SET skipped = concat_ws('; ',
		CASE WHEN want.there THEN 'there is such an account again' END,
		CASE WHEN want.sub_taken AND NOT want.there THEN 'restored without its sub, which another account has' END,
		CASE WHEN want.admin_email_taken AND NOT want.there THEN 'restored without its admin_email, which another account has' END)
	FROM want WHERE i.id = want.id AND (want.there OR want.sub_taken OR want.admin_email_taken)`,
	undoChange("room", "meet_resource_access"),
	undoChange("recording", "meet_recording_access"),
	`WITH back AS (
		UPDATE file f SET creator_id = i.user_id
		FROM meetd.merge_item i JOIN meetd.merge_group g ON g.id = i.group_id
		WHERE i.group_id = ANY ($1) AND i.kind = 'file' AND f.id = i.row_id AND f.creator_id = g.survivor_id
		RETURNING i.id
	)
	UPDATE meetd.merge_item i SET skipped = CASE
		WHEN EXISTS (SELECT 1 FROM file f WHERE f.id = i.row_id) THEN 'the file has another owner' ELSE 'the file was deleted' END
	WHERE i.group_id = ANY ($1) AND i.kind = 'file' AND i.id NOT IN (SELECT id FROM back)`,
	undoDelete("room_access", "meet_resource_access", "i.deleted",
		"EXISTS (SELECT 1 FROM meet_resource o WHERE o.id = i.object_id)", "the room was deleted"),
	undoDelete("recording_access", "meet_recording_access", "i.deleted",
		"EXISTS (SELECT 1 FROM meet_recording o WHERE o.id = i.object_id)", "the recording was deleted"),
	undoDelete("group", "meet_user_groups", "i.deleted",
		"EXISTS (SELECT 1 FROM auth_group o WHERE o.id = (i.deleted->>'group_id')::int)", "the group was deleted"),
	undoDelete("permission", "meet_user_user_permissions", "i.deleted",
		"EXISTS (SELECT 1 FROM auth_permission o WHERE o.id = (i.deleted->>'permission_id')::int)", "the permission was deleted"),
	// As when a content type is deleted, the entry stays without it.
	undoDelete("log", "django_admin_log",
		"i.deleted || jsonb_build_object('content_type_id', (SELECT o.id FROM django_content_type o WHERE o.id = (i.deleted->>'content_type_id')::int))",
		"true", ""),
}

// undoSurvivor gives the survivor back what it had in a column.
func undoSurvivor(column string) string {
	return `WITH back AS (
		UPDATE meet_user u SET ` + column + ` = i.before FROM meetd.merge_item i
		WHERE i.group_id = ANY ($1) AND i.kind = '` + column + `' AND u.id = i.row_id AND u.` + column + ` IS NOT DISTINCT FROM i.after
		RETURNING i.id
	)
	UPDATE meetd.merge_item i SET skipped = CASE
		WHEN EXISTS (SELECT 1 FROM meet_user u WHERE u.id = i.row_id) THEN 'it was changed since' ELSE 'the account was deleted' END
	WHERE i.group_id = ANY ($1) AND i.kind = '` + column + `' AND i.id NOT IN (SELECT id FROM back)`
}

// undoChange gives accesses back to whose they were, with the role they had.
func undoChange(kind, table string) string {
	return `WITH back AS (
		UPDATE ` + table + ` a SET user_id = i.user_id, role = i.before
		FROM meetd.merge_item i JOIN meetd.merge_group g ON g.id = i.group_id
		WHERE i.group_id = ANY ($1) AND i.kind = '` + kind + `' AND a.id = i.row_id AND a.user_id = g.survivor_id AND a.role = i.after
		RETURNING i.id
	)
	UPDATE meetd.merge_item i SET skipped = CASE
		WHEN EXISTS (SELECT 1 FROM ` + table + ` a WHERE a.id = i.row_id) THEN 'the access was changed since' ELSE 'the access was deleted' END
	WHERE i.group_id = ANY ($1) AND i.kind = '` + kind + `' AND i.id NOT IN (SELECT id FROM back)`
}

// undoDelete puts rows back where they were, if what they are about is there.
func undoDelete(kind, table, row, there, gone string) string {
	return `WITH want AS (
		SELECT i.id, ` + row + ` AS content, ` + there + ` AS there
		FROM meetd.merge_item i WHERE i.group_id = ANY ($1) AND i.kind = '` + kind + `'
	), back AS (
		INSERT INTO ` + table + ` SELECT r.* FROM want, jsonb_populate_record(NULL::` + table + `, want.content) r
		WHERE want.there ON CONFLICT DO NOTHING RETURNING id::text
	)
	UPDATE meetd.merge_item i SET skipped = CASE WHEN want.there THEN 'there is one again' ELSE '` + gone + `' END
	FROM want WHERE i.id = want.id AND want.content->>'id' NOT IN (SELECT id FROM back)`
}

func (r mergeRun) Undo(ctx context.Context, groups []ports.MergedGroup, now time.Time) error {
	ids := make([]int64, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	err := pgx.BeginFunc(ctx, r.c, func(tx pgx.Tx) error {
		if _, err := q.MergeSurvivorsForUpdate(ctx, tx, ids); err != nil {
			return err
		}
		var b pgx.Batch
		for _, statement := range undoStatements {
			b.Queue(statement, ids)
		}
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		return q.MergeGroupsUndone(ctx, tx, db.MergeGroupsUndoneParams{Ids: ids, UndoneAt: now})
	})
	return mergeError(err)
}

func (r mergeRun) FinishUndo(ctx context.Context, journal int64, now time.Time) (ports.MergeTotals, []ports.LeftBehind, error) {
	t, err := q.MergeJournalTotals(ctx, r.c, journal)
	if err == nil {
		err = q.MergeJournalUndone(ctx, r.c, db.MergeJournalUndoneParams{ID: journal, UndoneAt: now})
	}
	if err != nil {
		return ports.MergeTotals{}, nil, mergeError(err)
	}
	rows, err := q.MergeLeftBehind(ctx, r.c, journal)
	left := make([]ports.LeftBehind, len(rows))
	for i, row := range rows {
		left[i] = ports.LeftBehind{Address: row.Address, Account: row.UserID, What: what(row), Why: row.Why}
	}
	return ports.MergeTotals{Groups: int(t.GroupsUndone), Accounts: int(t.AccountsUndone)}, left, mergeError(err)
}

// what names a row of the journal.
func what(r db.MergeLeftBehindRow) string {
	object := ""
	if r.ObjectID != nil {
		object = " " + r.ObjectID.String()
	}
	var link struct {
		ID           int64 `json:"id"`
		GroupID      int64 `json:"group_id"`
		PermissionID int64 `json:"permission_id"`
	}
	_ = json.Unmarshal(r.Deleted, &link) // other rows have other ids
	switch r.Kind {
	case itemSub, itemEmail, itemAccount:
		return r.Kind
	case itemRoom, itemRoomAccess:
		return "access to room" + object
	case itemRecording, itemRecordingAccess:
		return "access to recording" + object
	case itemGroup:
		return fmt.Sprint("membership of group ", link.GroupID)
	case itemPermission:
		return fmt.Sprint("permission ", link.PermissionID)
	case itemLog:
		return fmt.Sprint("admin log entry ", link.ID)
	}
	return r.Kind + object
}
