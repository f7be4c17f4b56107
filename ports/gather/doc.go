// Package gather does together what is asked for at the same time.
//
// A round trip to the database, or a commit, costs far more than one more row in
// it. Whoever comes while one is under way goes with the next: somebody alone
// waits for nobody, and under load the database is asked once for many. This is
// ours because loaders in libraries gather for a fixed time instead, which
// everybody would have to wait.
package gather
