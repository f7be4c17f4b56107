// Package room holds the meeting room: its identifiers, access level,
// configuration and who gets in with what (database.md §4,
// http-users-rooms.md §2). Pure: callers bring clock, ids and randomness.
package room
