-- +goose NO TRANSACTION
-- +goose Up

-- Egress events name a recording by its worker. Built without blocking writes;
-- the DROP clears away what an interrupted build left behind.
DROP INDEX CONCURRENTLY IF EXISTS meetd_recording_worker_id;
CREATE INDEX CONCURRENTLY meetd_recording_worker_id
    ON meet_recording (worker_id)
    WHERE worker_id IS NOT NULL;
