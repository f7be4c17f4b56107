// Package moderation changes what is going on in an open meeting: who is muted,
// sent out, renamed, what each may do, and what participants say of themselves
// (http-users-rooms.md §9 and §10).
//
// Who may do it is decided here, by the role on the room or by the token that a
// participant shows. Such a token never makes anybody an administrator. Where
// somebody has to be in the meeting, LiveKit is asked, and no answer is a no.
package moderation
