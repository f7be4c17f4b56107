// Package files clears away uploaded files that nobody wants any more: uploads that
// were never ended, and what was in the trash for long enough (database.md §6).
package files
