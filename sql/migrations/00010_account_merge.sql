-- +goose Up

-- What merges of accounts did, so that they can be undone. It holds what the
-- accounts held: removing a journal removes that, and the way back.
CREATE TABLE meetd.merge_journal (
    id bigint GENERATED ALWAYS AS IDENTITY,
    keep text NOT NULL,
    exact boolean NOT NULL,
    email_filter text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    undo_started_at timestamptz,
    undone_at timestamptz,
    CONSTRAINT merge_journal_pkey PRIMARY KEY (id),
    CONSTRAINT merge_journal_keep_check CHECK (keep IN ('newest', 'oldest'))
);

-- One row for the accounts of one address.
CREATE TABLE meetd.merge_group (
    id bigint GENERATED ALWAYS AS IDENTITY,
    journal_id bigint NOT NULL,
    address text NOT NULL,
    survivor_id uuid NOT NULL,
    merged_at timestamptz NOT NULL,
    undone_at timestamptz,
    CONSTRAINT merge_group_pkey PRIMARY KEY (id)
);
CREATE INDEX merge_group_journal_id ON meetd.merge_group (journal_id);

-- One row for each thing that changed: from before to after, or, when it was
-- deleted, the whole row. user_id is whose it was, object_id the room or the
-- recording of an access. No foreign key points to Django's tables: Django must
-- stay able to delete its rows. None points to the group either: the check would
-- take as long as the merge.
CREATE TABLE meetd.merge_item (
    id bigint GENERATED ALWAYS AS IDENTITY,
    group_id bigint NOT NULL,
    kind text NOT NULL,
    user_id uuid NOT NULL,
    row_id uuid,
    object_id uuid,
    before text,
    after text,
    deleted jsonb,
    skipped text,
    CONSTRAINT merge_item_pkey PRIMARY KEY (id),
    CONSTRAINT merge_item_kind_check CHECK (kind IN (
        'sub', 'email', 'room', 'recording', 'file',
        'account', 'room_access', 'recording_access', 'group', 'permission', 'log'
    ))
);
CREATE INDEX merge_item_group_id ON meetd.merge_item (group_id);
