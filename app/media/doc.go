// Package media decides about downloads: may this person have this file now?
//
// The decision is apart from the dialect of the proxy that asks for it
// (adapters/http), and it fails closed. The name of the object always comes
// from the stored recording, never from the URL (recording.md §7).
package media
