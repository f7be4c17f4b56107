-- +goose NO TRANSACTION
-- +goose Up

-- The orders in which the administration lists accounts, rooms and recordings, and
-- what it searches them by. Trigrams find a piece of a text; Django's tables come
-- with pg_trgm. Built without blocking writes; the DROPs clear away what an
-- interrupted build left behind.
DROP INDEX CONCURRENTLY IF EXISTS meetd_user_standing;
CREATE INDEX CONCURRENTLY meetd_user_standing
    ON meet_user ((NOT is_active), is_superuser, is_staff, is_device, updated_at, id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_user_created;
CREATE INDEX CONCURRENTLY meetd_user_created ON meet_user (created_at, id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_user_email_order;
CREATE INDEX CONCURRENTLY meetd_user_email_order
    ON meet_user ((lower(coalesce(email, '') COLLATE "C")), id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_user_name_order;
CREATE INDEX CONCURRENTLY meetd_user_name_order
    ON meet_user ((lower(coalesce(full_name, '') COLLATE "C")), id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_user_search;
CREATE INDEX CONCURRENTLY meetd_user_search ON meet_user
    USING gin (sub gin_trgm_ops, admin_email gin_trgm_ops, email gin_trgm_ops, full_name gin_trgm_ops);

DROP INDEX CONCURRENTLY IF EXISTS meetd_room_level;
CREATE INDEX CONCURRENTLY meetd_room_level ON meet_room (access_level, name, resource_id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_room_search;
CREATE INDEX CONCURRENTLY meetd_room_search ON meet_room USING gin (name gin_trgm_ops, slug gin_trgm_ops);

DROP INDEX CONCURRENTLY IF EXISTS meetd_resource_created;
CREATE INDEX CONCURRENTLY meetd_resource_created ON meet_resource (created_at, id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_recording_status;
CREATE INDEX CONCURRENTLY meetd_recording_status ON meet_recording (status, created_at, id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_admin_log_object;
CREATE INDEX CONCURRENTLY meetd_admin_log_object ON django_admin_log (object_id, id);
