// Command meetd-dev is the service with everything it needs on one machine: a
// private PostgreSQL, an object store, an OpenID provider and LiveKit with a
// recorder. Its data lives in one folder. With --demo it performs the main job
// through HTTP, as a browser would, and tells whether it worked.
//
// It is a program of its own so that meetd carries none of these servers.
package main
