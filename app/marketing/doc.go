// Package marketing tells the marketing service about new people
// (integrations.md §2). It works from a job: a login never waits for it.
package marketing
