package user

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"meetd/domain/fault"
)

func TestOperator(t *testing.T) {
	t.Parallel()
	if p := Permit(Change, RoomAccessModel); p != "core.change_resourceaccess" {
		t.Errorf("the permission is %q", p)
	}
	rooms := map[Permission]bool{"core.change_room": true, "core.view_recording": true}
	for _, c := range []struct {
		o    Operator
		v    Verb
		m    Model
		want bool
	}{
		{Operator{Staff: true, Permissions: rooms}, Change, RoomModel, true},
		{Operator{Staff: true, Permissions: rooms}, View, RoomModel, true}, // goes with change
		{Operator{Staff: true, Permissions: rooms}, Delete, RoomModel, false},
		{Operator{Staff: true, Permissions: rooms}, View, RecordingModel, true},
		{Operator{Staff: true, Permissions: rooms}, Change, RecordingModel, false},
		{Operator{Permissions: rooms}, View, RoomModel, false},
		{Operator{Superuser: true}, View, RoomModel, false}, // not of staff
		{Operator{Staff: true, Superuser: true}, Delete, LogModel, true},
	} {
		if got := c.o.May(c.v, c.m); got != c.want {
			t.Errorf("%+v may %s %s: %v", c.o, c.v, c.m, got)
		}
	}
	me := Operator{ID: uuid.New(), Staff: true}
	for name, c := range map[string]struct {
		a    Account
		want bool
	}{
		"somebody": {Account{}, true}, "staff": {Account{Staff: true}, false}, "a superuser": {Account{Superuser: true}, false},
		"himself": {Account{User: User{ID: me.ID}, Staff: true}, true},
	} {
		if got := me.MayTouch(&c.a); got != c.want {
			t.Errorf("a clerk may touch %s: %v", name, got)
		}
	}
	empty, full := &Group{Name: "empty"}, &Group{Name: "full", Permissions: []Permission{"core.view_room"}}
	root := Operator{Staff: true, Superuser: true}
	if !me.MayDrop(empty) || me.MayDrop(full) || !root.MayDrop(full) {
		t.Error("a clerk may delete groups that allow nothing, a superuser all of them")
	}
}

func TestCheckPassword(t *testing.T) {
	t.Parallel()
	name := "ada@example.org"
	for password, field := range map[string]string{
		"correct horse": "", "twelve chars": "", "eleven char": "password1", "": "password1", name: "password1",
		strings.Repeat("é", LongestPassword): "", strings.Repeat("é", LongestPassword+1): "password1",
	} {
		err := CheckPassword(password, password, nil, &name)
		var f *fault.Error
		if (err != nil) != (field != "") || errors.As(err, &f) && f.Fields[field] == nil {
			t.Errorf("%q: %v, want a fault on %q", password, err, field)
		}
	}
	if err := CheckPassword("correct horse", "correct house"); err == nil {
		t.Error("two passwords that differ are taken")
	}
}
