package access

import "testing"

func TestRoles(t *testing.T) {
	t.Parallel()
	for role, want := range map[Role][2]bool{
		None: {false, false}, Member: {true, false}, Administrator: {true, true}, Owner: {true, true}, "Owner": {false, false},
	} {
		if role.Valid() != want[0] || role.Privileged() != want[1] {
			t.Errorf("%q: valid %v, privileged %v", role, role.Valid(), role.Privileged())
		}
	}
}
