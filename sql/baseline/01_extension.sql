-- Searching users by name and e-mail uses trigrams.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
