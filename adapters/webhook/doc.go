// Package webhook calls the programs that want to be told of events, signed as the
// Standard Webhooks specification 1.0.0 has it: whoever knows the secret can check
// that a call is ours, and not an old one sent again.
package webhook
