package access

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestHigher(t *testing.T) {
	t.Parallel()
	order := []Role{None, Member, Administrator, Owner}
	for i, a := range order {
		for j, b := range order {
			if got := Higher(a, b); got != order[max(i, j)] {
				t.Errorf("Higher(%q, %q) = %q", a, b, got)
			}
		}
	}
	if got := Higher("odd", "other"); got != "odd" {
		t.Errorf("of two that are no roles %q stays, want the first", got)
	}
}

func TestCombine(t *testing.T) {
	t.Parallel()
	survivor, first, second := uuid.UUID{3}, uuid.UUID{1}, uuid.UUID{2}
	here, there := uuid.UUID{10}, uuid.UUID{11}
	grant := func(id byte, account, object uuid.UUID, r Role) Grant {
		return Grant{ID: uuid.UUID{id}, Account: account, Object: object, Role: r}
	}
	for _, c := range []struct {
		name    string
		grants  []Grant
		changed []Change
		dropped []Grant
	}{
		{name: "none"},
		{name: "the survivor's own", grants: []Grant{grant(100, survivor, here, Owner)}},
		{
			name:    "the survivor's is high enough",
			grants:  []Grant{grant(101, first, here, Member), grant(100, survivor, here, Member)},
			dropped: []Grant{grant(101, first, here, Member)},
		},
		{
			name:    "one moves",
			grants:  []Grant{grant(101, second, here, Member)},
			changed: []Change{{grant(101, second, here, Member), grant(101, survivor, here, Member)}},
		},
		{
			name: "the first moves, the others raise it",
			grants: []Grant{
				grant(99, second, here, Owner), grant(101, first, here, Member),
				grant(102, first, there, Administrator), grant(103, survivor, there, Member), grant(104, second, there, Member),
			},
			changed: []Change{
				{grant(103, survivor, there, Member), grant(103, survivor, there, Administrator)},
				{grant(101, first, here, Member), grant(101, survivor, here, Owner)},
			},
			dropped: []Grant{grant(102, first, there, Administrator), grant(99, second, here, Owner), grant(104, second, there, Member)},
		},
	} {
		changed, dropped := Combine(survivor, []uuid.UUID{first, second}, c.grants)
		if diff := cmp.Diff([]any{c.changed, c.dropped}, []any{changed, dropped}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
