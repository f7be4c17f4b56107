package user

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestFoldEmail(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{
		"Ada@EXAMPLE.org": "ada@example.org", "É@x": "É@x", "\u212A@x": "\u212A@x", "İI@x": "İi@x", "[\\]^_`@x": "[\\]^_`@x", "": "",
	} {
		if got := FoldEmail(email); got != want {
			t.Errorf("FoldEmail(%q) = %q, want %q", email, got, want)
		}
	}
}

func TestWhoSurvives(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	some := func(s string) *string { return &s }
	account := func(id byte, minutes int, sub *string) Duplicate {
		return Duplicate{ID: uuid.UUID{id}, CreatedAt: at.Add(time.Duration(minutes) * time.Minute), Sub: sub}
	}
	for _, c := range []struct {
		name     string
		accounts []Duplicate
		keep     Keep
		survivor byte
		stale    []byte
		sub      *string
	}{
		{"newest", []Duplicate{account(2, 1, some("b")), account(1, 2, some("a")), account(3, 0, some("c"))}, KeepNewest, 1, []byte{3, 2}, some("a")},
		{"oldest", []Duplicate{account(2, 1, some("b")), account(1, 2, some("a")), account(3, 0, some("c"))}, KeepOldest, 3, []byte{2, 1}, some("c")},
		{"tie, newest", []Duplicate{account(2, 0, nil), account(3, 0, nil), account(1, 0, nil)}, KeepNewest, 3, []byte{1, 2}, nil},
		{"tie, oldest", []Duplicate{account(2, 0, nil), account(3, 0, nil), account(1, 0, nil)}, KeepOldest, 1, []byte{2, 3}, nil},
		{"sub of the newest", []Duplicate{account(1, 1, some("a")), account(2, 2, some("b")), account(3, 3, some("")), account(4, 4, nil)}, KeepNewest, 4, []byte{1, 2, 3}, some("b")},
		{"sub for the oldest", []Duplicate{account(1, 1, some("")), account(2, 2, some("b")), account(3, 3, some("c"))}, KeepOldest, 1, []byte{2, 3}, some("c")},
		{"no sub, empty stays", []Duplicate{account(1, 1, nil), account(2, 2, some(""))}, KeepNewest, 2, []byte{1}, some("")},
	} {
		d := Sort("x", c.accounts, c.keep)
		var stale []byte
		for _, id := range d.StaleIDs() {
			stale = append(stale, id[0])
		}
		if d.Survivor.ID[0] != c.survivor || !slices.Equal(stale, c.stale) || !cmp.Equal(d.Sub(), c.sub) {
			t.Errorf("%s: survivor %d, stale %v, sub %s", c.name, d.Survivor.ID[0], stale, cmp.Diff(c.sub, d.Sub()))
		}
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	text := "x"
	plain := Duplicate{Active: true, Preferences: Preferences{Language: "en-us", Timezone: "UTC", RoomConfiguration: "{}"}}
	with := func(change func(*Duplicate)) Duplicate {
		d := plain
		change(&d)
		return d
	}
	sub := with(func(d *Duplicate) { d.Sub = &text })
	staff := with(func(d *Duplicate) { d.Staff, d.Superuser = true, true })
	for _, c := range []struct {
		name            string
		survivor, stale Duplicate
		want            []Conflict
	}{
		{"none", plain, plain, nil},
		{"one sub", plain, sub, nil},
		{"two subs", sub, sub, []Conflict{SeveralSubs}},
		{"inactive stale", plain, with(func(d *Duplicate) { d.Active = false }), []Conflict{InactiveMember}},
		{"inactive survivor", with(func(d *Duplicate) { d.Active = false }), plain, []Conflict{InactiveMember}},
		{"staff stays staff", staff, staff, nil},
		{"staff", plain, with(func(d *Duplicate) { d.Staff = true }), []Conflict{StaffLost}},
		{"superuser", with(func(d *Duplicate) { d.Staff = true }), staff, []Conflict{StaffLost}},
		{"admin_email", plain, with(func(d *Duplicate) { d.AdminEmail = &text }), []Conflict{AdminEmailLost}},
		{"the survivor's admin_email", with(func(d *Duplicate) { d.AdminEmail = &text }), plain, nil},
		{"language", plain, with(func(d *Duplicate) { d.Language = "fr-fr" }), []Conflict{PreferencesLost}},
		{"time zone", plain, with(func(d *Duplicate) { d.Timezone = "Europe/Paris" }), []Conflict{PreferencesLost}},
		{"room level", plain, with(func(d *Duplicate) { d.RoomAccessLevel = "trusted" }), []Conflict{PreferencesLost}},
		{"room configuration", plain, with(func(d *Duplicate) { d.RoomConfiguration = `{"a": 1}` }), []Conflict{PreferencesLost}},
		{"the survivor's room", with(func(d *Duplicate) { d.RoomAccessLevel, d.RoomConfiguration = "trusted", `{"a": 1}` }), plain, nil},
		{
			"all of them", sub, with(func(d *Duplicate) {
				d.Sub, d.AdminEmail, d.Staff, d.Active, d.Language = &text, &text, true, false, "nl-nl"
			}),
			[]Conflict{SeveralSubs, InactiveMember, StaffLost, AdminEmailLost, PreferencesLost},
		},
	} {
		d := Duplicates{Survivor: c.survivor, Stale: []Duplicate{c.stale}}
		if diff := cmp.Diff(c.want, d.Conflicts()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
