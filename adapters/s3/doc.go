// Package s3 speaks to the bucket: it signs requests for proxies, and it looks
// at and fetches objects itself (recording.md §7).
//
// Requests are made by hand with the AWS SDK's signer rather than by its
// client, because what a proxy sends must be byte for byte what is signed here,
// and one way of building a URL serves both. The address is always path style.
package s3
