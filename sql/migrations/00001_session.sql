-- +goose Up

-- user_id has no foreign key: Django must stay able to delete its rows.
CREATE TABLE meetd.session (
    id_hash bytea NOT NULL,
    user_id uuid,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT session_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX session_user_id ON meetd.session (user_id);
CREATE INDEX session_expires_at ON meetd.session (expires_at);
