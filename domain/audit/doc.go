// Package audit names what is written down for ever about who did what: logins
// and logouts, refusals, merges of accounts. Pure: no storage, no transport.
package audit
