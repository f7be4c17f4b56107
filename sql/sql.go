// Package sqlfiles holds the SQL that creates and changes the database, so that
// the binary carries it. It knows nothing of how the files are applied.
//
//   - baseline/: the Django backend's tables and the rows a fresh one has.
//     Plain SQL, in the order of the file names, only for an empty database.
//     They describe v1.27.0 and never change.
//   - schema.sql: the schema meetd, home of all that is ours.
//   - migrations/: goose migrations of that schema and of our indexes on
//     Django's tables, whose names begin with meetd_. They only go up, and the
//     version of meetd before must still work on the result.
//
// Django's tables are named without a schema and found by the search path; our
// own are always written with theirs.
package sqlfiles

import "embed"

// Files holds schema.sql and the folders baseline and migrations.
//
//go:embed schema.sql baseline/*.sql migrations/*.sql
var Files embed.FS
