// Package store is the embedded S3 object store of the development stack.
//
// It is the versitygw gateway on a folder: signatures are verified and objects
// are plain files. What the gateway lacks is added here: it posts a storage
// event, in the form MinIO uses, for every created object.
//
// The gateway changes the working directory of its process and can be had once
// per process only. Start therefore runs it in a child process of the same
// program, and every program that calls Start must call Child first thing in
// main or TestMain. The child ends when its parent does, however that happens:
// the parent holds a pipe and the child waits for its end.
//
// The package knows nothing of recordings or files, only objects.
package store
