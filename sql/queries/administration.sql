-- What the administration reads and writes. Its lists are put together in
-- adapters/postgres/adminlists.go.

-- name: OperatorGet :one
-- Who is logged in with a session, as the administration has to know him.
SELECT u.id, u.email, u.admin_email, u.full_name, u.is_staff, u.is_superuser, coalesce(jsonb_typeof(s.data -> 'Notes') = 'array', false)::boolean AS noted
FROM meetd.session s
JOIN meet_user u ON u.id = s.user_id
WHERE s.id_hash = sqlc.arg(id_hash) AND s.expires_at > sqlc.arg(now) AND u.is_active;

-- name: OperatorPermissions :many
-- His own and those of his groups.
SELECT (t.app_label || '.' || p.codename)::text AS permission
FROM auth_permission p
JOIN django_content_type t ON t.id = p.content_type_id
WHERE p.id IN (
    SELECT o.permission_id FROM meet_user_user_permissions o WHERE o.user_id = sqlc.arg(account)
    UNION
    SELECT g.permission_id FROM auth_group_permissions g JOIN meet_user_groups m ON m.group_id = g.group_id WHERE m.user_id = sqlc.arg(account)
);

-- name: AccountGroups :many
SELECT group_id FROM meet_user_groups WHERE user_id = $1 ORDER BY group_id;

-- name: AccountPermissions :many
SELECT (t.app_label || '.' || p.codename)::text AS permission
FROM meet_user_user_permissions m
JOIN auth_permission p ON p.id = m.permission_id
JOIN django_content_type t ON t.id = p.content_type_id
WHERE m.user_id = $1
ORDER BY 1;

-- name: AccountLock :one
SELECT * FROM meet_user WHERE id = $1 FOR UPDATE;

-- name: AccountsLike :many
-- Two are enough to know that the text is ambiguous.
SELECT sqlc.embed(u) FROM meet_user u
WHERE u.sub = sqlc.arg(text)::text OR u.admin_email = sqlc.arg(text)::text
    OR (lower(u.email COLLATE "C") = lower(sqlc.arg(text)::text COLLATE "C") AND u.email IS NOT NULL AND u.email <> '')
LIMIT 2;

-- name: AccountInsert :exec
INSERT INTO meet_user (
    id, password, last_login, is_superuser, created_at, updated_at, sub, email, admin_email,
    language, timezone, is_device, is_staff, is_active, full_name, short_name,
    default_room_access_level, default_room_configuration
) VALUES (
    sqlc.arg(id), sqlc.arg(password), NULL, sqlc.arg(is_superuser), sqlc.arg(at), sqlc.arg(at), NULL, NULL, sqlc.arg(admin_email),
    sqlc.arg(language), sqlc.arg(timezone), sqlc.arg(is_device), sqlc.arg(is_staff), sqlc.arg(is_active), NULL, NULL,
    NULL, '{}'
);

-- name: AccountSet :exec
UPDATE meet_user SET
    password = sqlc.arg(password), admin_email = sqlc.arg(admin_email), language = sqlc.arg(language), timezone = sqlc.arg(timezone),
    is_device = sqlc.arg(is_device), is_staff = sqlc.arg(is_staff), is_superuser = sqlc.arg(is_superuser), is_active = sqlc.arg(is_active),
    updated_at = sqlc.arg(at)
WHERE id = sqlc.arg(id);

-- name: AccountClearGroups :exec
DELETE FROM meet_user_groups WHERE user_id = $1;

-- name: AccountAddGroups :exec
INSERT INTO meet_user_groups (user_id, group_id)
SELECT sqlc.arg(user_id)::uuid, g.id FROM auth_group g WHERE g.id = ANY (sqlc.arg(groups)::integer[]);

-- name: AccountClearPermissions :exec
DELETE FROM meet_user_user_permissions WHERE user_id = $1;

-- name: AccountAddPermissions :exec
INSERT INTO meet_user_user_permissions (user_id, permission_id)
SELECT sqlc.arg(user_id)::uuid, p.id
FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
WHERE t.app_label || '.' || p.codename = ANY (sqlc.arg(permissions)::text[]);

-- name: ContentTypesEnsure :exec
-- As Django's migrate adds them when they are missing.
INSERT INTO django_content_type (app_label, model)
SELECT n.app, n.model
FROM (SELECT unnest(sqlc.arg(apps)::text[]) AS app, unnest(sqlc.arg(models)::text[]) AS model) n
WHERE NOT EXISTS (SELECT FROM django_content_type t WHERE t.app_label = n.app AND t.model = n.model)
ON CONFLICT (app_label, model) DO NOTHING;

-- name: PermissionEnsure :exec
INSERT INTO auth_permission (name, content_type_id, codename)
SELECT sqlc.arg(name)::text, t.id, sqlc.arg(codename)::text FROM django_content_type t
WHERE t.app_label = sqlc.arg(app) AND t.model = sqlc.arg(model)
    AND NOT EXISTS (SELECT FROM auth_permission p WHERE p.content_type_id = t.id AND p.codename = sqlc.arg(codename)::text)
ON CONFLICT (content_type_id, codename) DO NOTHING;

-- name: GroupGet :one
SELECT * FROM auth_group WHERE id = $1;

-- name: GroupLock :one
-- Not FOR UPDATE: who holds it waits for those who change the members, and they
-- must not wait for him.
SELECT * FROM auth_group WHERE id = $1 FOR NO KEY UPDATE;

-- name: GroupPermissions :many
SELECT (t.app_label || '.' || p.codename)::text AS permission
FROM auth_group_permissions m
JOIN auth_permission p ON p.id = m.permission_id
JOIN django_content_type t ON t.id = p.content_type_id
WHERE m.group_id = $1
ORDER BY 1;

-- name: GroupMembers :one
SELECT count(*) FROM meet_user_groups WHERE group_id = $1;

-- name: GroupInsert :one
INSERT INTO auth_group (name) VALUES ($1) RETURNING id;

-- name: GroupSetName :exec
UPDATE auth_group SET name = sqlc.arg(name) WHERE id = sqlc.arg(id) AND name <> sqlc.arg(name);

-- name: GroupClearPermissions :exec
DELETE FROM auth_group_permissions WHERE group_id = $1;

-- name: GroupAddPermissions :exec
INSERT INTO auth_group_permissions (group_id, permission_id)
SELECT sqlc.arg(group_id)::integer, p.id
FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
WHERE t.app_label || '.' || p.codename = ANY (sqlc.arg(permissions)::text[]);

-- name: GroupClearMembers :exec
DELETE FROM meet_user_groups WHERE group_id = $1;

-- name: GroupDelete :exec
DELETE FROM auth_group WHERE id = $1;

-- name: GroupsAll :many
SELECT id, name FROM auth_group ORDER BY name, id;

-- name: PermissionsAll :many
SELECT (t.app_label || '.' || p.codename)::text AS permission, p.name
FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id
ORDER BY t.app_label, t.model, p.codename;

-- name: AccountDeleteRoomAccesses :exec
DELETE FROM meet_resource_access WHERE user_id = $1;

-- name: AccountDeleteRecordingAccesses :exec
DELETE FROM meet_recording_access WHERE user_id = $1;

-- name: AccountDeleteLog :exec
DELETE FROM django_admin_log WHERE user_id = $1;

-- name: AccountDelete :exec
DELETE FROM meet_user WHERE id = $1;

-- name: AccountBelongings :one
SELECT
    (SELECT count(*) FROM meet_resource_access a WHERE a.user_id = sqlc.arg(id)) AS rooms,
    (SELECT count(*) FROM meet_resource_access a WHERE a.user_id = sqlc.arg(id) AND a.role = 'owner' AND NOT EXISTS (
        SELECT FROM meet_resource_access o WHERE o.resource_id = a.resource_id AND o.role = 'owner' AND o.user_id <> a.user_id
    )) AS orphans,
    (SELECT count(*) FROM meet_recording_access a WHERE a.user_id = sqlc.arg(id)) AS recordings,
    (SELECT count(*) FROM file f WHERE f.creator_id = sqlc.arg(id)) AS files,
    (SELECT count(*) FROM django_admin_log l WHERE l.user_id = sqlc.arg(id)) AS entries,
    (SELECT count(*) FROM meetd.session s WHERE s.user_id = sqlc.arg(id) AND s.expires_at > sqlc.arg(now)) AS sessions;

-- name: RoomBelongings :one
SELECT
    (SELECT count(*) FROM meet_resource_access a WHERE a.resource_id = $1) AS accesses,
    (SELECT count(*) FROM meet_recording r WHERE r.room_id = $1) AS recordings,
    (SELECT count(*) FROM meet_recording r JOIN meetd.recording_hold h ON h.recording_id = r.id WHERE r.room_id = $1) AS held;

-- name: RoomSetPIN :exec
UPDATE meet_room SET pin_code = $2 WHERE resource_id = $1;

-- name: RecordingAccessesOf :many
SELECT a.id, a.team, a.role, a.user_id, u.email, u.admin_email
FROM meet_recording_access a LEFT JOIN meet_user u ON u.id = a.user_id
WHERE a.recording_id = $1
ORDER BY a.created_at DESC, a.id
LIMIT 500;

-- name: RecordingAccessSave :exec
INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
VALUES (sqlc.arg(id), sqlc.arg(at), sqlc.arg(at), sqlc.arg(team), sqlc.arg(role), sqlc.arg(recording_id), sqlc.narg(user_id))
ON CONFLICT (id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at;

-- name: RecordingAccessDelete :exec
DELETE FROM meet_recording_access WHERE id = $1;

-- name: HoldGet :one
SELECT * FROM meetd.recording_hold WHERE recording_id = $1;

-- name: RecordingsStuck :many
-- Those without an end that have not changed since a time, the oldest first.
SELECT r.id, r.room_id, m.name AS room, r.status, r.mode, r.worker_id, r.created_at, r.updated_at,
    s.egress, coalesce(s.unsure, false)::boolean AS unsure, s.look_at
FROM meet_recording r
JOIN meet_room m ON m.resource_id = r.room_id
LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.id IN (
    SELECT o.id FROM meet_recording o WHERE o.status IN ('initiated', 'active', 'stopped')
    UNION ALL
    SELECT u.recording_id FROM meetd.recording_state u WHERE u.unsure
  )
  AND r.updated_at < sqlc.arg(before)
ORDER BY r.created_at, r.id
LIMIT sqlc.arg(most);

-- name: AdminLogInsert :exec
INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag, change_message, content_type_id, user_id)
SELECT sqlc.arg(at), sqlc.arg(object_id), sqlc.arg(object_repr), sqlc.arg(flag), sqlc.arg(message), t.id, sqlc.arg(user_id)
FROM django_content_type t WHERE t.app_label = sqlc.arg(app) AND t.model = sqlc.arg(model);

-- name: NoticesReopen :exec
-- They are told again, whether they were told before or not.
INSERT INTO meetd.notice (recording_id, kind, recipient, created_at)
SELECT unnest(sqlc.arg(recordings)::uuid[]), unnest(sqlc.arg(kinds)::text[]), unnest(sqlc.arg(recipients)::uuid[]), sqlc.arg(created_at)
ON CONFLICT (recording_id, kind, recipient) DO UPDATE SET created_at = excluded.created_at, done_at = NULL;
