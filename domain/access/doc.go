// Package access holds the roles people have on rooms and on recordings and
// what each role may do. Pure functions: no storage, no transport.
package access
