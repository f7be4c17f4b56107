package user

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"meetd/domain/fault"
)

// subPattern is what a subject may hold (database.md §2).
var subPattern = regexp.MustCompile(`^[\p{L}\p{N}_.@+-]+$`)

// Check refuses claims that could not be stored: fault.Forbidden names the claim.
func (c Claims) Check() error {
	switch {
	case !subPattern.MatchString(c.Sub) || utf8.RuneCountInString(c.Sub) > 255:
		return fault.About(fault.Forbidden, "claim_invalid", "sub")
	case c.Email != "" && !ValidEmail(c.Email):
		return fault.About(fault.Forbidden, "claim_invalid", "email")
	case utf8.RuneCountInString(c.FullName) > 100 || utf8.RuneCountInString(c.ShortName) > 100,
		strings.ContainsRune(c.FullName+c.ShortName, 0):
		return fault.About(fault.Forbidden, "claim_invalid", "name")
	}
	return nil
}
