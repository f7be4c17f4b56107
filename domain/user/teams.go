package user

import (
	"slices"
	"unicode/utf8"
)

const (
	// MaxTeams is how many teams of a person are remembered.
	MaxTeams = 100
	// maxTeamName is how long the name of a team may be, in characters: as in the
	// accesses it stands for (database.md §2).
	maxTeamName = 100
)

// Teams reads the teams of a person from a claim: a list of texts, or one text.
// Names that no access can hold are left out, and so is what is more than
// MaxTeams; whole is false when anything was.
func Teams(claim any) (teams []string, whole bool) {
	var list []any
	switch c := claim.(type) {
	case nil:
		return nil, true
	case string:
		list = []any{c}
	case []any:
		list = c
	default:
		return nil, false
	}
	whole = true
	for _, entry := range list {
		name, ok := entry.(string)
		switch {
		case !ok, name == "", utf8.RuneCountInString(name) > maxTeamName, !utf8.ValidString(name), slices.Contains([]byte(name), 0):
			whole = false
		case slices.Contains(teams, name):
		case len(teams) == MaxTeams:
			return teams, false
		default:
			teams = append(teams, name)
		}
	}
	return teams, whole
}
