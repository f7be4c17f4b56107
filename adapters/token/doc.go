// Package token makes the JSON web tokens participants join LiveKit with, and
// verifies those that participants show to us (livekit.md §2, §3 and §11). They
// are built by hand on go-jose rather than with LiveKit's own builder, because
// the contract's claims differ from what that can say: room_role may be null,
// and no iat is there.
package token
