package ports

import (
	"context"

	"github.com/google/uuid"
)

// Analytics is told what people do and says who tries something new
// (integrations.md §3). It is in nobody's way: nothing fails because of it.
type Analytics interface {
	// Capture notes an event. It returns at once; when it cannot be told to
	// anybody it is forgotten.
	Capture(e AnalyticsEvent)
	// Enabled reports whether a feature is on for a person; false when that
	// cannot be found out.
	Enabled(ctx context.Context, feature string, person uuid.UUID) bool
}

// AnalyticsEvent is what somebody did. It names people by their ids only.
type AnalyticsEvent struct {
	Name       string
	Person     uuid.UUID // the zero one for a program of ours, which has no account
	Properties map[string]any
}

// NoAnalytics tells nobody anything; every feature is off.
type NoAnalytics struct{}

var _ Analytics = NoAnalytics{}

// Capture forgets the event.
func (NoAnalytics) Capture(AnalyticsEvent) {}

// Enabled is false.
func (NoAnalytics) Enabled(context.Context, string, uuid.UUID) bool { return false }
