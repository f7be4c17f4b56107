package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/user"
	"meetd/ports"
)

// The lists of the administration are put together here, because sqlc knows no
// query whose order and filters are chosen: from fixed pieces, by the names of
// orders and filters, and never from what was sent. A page is found by a place in
// an order that has an index, and what a search finds is bounded, so that a list
// of a million rows takes as long as one of a thousand.

const (
	// mostCounted is up to which number rows are counted, and how many a search
	// looks at.
	mostCounted = 10_000
	// listPatience is how long PostgreSQL may take for a list.
	listPatience = 5 * time.Second
	// longestCursor is what is looked at, in bytes.
	longestCursor = 4096
)

// order is one that a list can be in: the last key is unique. All keys go one way.
type order struct {
	keys []sortKey
	desc bool // it begins with the last
}

type sortKey struct{ expr, kind string }

// catalog is a list.
type catalog struct {
	columns string
	from    string
	id      string
	orders  map[string]order
	natural string
	// filters have a condition for each of their values. $now stands for the time.
	filters map[string]map[string]string
	// values are filters whose value is an argument: it stands for $value, cast to
	// the kind it must be of.
	values map[string]sortKey
	// found is a query for the ids that a search finds. $text stands for what was
	// searched, $like for a pattern of it, and $id for it as an id.
	found string
}

var flags = func(column string) map[string]string {
	return map[string]string{"yes": column, "no": "NOT " + column}
}

func ages(column string) map[string]string {
	return map[string]string{
		"today": column + " >= date_trunc('day', $now::timestamptz, 'UTC')",
		"week":  column + " >= $now::timestamptz - interval '7 days'",
		"month": column + " >= date_trunc('month', $now::timestamptz, 'UTC')",
		"year":  column + " >= date_trunc('year', $now::timestamptz, 'UTC')",
	}
}

func oneOf[T ~string](column string, values ...T) map[string]string {
	out := map[string]string{}
	for _, v := range values {
		out[string(v)] = column + " = '" + string(v) + "'"
	}
	return out
}

const limited = " LIMIT 10001" // one more than mostCounted

var userCatalog = catalog{
	columns: `u.id, u.password, u.last_login, u.is_superuser, u.created_at, u.updated_at, u.sub, u.email, u.admin_email, u.language,
		u.timezone, u.is_device, u.is_staff, u.is_active, u.full_name, u.short_name, u.default_room_access_level, '{}'::jsonb`,
	from: "meet_user u", id: "u.id", natural: "standing",
	orders: map[string]order{
		// Disabled accounts first, then superusers, staff and devices, the last
		// changed first: the order of the Django admin.
		"standing": {desc: true, keys: []sortKey{
			{"(NOT u.is_active)", "boolean"},
			{"u.is_superuser", "boolean"},
			{"u.is_staff", "boolean"},
			{"u.is_device", "boolean"},
			{"u.updated_at", "timestamptz"},
			{"u.id", "uuid"},
		}},
		"created": {desc: true, keys: []sortKey{{"u.created_at", "timestamptz"}, {"u.id", "uuid"}}},
		"email":   {keys: []sortKey{{`lower(coalesce(u.email, '') COLLATE "C")`, "text"}, {"u.id", "uuid"}}},
		"name":    {keys: []sortKey{{`lower(coalesce(u.full_name, '') COLLATE "C")`, "text"}, {"u.id", "uuid"}}},
	},
	filters: map[string]map[string]string{
		"is_active": flags("u.is_active"), "is_staff": flags("u.is_staff"),
		"is_superuser": flags("u.is_superuser"), "is_device": flags("u.is_device"),
	},
	found: `SELECT id FROM meet_user WHERE id = $id::uuid
		OR sub ILIKE $like OR admin_email ILIKE $like OR email ILIKE $like OR full_name ILIKE $like` + limited,
}

var groupCatalog = catalog{
	columns: "g.id, g.name, (SELECT count(*) FROM (SELECT FROM meet_user_groups m WHERE m.group_id = g.id" + limited + `) x),
		(SELECT count(*) FROM auth_group_permissions p WHERE p.group_id = g.id)`,
	from: "auth_group g", id: "g.id", natural: "name",
	orders: map[string]order{"name": {keys: []sortKey{{"g.name", "varchar"}}}},
	found:  "SELECT id FROM auth_group WHERE name ILIKE $like" + limited,
}

var roomCatalog = catalog{
	columns: "r.resource_id, r.name, coalesce(r.slug, ''), r.access_level, s.created_at",
	from:    "meet_room r JOIN meet_resource s ON s.id = r.resource_id", id: "r.resource_id", natural: "name",
	orders: map[string]order{
		"name":    {keys: []sortKey{{"r.name", "varchar"}, {"r.resource_id", "uuid"}}},
		"created": {desc: true, keys: []sortKey{{"s.created_at", "timestamptz"}, {"s.id", "uuid"}}},
	},
	filters: map[string]map[string]string{
		"access_level": oneOf("r.access_level", "public", "trusted", "restricted"),
		"created":      ages("s.created_at"),
	},
	found: "SELECT resource_id AS id FROM meet_room WHERE resource_id = $id::uuid OR name ILIKE $like OR slug ILIKE $like" + limited,
}

var recordingCatalog = catalog{
	columns: `r.id, r.status, r.mode, r.room_id, m.name, r.created_at, r.updated_at, coalesce(r.worker_id, ''),
		EXISTS (SELECT FROM meetd.recording_hold h WHERE h.recording_id = r.id)`,
	from: "meet_recording r JOIN meet_room m ON m.resource_id = r.room_id", id: "r.id", natural: "created",
	orders: map[string]order{
		"created": {desc: true, keys: []sortKey{{"r.created_at", "timestamptz"}, {"r.id", "uuid"}}},
		"status":  {keys: []sortKey{{"r.status", "varchar"}, {"r.created_at", "timestamptz"}, {"r.id", "uuid"}}},
	},
	filters: map[string]map[string]string{
		"status":  oneOf("r.status", recording.Statuses()...),
		"mode":    oneOf("r.mode", recording.ScreenRecording, recording.Transcript),
		"created": ages("r.created_at"),
	},
	values: map[string]sortKey{"room": {"r.room_id = $value", "uuid"}},
	found: `SELECT id FROM (
		(SELECT id FROM meet_recording WHERE id = $id::uuid)
		UNION (SELECT id FROM meet_recording WHERE worker_id = $text` + limited + `)
		UNION (SELECT id FROM meet_recording WHERE status = $text` + limited + `)
		UNION (SELECT r.id FROM meet_recording r WHERE r.room_id = $id::uuid` + limited + `)
		UNION (SELECT r.id FROM meet_recording r WHERE r.room_id IN (SELECT resource_id FROM meet_room WHERE slug ILIKE $like` + limited + `)` + limited + `)
		UNION (SELECT a.recording_id FROM meet_recording_access a WHERE a.user_id IN (SELECT u.id FROM meet_user u WHERE u.email ILIKE $like` + limited + `)` + limited + `)
		) f` + limited,
}

var logCatalog = catalog{
	columns: `l.id, l.action_time, l.user_id, coalesce(nullif(u.email, ''), nullif(u.admin_email, ''), u.id::text),
		coalesce(t.app_label || '.' || t.model, ''), coalesce(l.object_id, ''), l.object_repr, l.action_flag, l.change_message`,
	from: `django_admin_log l JOIN meet_user u ON u.id = l.user_id LEFT JOIN django_content_type t ON t.id = l.content_type_id`,
	id:   "l.id", natural: "id",
	orders:  map[string]order{"id": {desc: true, keys: []sortKey{{"l.id", "integer"}}}},
	filters: map[string]map[string]string{"action": {"added": "l.action_flag = 1", "changed": "l.action_flag = 2", "deleted": "l.action_flag = 3"}},
	values: map[string]sortKey{
		"object": {"l.object_id = $value", "text"}, "model": {"t.app_label || '.' || t.model = $value", "text"}, "user": {"l.user_id = $value", "uuid"},
	},
}

// args collects arguments and gives their names.
type args struct{ list []any }

func (a *args) add(v any) string {
	a.list = append(a.list, v)
	return fmt.Sprintf("$%d", len(a.list))
}

// conditions are those of the filters and of the search, and the query of the
// latter as a WITH clause.
func (c catalog) conditions(l ports.Listing, a *args) (with string, where []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(c.filters)) {
		condition, ok := c.filters[name][l.Filters[name]]
		if !ok {
			continue
		}
		if strings.Contains(condition, "$now") {
			condition = strings.ReplaceAll(condition, "$now", a.add(l.Now))
		}
		where = append(where, condition)
	}
	for _, name := range slices.Sorted(maps.Keys(c.values)) {
		v, value := c.values[name], l.Filters[name]
		if value == "" {
			continue
		}
		if _, err := uuid.Parse(value); v.kind == "uuid" && err != nil {
			return "", nil, fault.About(fault.Invalid, "cursor", name)
		}
		where = append(where, strings.ReplaceAll(v.expr, "$value", a.add(value)+"::text::"+v.kind))
	}
	if text := strings.TrimSpace(l.Search); text != "" && c.found != "" {
		var id *string
		if parsed, err := uuid.Parse(text); err == nil {
			canonical := parsed.String()
			id = &canonical
		}
		found := c.found
		for _, p := range []struct {
			name  string
			value any
		}{{"$id", id}, {"$text", text}, {"$like", pattern(text)}} {
			if strings.Contains(found, p.name) { // PostgreSQL refuses an argument that is not used
				found = strings.ReplaceAll(found, p.name, a.add(p.value)+"::text")
			}
		}
		with = "WITH found AS MATERIALIZED (" + found + ") "
		where = append(where, c.id+" IN (SELECT id FROM found)")
	}
	return with, where, nil
}

// pattern finds a text anywhere; a short one at the beginning of words only, since
// trigrams find nothing else of it.
func pattern(text string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
	if utf8.RuneCountInString(text) < 3 {
		return escaped + "%"
	}
	return "%" + escaped + "%"
}

func joined(where []string) string {
	if len(where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(where, " AND ")
}

// list asks for a page; scan reads one row, up to the keys.
func list[T any](ctx context.Context, c conn, cat catalog, l ports.Listing, scan func(pgx.Rows, *[]string) (T, error)) (ports.Listed[T], error) {
	var out ports.Listed[T]
	err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		// The rest of the service plans once for all values; here the values decide.
		if _, err := tx.Exec(ctx, fmt.Sprintf(
			"SET LOCAL statement_timeout = %d; SET LOCAL plan_cache_mode = force_custom_plan; SET TRANSACTION READ ONLY", listPatience.Milliseconds(),
		)); err != nil {
			return err
		}
		if err := count(ctx, tx, cat, l, &out.Count, &out.More, &out.Partial); err != nil || out.Count == 0 && !out.More {
			return err
		}
		return page(ctx, tx, cat, l, &out, scan)
	})
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "57014" && ctx.Err() == nil:
		return out, fault.Wrap(fault.Invalid, "list_slow", err)
	case errors.As(err, &pg) && pg.Code[:2] == "22":
		return out, fault.Wrap(fault.Invalid, "cursor", err)
	}
	return out, translate(err, "list")
}

func count(ctx context.Context, tx pgx.Tx, cat catalog, l ports.Listing, n *int, more, partial *bool) error {
	var a args
	with, where, err := cat.conditions(l, &a)
	if err != nil {
		return err
	}
	found := "0"
	if with != "" {
		found = "(SELECT count(*) FROM found)"
	}
	var matches int
	if err := tx.QueryRow(ctx, with+"SELECT (SELECT count(*) FROM (SELECT FROM "+cat.from+joined(where)+limited+") x), "+found, a.list...).
		Scan(n, &matches); err != nil {
		return err //nolint:wrapcheck // translated by the caller
	}
	*more, *partial = *n > mostCounted, matches > mostCounted
	*n = min(*n, mostCounted)
	return nil
}

func page[T any](ctx context.Context, tx pgx.Tx, cat catalog, l ports.Listing, out *ports.Listed[T], scan func(pgx.Rows, *[]string) (T, error)) error {
	var a args
	with, where, err := cat.conditions(l, &a)
	if err != nil {
		return err
	}
	name := l.Sort
	o, ok := cat.orders[name]
	if !ok {
		name = cat.natural
		o = cat.orders[name]
	}
	place, err := parsePlace(l.Cursor, name, len(o.keys))
	if err != nil {
		return err
	}
	down := o.desc != l.Reverse != (l.Back && place != nil)
	way, compare := "ASC", " > "
	if down {
		way, compare = "DESC", " < "
	}
	exprs, texts, orders, at := make([]string, len(o.keys)), make([]string, len(o.keys)), make([]string, len(o.keys)), make([]string, len(o.keys))
	for i, k := range o.keys {
		exprs[i], texts[i], orders[i] = k.expr, "("+k.expr+")::text", k.expr+" "+way
		if place != nil {
			at[i] = a.add(place[i]) + "::text::" + k.kind
		}
	}
	if place != nil {
		where = append(where, "("+strings.Join(exprs, ", ")+")"+compare+"("+strings.Join(at, ", ")+")")
	}
	rows, err := tx.Query(ctx, with+"SELECT "+cat.columns+", ARRAY["+strings.Join(texts, ", ")+"] FROM "+cat.from+joined(where)+
		" ORDER BY "+strings.Join(orders, ", ")+fmt.Sprintf(" LIMIT %d", l.Size+1), a.list...)
	if err != nil {
		return err //nolint:wrapcheck // translated by the caller
	}
	defer rows.Close()
	var places [][]string
	for rows.Next() {
		var keys []string
		row, err := scan(rows, &keys)
		if err != nil {
			return err
		}
		out.Rows, places = append(out.Rows, row), append(places, keys)
	}
	if err := rows.Err(); err != nil {
		return err //nolint:wrapcheck // translated by the caller
	}
	further := len(out.Rows) > l.Size
	if further {
		out.Rows, places = out.Rows[:l.Size], places[:l.Size]
	}
	before, after := place != nil, further
	if l.Back && place != nil {
		slices.Reverse(out.Rows)
		slices.Reverse(places)
		before, after = further, true
	}
	if len(places) == 0 {
		return nil
	}
	if before {
		out.Previous = writePlace(name, places[0])
	}
	if after {
		out.Next = writePlace(name, places[len(places)-1])
	}
	return nil
}

// writePlace writes a place in an order as it stands in addresses.
func writePlace(name string, keys []string) string {
	text, _ := json.Marshal(append([]string{name}, keys...)) //nolint:errchkjson // texts
	return base64.RawURLEncoding.EncodeToString(text)
}

// parsePlace reads it back. One of another order is of no use.
func parsePlace(cursor, name string, keys int) ([]string, error) {
	if cursor == "" {
		return nil, nil
	}
	var place []string
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(text, &place)
	}
	if err != nil || len(cursor) > longestCursor || len(place) != keys+1 || place[0] != name {
		return nil, fault.New(fault.Invalid, "cursor")
	}
	return place[1:], nil
}

type adminLists struct{ c conn }

func (r adminLists) Users(ctx context.Context, l ports.Listing) (ports.Listed[user.Account], error) {
	return list(ctx, r.c, userCatalog, l, func(rows pgx.Rows, keys *[]string) (user.Account, error) {
		var u db.MeetUser
		if err := rows.Scan(&u.ID, &u.Password, &u.LastLogin, &u.IsSuperuser, &u.CreatedAt, &u.UpdatedAt, &u.Sub, &u.Email, &u.AdminEmail,
			&u.Language, &u.Timezone, &u.IsDevice, &u.IsStaff, &u.IsActive, &u.FullName, &u.ShortName, &u.DefaultRoomAccessLevel,
			&u.DefaultRoomConfiguration, keys); err != nil {
			return user.Account{}, err //nolint:wrapcheck // translated by list
		}
		return *toAccount(u), nil
	})
}

func (r adminLists) Groups(ctx context.Context, l ports.Listing) (ports.Listed[ports.GroupLine], error) {
	return list(ctx, r.c, groupCatalog, l, func(rows pgx.Rows, keys *[]string) (x ports.GroupLine, err error) {
		return x, rows.Scan(&x.ID, &x.Name, &x.Members, &x.Permissions, keys)
	})
}

func (r adminLists) Rooms(ctx context.Context, l ports.Listing) (ports.Listed[ports.RoomLine], error) {
	out, err := list(ctx, r.c, roomCatalog, l, func(rows pgx.Rows, keys *[]string) (x ports.RoomLine, err error) {
		return x, rows.Scan(&x.ID, &x.Name, &x.Slug, &x.AccessLevel, &x.CreatedAt, keys)
	})
	if err != nil {
		return out, err
	}
	ids := make([]uuid.UUID, len(out.Rows))
	for i, x := range out.Rows {
		ids[i] = x.ID
	}
	owners, err := r.owners(ctx, "meet_resource_access", "resource_id", ids)
	for i := range out.Rows {
		o := owners[ids[i]]
		out.Rows[i].Owner, out.Rows[i].Owners = o.name, o.count
	}
	return out, err
}

func (r adminLists) Recordings(ctx context.Context, l ports.Listing) (ports.Listed[ports.RecordingLine], error) {
	out, err := list(ctx, r.c, recordingCatalog, l, func(rows pgx.Rows, keys *[]string) (x ports.RecordingLine, err error) {
		return x, rows.Scan(&x.ID, &x.Status, &x.Mode, &x.RoomID, &x.Room, &x.CreatedAt, &x.UpdatedAt, &x.WorkerID, &x.Held, keys)
	})
	if err != nil {
		return out, err
	}
	ids := make([]uuid.UUID, len(out.Rows))
	for i, x := range out.Rows {
		ids[i] = x.ID
	}
	owners, err := r.owners(ctx, "meet_recording_access", "recording_id", ids)
	for i := range out.Rows {
		o := owners[ids[i]]
		out.Rows[i].Owner, out.Rows[i].Owners = o.name, o.count
	}
	return out, err
}

type ownership struct {
	name  string
	count int
}

// owners names the owners of a page of rooms or recordings. table and column are
// constants of this file.
func (r adminLists) owners(ctx context.Context, table, column string, ids []uuid.UUID) (map[uuid.UUID]ownership, error) {
	out := map[uuid.UUID]ownership{}
	team := "''"
	if table == "meet_recording_access" {
		team = "a.team"
	}
	rows, err := r.c.Query(ctx, "SELECT a."+column+", count(*), min(coalesce(nullif(u.email, ''), nullif(u.admin_email, ''), u.id::text, "+team+`))
		FROM `+table+" a LEFT JOIN meet_user u ON u.id = a.user_id WHERE a."+column+" = ANY ($1::uuid[]) AND a.role = 'owner' GROUP BY 1", ids)
	if err != nil {
		return nil, translate(err, "owners")
	}
	defer rows.Close()
	for rows.Next() {
		var (
			id uuid.UUID
			o  ownership
		)
		if err := rows.Scan(&id, &o.count, &o.name); err != nil {
			return nil, translate(err, "owners")
		}
		out[id] = o
	}
	return out, translate(rows.Err(), "owners")
}

func (r adminLists) Log(ctx context.Context, l ports.Listing) (ports.Listed[ports.LogEntry], error) {
	return list(ctx, r.c, logCatalog, l, func(rows pgx.Rows, keys *[]string) (x ports.LogEntry, err error) {
		return x, rows.Scan(&x.ID, &x.At, &x.By, &x.ByName, &x.Model, &x.Object, &x.Name, &x.Flag, &x.Message, keys)
	})
}

func (r adminLists) Stuck(ctx context.Context, before time.Time, most int) ([]ports.RecordingLine, error) {
	rows, err := q.RecordingsStuck(ctx, r.c, db.RecordingsStuckParams{Before: before, Most: int32(most)}) //nolint:gosec // a page is small
	out := make([]ports.RecordingLine, len(rows))
	for i, row := range rows {
		out[i] = ports.RecordingLine{
			ID: row.ID, RoomID: row.RoomID, Room: row.Room, Status: recording.Status(row.Status), Mode: recording.Mode(row.Mode),
			WorkerID: orEmpty(row.WorkerID), CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
			Egress: recording.EgressStatus(orEmpty(row.Egress)), Unsure: row.Unsure,
		}
		if row.LookAt != nil {
			out[i].LookAt = *row.LookAt
		}
	}
	return out, translate(err, "recording")
}

func (r adminLists) OfAccount(ctx context.Context, id uuid.UUID, now time.Time) (ports.AccountBelongings, error) {
	b, err := q.AccountBelongings(ctx, r.c, db.AccountBelongingsParams{ID: &id, Now: now})
	return ports.AccountBelongings{
		Rooms: int(b.Rooms), Orphans: int(b.Orphans), Recordings: int(b.Recordings), Files: int(b.Files), Entries: int(b.Entries), Sessions: int(b.Sessions),
	}, translate(err, "user")
}

func (r adminLists) OfRoom(ctx context.Context, id uuid.UUID) (ports.RoomBelongings, error) {
	b, err := q.RoomBelongings(ctx, r.c, id)
	return ports.RoomBelongings{Accesses: int(b.Accesses), Recordings: int(b.Recordings), Held: int(b.Held)}, translate(err, "room")
}
