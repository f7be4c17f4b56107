// Package jobs is the background work, in River: what a transaction noted down
// for afterwards, and what is done every so often (recording.md, database.md).
// A worker only calls a use case. Every node works on the same queue; periodic
// jobs run on one of them.
package jobs
