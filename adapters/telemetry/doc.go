// Package telemetry follows requests through the service with OpenTelemetry: from
// HTTP through the database, background jobs and calls of other services. It is
// only there when somebody wants it. What it says of a request is its route, of a
// query its name, of a call its service: no values, no queries of URLs, nobody.
package telemetry
