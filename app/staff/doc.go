// Package staff makes people superusers of the administration (database.md §6).
package staff
