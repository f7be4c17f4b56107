// Package rooms creates meeting rooms and shows them, with the token to join
// for those who may (http-users-rooms.md §2 and §3).
package rooms
