-- +goose NO TRANSACTION
-- +goose Up

-- The order of the lists, for people who have very many of the rows, and of
-- retention, which takes the oldest recordings first. Built without blocking
-- writes; the DROPs clear away what an interrupted build left behind.
DROP INDEX CONCURRENTLY IF EXISTS meetd_recording_created;
CREATE INDEX CONCURRENTLY meetd_recording_created ON meet_recording (created_at, id);

DROP INDEX CONCURRENTLY IF EXISTS meetd_room_name;
CREATE INDEX CONCURRENTLY meetd_room_name ON meet_room (name, resource_id);
