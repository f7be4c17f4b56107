// Package livekit runs a real LiveKit server for development and tests.
//
// The server is the pinned program of package programs, in a process of its
// own, with an in-process Redis. LiveKit's recorder needs a browser and a
// media pipeline; in its place works Worker, which speaks the recorder's
// protocol to the real server, goes through the real states, and uploads a real
// playable file. So start, stop, webhooks, storage events and errors are those
// of LiveKit; only the picture is always the same. A Worker does what it is
// told to when a failure is wanted.
//
// The package knows nothing of meetings: rooms are names.
package livekit
