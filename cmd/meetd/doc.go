// Command meetd is the backend of video meetings: it serves the API and works
// on the jobs, migrates its database, makes superusers, logs people out, merges
// their accounts, and shows its configuration. All of it is configured by environment variables; see the
// README.
package main
