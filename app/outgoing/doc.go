// Package outgoing tells other programs what was announced: it calls them, and lets
// them read it again from any place on (docs/events.md). What is announced is
// decided, and written down, where it happens.
package outgoing
