-- +goose Up

-- Rooms that were created for a program that asks for the result later, by the
-- hash of what it will show.
CREATE TABLE meetd.room_callback (
    id_hash bytea NOT NULL,
    slug text NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT room_callback_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX room_callback_expires_at ON meetd.room_callback (expires_at);
