// Package dialin lets telephones and room kits into meetings: LiveKit gets a
// rule for each room while it is open, which leads who dials its PIN code there
// (livekit.md §8).
//
// LiveKit says when a room opens and closes, at times late, twice or in the
// wrong order. So a job looks at what is open now and makes it so; the order in
// which it is told does not matter.
package dialin
