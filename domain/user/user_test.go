package user

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
)

func ptr(s string) *string { return &s }

func TestDisplayName(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("918689fb-038e-4e81-bf09-efd5902c5f0b")
	for want, u := range map[string]User{
		"Ada":                                  {FullName: ptr("Ada"), Email: ptr("a@b")},
		"a@b":                                  {FullName: ptr(""), Email: ptr("a@b"), AdminEmail: ptr("c@d")},
		"c@d":                                  {AdminEmail: ptr("c@d")},
		"918689fb-038e-4e81-bf09-efd5902c5f0b": {},
	} {
		u.ID = id
		if got := u.DisplayName(); got != want {
			t.Errorf("DisplayName() = %q, want %q", got, want)
		}
	}
	if u := (&User{ID: id}); u.Identity() != id.String() {
		t.Errorf("a pending account is called %q", u.Identity())
	}
	if u := (&User{ID: id, Sub: ptr("")}); u.Identity() != id.String() {
		t.Errorf("an account with an empty subject is called %q", u.Identity())
	}
	if u := (&User{ID: id, Sub: ptr("s")}); u.Identity() != "s" {
		t.Errorf("an account is called %q", u.Identity())
	}
}

func TestClaims(t *testing.T) {
	t.Parallel()
	names := ClaimNames{FullName: []string{"given_name", "usual_name"}, ShortName: "given_name"}
	for _, c := range []struct {
		info map[string]any
		want Claims
	}{
		{map[string]any{"sub": "s", "email": "e", "given_name": "Ada", "usual_name": "L", "email_verified": true}, Claims{"s", "e", true, "Ada L", "Ada"}},
		{map[string]any{"sub": "s", "given_name": "", "usual_name": "L"}, Claims{Sub: "s", FullName: "L"}},
		{map[string]any{"sub": 7, "email": nil, "email_verified": 1}, Claims{}},
		{map[string]any{"sub": "s", "email_verified": "true"}, Claims{Sub: "s", Verified: true}},
		{map[string]any{"sub": "s", "email_verified": "false"}, Claims{Sub: "s"}},
	} {
		if got := names.Claims(c.info); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.info, got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for sub, ok := range map[string]bool{
		"a": true, "ada.l@example+x-1_2": true, "été": true, strings.Repeat("a", 255): true,
		"": false, "a b": false, "a:b": false, "a\n": false, "a\x00": false, strings.Repeat("a", 256): false,
	} {
		if err := (Claims{Sub: sub}).Check(); (err == nil) != ok || (err != nil && !errors.Is(err, fault.Forbidden)) {
			t.Errorf("sub %q: %v", sub, err)
		}
	}
	for email, ok := range map[string]bool{
		"": true, "a@example.org": true, "A@EXAMPLE.org": true,
		"a": false, "Ada <a@example.org>": false, "a@b@c": false, " a@example.org": false, "a@example.org\n": false,
	} {
		if err := (Claims{Sub: "s", Email: email}).Check(); (err == nil) != ok {
			t.Errorf("e-mail %q: %v", email, err)
		}
	}
	for name, ok := range map[string]bool{strings.Repeat("é", 100): true, strings.Repeat("é", 101): false, "a\x00b": false} {
		if err := (Claims{Sub: "s", FullName: name}).Check(); (err == nil) != ok {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	u := New(uuid.New(), Claims{Sub: "s", Email: "e", FullName: "f"}, "en-us", time.Now())
	if *u.Sub != "s" || *u.Email != "e" || *u.FullName != "f" || u.ShortName != nil || !u.Active {
		t.Errorf("new: %+v", u)
	}
	if u.Update(Claims{Sub: "other", Email: "e"}) {
		t.Error("nothing new, yet changed")
	}
	if !u.Update(Claims{FullName: "g", ShortName: "h"}) || *u.Sub != "s" || *u.Email != "e" || *u.FullName != "g" || *u.ShortName != "h" {
		t.Errorf("updated: %+v", u)
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	var d SessionData
	start := time.Now()
	for i := range MaxPending + 5 {
		d.AddLogin(fmt.Sprint(i), PendingLogin{Nonce: fmt.Sprint(i), Added: start.Add(time.Duration(i) * time.Second)})
		d.AddLogout(fmt.Sprint(i), start.Add(time.Duration(i)*time.Second))
	}
	if len(d.Logins) != MaxPending || len(d.Logouts) != MaxPending {
		t.Errorf("%d logins and %d logouts are pending", len(d.Logins), len(d.Logouts))
	}
	if _, ok := d.TakeLogin("4"); ok {
		t.Error("the oldest was not dropped")
	}
	if p, ok := d.TakeLogin("5"); !ok || p.Nonce != "5" {
		t.Errorf("the sixth: %+v, %v", p, ok)
	}
	if _, ok := d.TakeLogin("5"); ok {
		t.Error("a state works twice")
	}
}
