package audit

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

// The chain is for ever: what others computed with must give the same.
func TestChainGolden(t *testing.T) {
	t.Parallel()
	e := Stored{ID: 7, Event: Event{
		At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Action: LoggedIn, Actor: uuid.UUID{1}, Subject: "s",
		Details: map[string]string{"b": "2", "a": "1"},
	}}
	first := Seal{}.Next(e)
	if first.Seq != 1 || first.Event != 7 || first.Hash.String() != "acf6cb08e72babe0996e451e4fee92971688fe1b0b5891987a194912494a4e81" {
		t.Errorf("the first seal is %+v, %s", first, first.Hash)
	}
	if second := first.Next(e); second.Seq != 2 || second.Hash.String() != "329de4539087ee7e1ae2413489259218374c4ba9527ddbaa50fe18204429c2d9" {
		t.Errorf("the second seal is %+v, %s", second, second.Hash)
	}
	if h, ok := ParseHash(first.Hash.String()); !ok || h != first.Hash {
		t.Error("a hash is not read as it was written")
	}
	for _, bad := range []string{"", "00", "zz", first.Hash.String() + "00"} {
		if _, ok := ParseHash(bad); ok {
			t.Errorf("%q is read as a hash", bad)
		}
	}
}

// No part of an event can be changed, nor moved into another one.
func TestChainCoversAll(t *testing.T) {
	t.Parallel()
	plain := func() Stored {
		return Stored{ID: 7, Event: Event{
			At: time.Unix(1, 0), Action: "ab", Actor: uuid.UUID{1}, Subject: "cd", Details: map[string]string{"e": "f"},
		}}
	}
	seen := map[Hash]string{}
	for name, change := range map[string]func(*Stored){
		"nothing":         func(*Stored) {},
		"id":              func(e *Stored) { e.ID++ },
		"time":            func(e *Stored) { e.At = e.At.Add(time.Microsecond) },
		"actor":           func(e *Stored) { e.Actor[15]++ },
		"nobody":          func(e *Stored) { e.Actor = uuid.Nil },
		"action":          func(e *Stored) { e.Action = "ax" },
		"subject":         func(e *Stored) { e.Subject = "cx" },
		"moved":           func(e *Stored) { e.Action, e.Subject = "abc", "d" },
		"detail":          func(e *Stored) { e.Details["e"] = "x" },
		"detail's name":   func(e *Stored) { e.Details = map[string]string{"x": "f"} },
		"detail moved":    func(e *Stored) { e.Details = map[string]string{"ef": ""} },
		"one detail more": func(e *Stored) { e.Details["g"] = "" },
		"no details":      func(e *Stored) { e.Details = nil },
	} {
		e := plain()
		change(&e)
		h := Seal{}.Next(e).Hash
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
	if (Seal{}).Next(plain()).Hash == (Seal{Hash: Hash{1}}).Next(plain()).Hash {
		t.Error("the seal before does not matter")
	}
}
