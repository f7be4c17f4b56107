-- +goose Up

-- Whether a recording that failed to stop may have stopped all the same, and when
-- one that could not be decided is looked at again.
ALTER TABLE meetd.recording_state
    ADD COLUMN unsure boolean NOT NULL DEFAULT false,
    ADD COLUMN looks integer NOT NULL DEFAULT 0,
    ADD COLUMN look_at timestamptz,
    ALTER COLUMN egress SET DEFAULT '';
CREATE INDEX recording_state_unsure ON meetd.recording_state (recording_id) WHERE unsure;

-- All events are written down now, those of the summary service too.
ALTER TABLE meetd.kept_event DROP CONSTRAINT kept_event_source_check;
ALTER TABLE meetd.kept_event
    ADD CONSTRAINT kept_event_source_check CHECK (source IN ('livekit', 'storage', 'summary'));
-- They come in the order of their times, so that this index costs next to nothing.
DROP INDEX meetd.kept_event_received_at;
CREATE INDEX kept_event_received_at ON meetd.kept_event USING brin (received_at);

-- Who is to be told that a recording is ready: each owner by mail, and the summary
-- service, whose recipient is the nil UUID.
CREATE TABLE meetd.notice (
    recording_id uuid NOT NULL,
    kind text NOT NULL,
    recipient uuid NOT NULL,
    created_at timestamptz NOT NULL,
    done_at timestamptz,
    CONSTRAINT notice_pkey PRIMARY KEY (recording_id, kind, recipient),
    CONSTRAINT notice_kind_check CHECK (kind IN ('mail', 'summary'))
);
