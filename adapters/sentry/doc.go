// Package sentry tells Sentry what went wrong (integrations.md §4): that it did,
// where, and nothing about who asked.
package sentry
