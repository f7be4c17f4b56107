// Package trail keeps the audit trail honest and tells what is in it: it seals
// events into a chain, checks the chain, writes the trail out, and gathers
// downloads, of which there are too many to write each one down (docs/audit.md).
// What happened is written down by whoever did it, through ports.Audit.
package trail
