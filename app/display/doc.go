// Package display shows in the metadata of a LiveKit room what the programs of its
// participants have to know: access level, configuration, and how far its newest
// recording is (livekit.md §5).
//
// LiveKit can only exchange the metadata as a whole, and several may do that at the
// same time. So whoever has written looks once more: whatever comes last, what is true
// of a recording is shown in the end.
package display
