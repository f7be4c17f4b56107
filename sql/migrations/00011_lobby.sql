-- +goose Up

-- Who asked to be let into a room. Unlogged: each poll renews its row, and who is
-- forgotten by a crash asks again. There is no index on expires_at and room is
-- left on the pages, so that renewing a row touches no index.
CREATE UNLOGGED TABLE meetd.lobby_entry (
    room_id uuid NOT NULL,
    participant_id uuid NOT NULL,
    identity text NOT NULL,
    status text NOT NULL,
    username text NOT NULL,
    color text NOT NULL,
    since timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT lobby_entry_pkey PRIMARY KEY (room_id, participant_id),
    CONSTRAINT lobby_entry_status_check CHECK (status IN ('waiting', 'accepted', 'denied'))
) WITH (fillfactor = 50);

-- When a room was last told that somebody waits.
CREATE UNLOGGED TABLE meetd.lobby_notice (
    room_id uuid NOT NULL,
    told_at timestamptz NOT NULL,
    CONSTRAINT lobby_notice_pkey PRIMARY KEY (room_id)
) WITH (fillfactor = 50);
