// Package programs finds the third-party servers of the development stack, or
// builds them once from the nested modules in testdata/servers.
//
// A program is looked for in the environment variable that names it, on PATH
// and in the user's cache folder; only then is it built, with the versions
// pinned by the nested go.mod and go.sum. The name of the cache folder contains
// a hash of these two files: a changed pin is a new program. A file lock lets
// several test binaries ask at the same time and build once.
//
// Start runs a program as a child that is stopped with Stop, or by the system
// when this process dies. What is run, and with which settings, is the business
// of the neighbours.
package programs
