// Package storageevent reads what object stores send when an object was
// written (recording.md §4). It only reads: whether an object is a recording
// of ours is for app/recordings to say. Whatever a stranger may send gives
// records or fault.Invalid, never anything else.
package storageevent
