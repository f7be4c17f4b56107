-- +goose Up

-- The audit trail as a chain: docs/audit.md. Each event gets a seal, whose hash is
-- made of the event and of the seal before. What is done is written down without
-- one, so that nobody waits for anybody; sealing comes later.
CREATE TABLE meetd.audit_seal (
    seq bigint NOT NULL,
    event_id bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_seal_pkey PRIMARY KEY (seq),
    CONSTRAINT audit_seal_event_id_key UNIQUE (event_id),
    CONSTRAINT audit_seal_seq_check CHECK (seq > 0),
    CONSTRAINT audit_seal_hash_check CHECK (length(hash) = 32)
);

-- Events that wait for their seal. Nobody needs to know how long a transaction may
-- be under way: its events begin to wait when it commits.
CREATE TABLE meetd.audit_unsealed (
    event_id bigint NOT NULL,
    CONSTRAINT audit_unsealed_pkey PRIMARY KEY (event_id)
);
INSERT INTO meetd.audit_unsealed (event_id) SELECT id FROM meetd.audit_event;

-- +goose StatementBegin
CREATE FUNCTION meetd.audit_await_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO meetd.audit_unsealed (event_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_await_seal AFTER INSERT ON meetd.audit_event
    FOR EACH ROW EXECUTE FUNCTION meetd.audit_await_seal();

-- Nothing is changed and nothing is removed, not by whoever copies tables either.
-- +goose StatementBegin
CREATE FUNCTION meetd.audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'meetd.% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON meetd.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION meetd.audit_append_only();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON meetd.audit_seal
    FOR EACH STATEMENT EXECUTE FUNCTION meetd.audit_append_only();
ALTER TABLE meetd.audit_event ENABLE ALWAYS TRIGGER audit_append_only;
ALTER TABLE meetd.audit_seal ENABLE ALWAYS TRIGGER audit_append_only;

-- Details are texts, so that there is one way to compute the hash.
ALTER TABLE meetd.audit_event ADD CONSTRAINT audit_event_details_check
    CHECK (jsonb_typeof(details) = 'object' AND NOT jsonb_path_exists(details, 'strict $.* ? (@.type() <> "string")'));

-- A film is asked for hundreds of times: that somebody downloads a recording is
-- written down once an hour, whichever node sees it.
CREATE UNIQUE INDEX audit_event_download ON meetd.audit_event (actor_id, subject, date_trunc('hour', at AT TIME ZONE 'UTC'))
    WHERE action = 'recording_downloaded';
CREATE INDEX audit_event_subject ON meetd.audit_event (subject, at);
