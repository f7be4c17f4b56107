-- +goose Up

-- Downloads are written down a thousand at a time: what waits for a seal is noted
-- once for each statement, not for each event.
DROP TRIGGER audit_await_seal ON meetd.audit_event;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION meetd.audit_await_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO meetd.audit_unsealed (event_id) SELECT id FROM written;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_await_seal AFTER INSERT ON meetd.audit_event
    REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION meetd.audit_await_seal();
