// Package merge merges the accounts of one person, which share an e-mail
// address, tells beforehand what that would do, and undoes it (database.md §6).
//
// It must not know SQL or the command line. What it writes is the output of the
// command: the lines of the contract, and our own.
//
// Decisions that bind it:
//
//   - Many addresses go in one transaction, few enough that requests which wait
//     for its accounts hardly notice. When it fails, its addresses are merged one
//     by one, so that the bad one fails alone.
//   - What is merged is in a journal by the same commit. An interrupted run goes
//     on in it, and all of it can be undone.
//   - What lasts is decided in domain/user and domain/access.
package merge
