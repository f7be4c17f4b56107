// Package posthog tells PostHog what people do, and asks it who has a feature
// (integrations.md §3).
//
// It speaks the two calls that we need itself. The official library keeps any
// number of requests under way, cannot be told to end in time, and takes no
// context.
package posthog
