-- +goose Up

-- When what was done lately, in any order. Unlogged: a crash may forget it.
CREATE UNLOGGED TABLE meetd.throttle (
    bucket text NOT NULL,
    hits timestamptz[] NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT throttle_pkey PRIMARY KEY (bucket)
);
CREATE INDEX throttle_expires_at ON meetd.throttle (expires_at);
