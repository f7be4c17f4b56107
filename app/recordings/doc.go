// Package recordings starts and stops recordings and brings every one of them
// to its true end.
//
// Three sources say how a recording ends: LiveKit's webhooks, the storage
// notifications, and a look of our own (Reconcile) at LiveKit and the bucket.
// None can be relied upon alone, they overlap and arrive in any order, so every
// one of them only states a fact, and domain/recording decides what the fact
// changes. What arrives before our own commit is kept and applied after it.
//
// The network is never touched inside a transaction.
package recordings
