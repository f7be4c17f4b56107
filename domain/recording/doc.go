// Package recording holds the recording of a meeting: its states and the only
// ways between them, its object in the store and the address that object has
// for browsers (recording.md §1, §4, §7). Pure: adapters rebuild recordings
// with Restore and change them only through verbs.
package recording
