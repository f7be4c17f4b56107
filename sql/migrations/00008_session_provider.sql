-- +goose Up

-- Who began a session at the provider, so that the provider can end it.
ALTER TABLE meetd.session
    ADD COLUMN sub text NOT NULL DEFAULT '',
    ADD COLUMN sid text NOT NULL DEFAULT '';
CREATE INDEX session_sub ON meetd.session (sub) WHERE sub <> '';
CREATE INDEX session_sid ON meetd.session (sid) WHERE sid <> '';

-- What works once, by its hash: tokens of the provider.
CREATE TABLE meetd.used_token (
    id_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT used_token_pkey PRIMARY KEY (id_hash)
);
CREATE INDEX used_token_expires_at ON meetd.used_token (expires_at);
