// Package user holds the person who is logged in: the account as stored, and
// the rules by which claims of the OpenID provider become an account
// (oidc.md §4, database.md §2). Pure: no storage, no transport.
package user
