-- Everything the Django backend does not know lives in this schema. It is made
-- before the migrations run, because their version table is kept in it.
CREATE SCHEMA meetd;
