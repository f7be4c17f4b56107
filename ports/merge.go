package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/user"
)

// MergeScope says which accounts are duplicates and which survive.
type MergeScope struct {
	// EmailFilter limits the addresses to those that contain it, whatever the
	// case of ASCII letters; no character means anything but itself. Empty: all.
	EmailFilter string
	// Exact tells addresses apart that differ in the case of letters.
	Exact bool
	Keep  user.Keep
}

// MergeTotals counts what a journal holds.
type MergeTotals struct{ Groups, Accounts int }

// AccountMerges finds accounts that are one person's and merges them
// (database.md §6).
type AccountMerges interface {
	// Addresses lists the addresses that more than one account has, in the order
	// of their bytes. Null and empty ones are none. Without Exact they are folded
	// (user.FoldEmail).
	Addresses(ctx context.Context, s MergeScope) ([]string, error)
	// Accounts reads all accounts of these addresses, with their counts, in the
	// order of the addresses.
	Accounts(ctx context.Context, s MergeScope, addresses []string) ([]user.Duplicates, error)
	// Alone runs fn while nobody else merges or undoes a merge; fault.Conflict
	// with code "merge_running" when somebody does.
	Alone(ctx context.Context, fn func(MergeRun) error) error
}

// PlanMerge decides what becomes of duplicates.
type PlanMerge func(d user.Duplicates, rooms, recordings []access.Grant) user.Merge

// MergeRun is the one merge or undoing of a merge at its time.
type MergeRun interface {
	// Unfinished finds the newest journal of the same scope that is neither
	// finished nor being undone; fault.NotFound when there is none.
	Unfinished(ctx context.Context, s MergeScope) (journal int64, err error)
	// Begin starts a journal.
	Begin(ctx context.Context, s MergeScope, now time.Time) (journal int64, err error)
	// Merge locks the accounts that have these addresses now, asks plan what
	// becomes of them and does that, with the journal, in one transaction. It
	// returns what was done, in the order of the addresses; an address that is no
	// longer shared is left out. fault.Unavailable when the database went away,
	// fault.Conflict when somebody else holds a lock.
	Merge(ctx context.Context, journal int64, s MergeScope, addresses []string, now time.Time, plan PlanMerge) ([]user.Merge, error)
	// FoldEmail gives the survivor of a group that could not be merged the
	// address as its e-mail, and notes it in the journal.
	FoldEmail(ctx context.Context, journal int64, s MergeScope, address string, now time.Time) error
	// Finish closes the journal and tells what is in it. A journal that holds
	// nothing is removed.
	Finish(ctx context.Context, journal int64, now time.Time) (MergeTotals, error)

	// BeginUndo lists the groups of a journal that are to be restored, the newest
	// first. fault.NotFound when there is no such journal, fault.Conflict when it
	// was undone ("merge_undone") or when a later merge of the same accounts must
	// be undone first ("merge_later", about that journal).
	BeginUndo(ctx context.Context, journal int64, now time.Time) ([]MergedGroup, error)
	// Undo restores groups, no address twice, in one transaction: the stale
	// accounts, and what is still there and unchanged since. What is not is noted.
	// Faults as in Merge.
	Undo(ctx context.Context, groups []MergedGroup, now time.Time) error
	// FinishUndo closes the journal if all of it was restored, and tells what was
	// and what could not be.
	FinishUndo(ctx context.Context, journal int64, now time.Time) (MergeTotals, []LeftBehind, error)
}

// MergedGroup is a group in a journal.
type MergedGroup struct {
	ID      int64
	Address string
}

// LeftBehind is something that an undoing could not restore.
type LeftBehind struct {
	Address string
	Account uuid.UUID // whose it was
	What    string    // such as "access to room" and its id
	Why     string
}
