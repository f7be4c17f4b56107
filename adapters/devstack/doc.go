// Package devstack is the folder of the embedded servers that meetd-dev and
// the tests run against: a private PostgreSQL, an object store, an OpenID
// provider and a LiveKit server with a small egress worker.
//
// Everything below it exists so that a checkout works on a bare laptop. It must
// not know the use cases, and nothing of it may ever be linked into cmd/meetd:
// the servers are started with known passwords and forget what they were told.
// They are real servers (or, where that is impossible, speak the real protocol
// to a real server), because a simulation would only repeat our own beliefs.
//
// The processes are managed the Unix way (file locks, signals, inherited
// pipes), so these packages build on Unix systems only.
package devstack
