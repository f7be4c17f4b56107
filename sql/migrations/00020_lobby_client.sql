-- +goose Up

-- From which address somebody asks to be let in, so that one address cannot fill the
-- list that owners see. It goes with the row, minutes after he left.
ALTER TABLE meetd.lobby_entry ADD COLUMN client text NOT NULL DEFAULT '';
