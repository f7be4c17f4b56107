package user

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTeams(t *testing.T) {
	t.Parallel()
	many := make([]any, MaxTeams+1)
	for i := range many {
		many[i] = fmt.Sprint("team", i)
	}
	for name, c := range map[string]struct {
		claim any
		want  []string
		whole bool
	}{
		"no claim":         {nil, nil, true},
		"an empty list":    {[]any{}, nil, true},
		"a list":           {[]any{"a", "b", "a"}, []string{"a", "b"}, true},
		"one text":         {"a", []string{"a"}, true},
		"something else":   {map[string]any{"a": true}, nil, false},
		"odd entries":      {[]any{"", 1, nil, []any{"x"}, "a", "n\x00ul", "\xff"}, []string{"a"}, false},
		"a long name":      {[]any{strings.Repeat("é", 100), strings.Repeat("é", 101)}, []string{strings.Repeat("é", 100)}, false},
		"more than enough": {many, nil, false},
	} {
		teams, whole := Teams(c.claim)
		if name == "more than enough" {
			if len(teams) != MaxTeams || whole {
				t.Errorf("%s: %d, whole %v", name, len(teams), whole)
			}
			continue
		}
		if !slices.Equal(teams, c.want) || whole != c.whole {
			t.Errorf("%s: %v, whole %v", name, teams, whole)
		}
	}
}
