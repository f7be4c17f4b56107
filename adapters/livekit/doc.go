// Package livekit speaks to LiveKit: its server API over twirp, and its
// webhooks (livekit.md §4, §5 and §10). It knows nothing of rooms and
// recordings beyond their names; an error of LiveKit leaves it as a fault.
package livekit
