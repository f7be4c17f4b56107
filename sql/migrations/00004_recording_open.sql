-- +goose NO TRANSACTION
-- +goose Up

-- Recordings that are not finished, oldest first. Built without blocking writes;
-- the DROP clears away what an interrupted build left behind.
DROP INDEX CONCURRENTLY IF EXISTS meetd_recording_open;
CREATE INDEX CONCURRENTLY meetd_recording_open
    ON meet_recording (created_at)
    WHERE status IN ('initiated', 'active', 'stopped');
