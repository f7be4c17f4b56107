// Package accounts lets people in and out: login and logout at the OpenID
// provider, who the person is, and the session that remembers it (oidc.md).
//
// A session is known by a secret that only the browser has; what is stored is
// its hash. Sessions are our own rather than a library's: the account must be a
// column, so that the media check is one query and all sessions of an account
// can be ended.
package accounts
