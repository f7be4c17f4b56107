// Package summary hands recordings to the service that writes down what was
// said, in the two versions that the service has (recording.md §5,
// integrations.md §5). What it sends is all in the request and the
// configuration: it looks nothing up.
package summary
