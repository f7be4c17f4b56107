// Package pg runs a private PostgreSQL server for development and for tests.
// It knows nothing of meetd's schema and is never linked into cmd/meetd.
//
// Decisions that bind it:
//
//   - Installed binaries come first (MEETD_PG_BIN, PATH, /usr/lib/postgresql),
//     then a download that is kept in the user's cache directory, then a
//     container. If nothing works, one sentence says what to install.
//   - The server listens on 127.0.0.1 only and has no Unix socket, because the
//     path of a socket must be short and a project's directory need not be.
//   - PostgreSQL refuses to run as root. When we are root it runs as the user
//     postgres, or nobody, which then must be able to enter the directory.
//   - A directory belongs to one process at a time: it holds a lock, and a server
//     that still runs there while the lock is free is left over from a process
//     that died, so Start stops it.
//   - On Linux a server stops by itself when the process that started it dies.
//     The kernel binds that to the thread which made the child, so that thread is
//     kept for as long as the server runs. Elsewhere the server lives on until
//     the next Start on its directory, and a throw-away one until it is stopped
//     by hand.
//   - Without Options.Durable only the flush to disk is left out: what was
//     committed survives a kill of the server, though not a crash of the machine.
//
// It needs a Unix-like system.
package pg
