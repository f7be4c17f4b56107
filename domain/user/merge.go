package user

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
)

// Keep says which account of several with one address survives their merge.
type Keep string

// The ways to choose. The Django command keeps the newest, its migration 0006
// kept the oldest.
const (
	KeepNewest Keep = "newest"
	KeepOldest Keep = "oldest"
)

// Valid reports whether k is one of the two.
func (k Keep) Valid() bool { return k == KeepNewest || k == KeepOldest }

// FoldEmail makes addresses equal that are taken for the same: ASCII letters in
// lower case. No other letter changes, so that no look-alike, such as the Kelvin
// sign of a k, is ever taken for another.
func FoldEmail(email string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, email)
}

// Duplicate is an account that shares its address with others.
type Duplicate struct {
	ID         uuid.UUID
	CreatedAt  time.Time
	Email      string
	Sub        *string
	AdminEmail *string
	LastLogin  *time.Time
	Active     bool
	Staff      bool
	Superuser  bool
	Preferences

	Rooms      int // accesses
	Recordings int // accesses
	Files      int
}

// Preferences are what a person has chosen; two that mean the same are equal.
type Preferences struct {
	Language          string
	Timezone          string
	RoomAccessLevel   string // empty: none
	RoomConfiguration string // JSON in the database's one way to write it
}

// lostIn tells whether something was chosen that other does not have.
func (p Preferences) lostIn(other Preferences) bool {
	return p.Language != other.Language || p.Timezone != other.Timezone ||
		p.RoomAccessLevel != "" && p.RoomAccessLevel != other.RoomAccessLevel ||
		p.RoomConfiguration != "{}" && p.RoomConfiguration != other.RoomConfiguration
}

// HasSub tells whether a provider knows the account: an empty subject is none.
func (d *Duplicate) HasSub() bool { return d.Sub != nil && *d.Sub != "" }

// Duplicates are all accounts with one address.
type Duplicates struct {
	Address  string // what they have in common
	Survivor Duplicate
	Stale    []Duplicate // in the order of creation, then id
}

// Sort decides who survives: of the accounts in the order of creation, then id,
// the last one or the first (database.md §6). There must be one at least.
func Sort(address string, accounts []Duplicate, keep Keep) Duplicates {
	accounts = slices.SortedFunc(slices.Values(accounts), func(a, b Duplicate) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
	last := len(accounts) - 1
	if keep == KeepOldest {
		return Duplicates{Address: address, Survivor: accounts[0], Stale: accounts[1:]}
	}
	return Duplicates{Address: address, Survivor: accounts[last], Stale: accounts[:last]}
}

// Sub is the subject of the merged account: the survivor's own, or else that of
// the newest stale account that has one. Without it the person could not log in
// to the account any more.
func (d *Duplicates) Sub() *string {
	if d.Survivor.HasSub() {
		return d.Survivor.Sub
	}
	for _, s := range slices.Backward(d.Stale) {
		if s.HasSub() {
			return s.Sub
		}
	}
	return d.Survivor.Sub
}

// StaleIDs are the accounts that go away.
func (d *Duplicates) StaleIDs() []uuid.UUID {
	ids := make([]uuid.UUID, len(d.Stale))
	for i, s := range d.Stale {
		ids[i] = s.ID
	}
	return ids
}

// Merge is what is to be done with duplicates: the accesses and files go to the
// survivor, the stale accounts away. The survivor's e-mail becomes the address.
type Merge struct {
	Duplicates
	Sub *string // the survivor's from now on

	// What becomes of the accesses.
	ChangedRooms, ChangedRecordings []access.Change
	DroppedRooms, DroppedRecordings []access.Grant
}

// PlanMerge decides what is to be done; rooms and recordings are all accesses of
// these accounts.
func PlanMerge(d Duplicates, rooms, recordings []access.Grant) Merge {
	m := Merge{Duplicates: d, Sub: d.Sub()}
	stale := d.StaleIDs()
	m.ChangedRooms, m.DroppedRooms = access.Combine(d.Survivor.ID, stale, rooms)
	m.ChangedRecordings, m.DroppedRecordings = access.Combine(d.Survivor.ID, stale, recordings)
	return m
}

// Conflict is something that a merge would lose or decide, which an operator
// should know before.
type Conflict string

// The conflicts.
const (
	SeveralSubs     Conflict = "more than one account has a sub, only one is kept"
	InactiveMember  Conflict = "an account is inactive, the survivor's state counts"
	StaffLost       Conflict = "a staff account is lost"
	AdminEmailLost  Conflict = "an admin_email is lost"
	PreferencesLost Conflict = "preferences are lost"
)

// Conflicts lists what a merge would lose or decide.
func (d *Duplicates) Conflicts() []Conflict {
	subs, inactive := 0, 0
	for _, a := range append([]Duplicate{d.Survivor}, d.Stale...) {
		if a.HasSub() {
			subs++
		}
		if !a.Active {
			inactive++
		}
	}
	s := &d.Survivor
	lost := func(has func(Duplicate) bool) bool { return slices.ContainsFunc(d.Stale, has) }
	var found []Conflict
	for _, c := range []struct {
		conflict Conflict
		there    bool
	}{
		{SeveralSubs, subs > 1},
		{InactiveMember, inactive > 0},
		{StaffLost, lost(func(a Duplicate) bool { return a.Staff && !s.Staff || a.Superuser && !s.Superuser })},
		{AdminEmailLost, lost(func(a Duplicate) bool { return a.AdminEmail != nil && *a.AdminEmail != "" })},
		{PreferencesLost, lost(func(a Duplicate) bool { return a.lostIn(s.Preferences) })},
	} {
		if c.there {
			found = append(found, c.conflict)
		}
	}
	return found
}
