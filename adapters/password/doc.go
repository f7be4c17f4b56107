// Package password hashes passwords the way Django 5.2 does and verifies what
// any Django has stored (database.md §5), so that both services can work on one
// database. Whoever can write to the table can write any cost into a hash: what
// would take too much memory or time is refused before it begins.
package password
