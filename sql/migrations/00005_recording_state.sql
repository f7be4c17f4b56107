-- +goose Up

-- What Django's table has no column for: how far LiveKit says the egress of a
-- recording is, and whether its object was announced but not yet seen.
-- recording_id has no foreign key: Django must stay able to delete its rows.
CREATE TABLE meetd.recording_state (
    recording_id uuid NOT NULL,
    egress text NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT recording_state_pkey PRIMARY KEY (recording_id)
);
