-- +goose Up

-- Recordings that must not be deleted, whatever else says so. recording_id has no
-- foreign key: Django must stay able to delete its rows.
CREATE TABLE meetd.recording_hold (
    recording_id uuid NOT NULL,
    reason text NOT NULL,
    placed_at timestamptz NOT NULL,
    placed_by text NOT NULL,
    CONSTRAINT recording_hold_pkey PRIMARY KEY (recording_id)
);

-- The teams that the provider named at the login.
ALTER TABLE meetd.session ADD COLUMN teams text[] NOT NULL DEFAULT '{}';
