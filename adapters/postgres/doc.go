// Package postgres keeps everything meetd keeps, in PostgreSQL: the tables of the
// Django backend v1.27.0, which it shares, and its own in the schema meetd.
//
// It must not know use cases, HTTP or any other adapter. Its errors are faults.
//
// Decisions that bind it:
//
//   - Django's tables are found by the search path, ours are named with their
//     schema. Migrate and CheckSchema agree on where Django's are: in the first
//     schema of the search path that is not meetd.
//   - Migrate never changes a table or a row of Django's. It adds indexes whose
//     names begin with meetd_, and creates Django's tables only where there is
//     none of them.
//   - Our migrations only add, so that the version before still works on the
//     result and nodes can be replaced one by one.
//   - Migrate needs a connection of its own for its lock: the address must lead
//     to PostgreSQL itself or to a pooler that keeps sessions.
package postgres
