// Package ports says what the use cases need from outside the process, one
// file per need. Interfaces stand here only for things outside: the database,
// LiveKit, the object store, the OpenID provider, the job queue. Adapters
// implement them; package app wires them together.
//
// Every method returns faults of meetd/domain/fault for what callers must tell
// apart, and any other error for what is broken.
package ports
