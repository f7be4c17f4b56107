// Package fault holds the error kinds every layer speaks.
//
// A fault says what kind of failure happened and carries a stable code; how it
// looks on the wire (status, wording, JSON shape) is decided in adapters/http
// alone. The package knows nothing but the standard library.
package fault
