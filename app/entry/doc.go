// Package entry lets people into rooms: the lobby, where guests wait and owners
// decide about them (http-users-rooms.md §6, livekit.md §7).
package entry
