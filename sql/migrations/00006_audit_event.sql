-- +goose Up

-- Who did what. actor_id has no foreign key: what was done stays written down
-- when the account is gone.
CREATE TABLE meetd.audit_event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    action text NOT NULL,
    actor_id uuid,
    subject text NOT NULL,
    details jsonb NOT NULL,
    CONSTRAINT audit_event_pkey PRIMARY KEY (id)
);
CREATE INDEX audit_event_at ON meetd.audit_event (at);
CREATE INDEX audit_event_actor ON meetd.audit_event (actor_id, at);
