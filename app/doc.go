// Package app is the composition root of meetd: it reads the configuration,
// builds every part of the server from it and runs them.
//
// Only the commands and this package's own tests import it. No other package
// may know it: they receive small structs with the few values they need, never
// the whole Config and never the environment.
//
// # Configuration
//
// The environment is the only source of settings. Names, syntax and defaults
// are those of the backend that meetd replaces; settings of meetd alone start
// with MEETD_. These decisions bind:
//
//   - Load reports every fault at once, one sentence each, naming the variable
//     and what to do. What merely cannot work yet (a provider without
//     endpoints, a missing hook token) is a warning and does not stop the start.
//   - Reading the environment happens in Load only, through injected functions.
//   - A secret is a Secret: however it is printed, it shows ***. Errors and
//     warnings never hold the value of a secret or of a database URL.
//   - Every variable that is read is listed by Config.Table. Adding one is one
//     line in the load function of its section.
package app
