// Package administration is what members of staff do on the admin web site
// (admin.md): look at accounts, rooms and recordings, change and delete them, and
// see how background jobs and unfinished recordings are.
//
// Every method takes who asks and decides whether he may. Every change is written
// down twice, in the transaction that makes it: in Django's log of the admin, so
// that its history goes on after a hand-back, and in our audit log, which outlives
// the accounts.
package administration
