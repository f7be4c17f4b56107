// Package file knows uploaded files: where their objects are and when they are
// deleted for good. Pure: no storage, no transport.
package file
