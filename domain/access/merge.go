package access

import "github.com/google/uuid"

// rank orders the roles; what is no role ranks lowest (database.md §6).
func (r Role) rank() int {
	switch r {
	case Owner:
		return 3
	case Administrator:
		return 2
	case Member:
		return 1
	default:
		return 0
	}
}

// Higher is the stronger of two roles, a when they are equal.
func Higher(a, b Role) Role {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// Grant is a role that an account has on a room or a recording.
type Grant struct {
	ID      uuid.UUID
	Account uuid.UUID
	Object  uuid.UUID
	Role    Role
}

// Change is a grant that stays, with what it was before.
type Change struct {
	Before Grant
	After  Grant
}

// Combine says what becomes of the grants of accounts that are merged: an
// account has one on each object at most. On every object one grant stays, the
// survivor's own or else that of the first stale account, with the highest role
// of all. changed are those that stay but not as they were; dropped go away
// (database.md §6). stale is in the order of the merge.
func Combine(survivor uuid.UUID, stale []uuid.UUID, grants []Grant) (changed []Change, dropped []Grant) {
	place := make(map[uuid.UUID]int, len(stale)+1)
	for i, id := range append([]uuid.UUID{survivor}, stale...) {
		place[id] = i
	}
	type pile struct {
		kept Grant // the one that stays
		role Role
	}
	piles := map[uuid.UUID]*pile{}
	var order []uuid.UUID // of the objects, as first met: the result does not depend on chance
	byPlace := make([][]Grant, len(place))
	for _, g := range grants {
		byPlace[place[g.Account]] = append(byPlace[place[g.Account]], g)
	}
	for _, of := range byPlace {
		for _, g := range of {
			p, ok := piles[g.Object]
			if !ok {
				piles[g.Object] = &pile{kept: g, role: g.Role}
				order = append(order, g.Object)
				continue
			}
			p.role = Higher(p.role, g.Role)
			dropped = append(dropped, g)
		}
	}
	for _, object := range order {
		p := piles[object]
		after := p.kept
		after.Account, after.Role = survivor, p.role
		if after != p.kept {
			changed = append(changed, Change{Before: p.kept, After: after})
		}
	}
	return changed, dropped
}
