// Package person gives somebody all that is stored about him, and erases it
// (docs/privacy.md). Both are for operators; what became of other people's rooms
// and recordings is decided here, and told in a report.
package person
