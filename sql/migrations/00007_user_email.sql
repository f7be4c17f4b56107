-- +goose NO TRANSACTION
-- +goose Up

-- People are found by their e-mail. The collation folds ASCII letters only, so
-- that no look-alike letter is taken for another. Built without blocking
-- writes; the DROP clears away what an interrupted build left behind.
DROP INDEX CONCURRENTLY IF EXISTS meetd_user_email;
CREATE INDEX CONCURRENTLY meetd_user_email
    ON meet_user (lower(email COLLATE "C"))
    WHERE email IS NOT NULL AND email <> '';
