// Package discreet takes out of a text what is nobody's business: credentials,
// the queries of URLs, e-mail addresses. It is for errors, whose texts come from
// libraries and from other services, on their way to logs and to those who watch.
package discreet
