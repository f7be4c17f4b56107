// Package brevo tells Brevo, the marketing service, about new people
// (integrations.md §2).
package brevo
