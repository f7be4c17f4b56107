-- +goose Up

-- What other programs are told, written in the transaction in which it happened.
-- The order is that of xid and then of id: once no transaction up to an xid is
-- under way any more, nothing can come before it, which is not so of id alone.
-- payload is no jsonb: what was said once is said again in the same bytes.
CREATE TABLE meetd.announcement (
    event_id uuid NOT NULL,
    id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL,
    type text NOT NULL,
    recording_id uuid NOT NULL,
    payload json NOT NULL,
    CONSTRAINT announcement_pkey PRIMARY KEY (event_id),
    CONSTRAINT announcement_type_check CHECK (type IN ('recording.saved', 'recording.failed', 'recording.deleted'))
);
CREATE INDEX announcement_order ON meetd.announcement (xid, id);
-- They come in the order of their times, so that this index costs next to nothing.
CREATE INDEX announcement_at ON meetd.announcement USING brin (at);
