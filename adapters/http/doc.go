// Package http is the API on the wire (http-overview.md and its companions):
// routes, authentication, bodies in, answers out. A handler binds, calls one
// use case and maps the answer; what is allowed is decided in app.
//
// Errors are returned, and errors.go alone writes their bodies: the wording of
// the contract lives there. Every API route is an endpoint: a table of methods
// under one policy, so that authentication and permission come before a wrong
// method is told, in the order the contract wants.
package http
