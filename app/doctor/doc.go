// Package doctor examines a running installation: it asks the database, the
// provider, LiveKit, the store, the mail server and the proxy in front, and says of
// each that it works, or what is wrong and what to do.
//
// What it changes it undoes: a room without participants that it closes again, and
// one small object that it deletes.
package doctor
