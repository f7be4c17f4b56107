// Package metrics counts what happens on this node, and shows it to Prometheus
// (docs/observability.md has every name). No label holds what a client can
// choose, or what is about a person: there is a bounded number of series.
package metrics
