// Package lobby holds the people who asked to be let into a meeting room
// (http-users-rooms.md §6, livekit.md §7): what is known of one, and when the
// room is told that somebody waits. Pure: callers bring clock and randomness.
package lobby
