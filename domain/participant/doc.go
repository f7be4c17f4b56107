// Package participant says who somebody is in a meeting, and what he may do
// there: what goes into the token he joins with (livekit.md §2). Pure: signing
// is for others.
package participant
