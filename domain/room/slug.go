package room

import (
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
)

// MaxSlug is the longest slug that can be stored, in characters.
const MaxSlug = 100

// Slug is the address of a room with this name (database.md §4): compatibility
// decomposition, ASCII only, lower case, only letters, digits, underscores and
// single hyphens, no hyphen or underscore at the ends. It may be empty.
func Slug(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(name) {
		switch {
		case r == '-' || isSpace(r):
			gap = true
		case r == '_' || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z'):
			if gap {
				b.WriteByte('-')
				gap = false
			}
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			b.WriteRune(r)
		}
	}
	return strings.Trim(b.String(), "-_")
}

// isSpace is the ASCII white space that survives the ASCII filter, as the
// regular expression class of the reference implementation knows it.
func isSpace(r rune) bool {
	return r == ' ' || (r >= '\t' && r <= '\r') || (r >= 0x1c && r <= 0x1f)
}

// ParseID reads a UUID in every form the contract accepts in paths and refuses
// as a room name: hyphens anywhere, braces, a urn:uuid: prefix, any case
// (http-overview.md §5, database.md §4).
func ParseID(text string) (uuid.UUID, bool) {
	text = strings.ReplaceAll(text, "urn:", "")
	text = strings.ReplaceAll(text, "uuid:", "")
	text = strings.Trim(text, "{}")
	text = strings.ReplaceAll(text, "-", "")
	if len(text) != 32 {
		return uuid.Nil, false
	}
	var id uuid.UUID
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return uuid.Nil, false
	}
	return id, true
}

// Unregistered is what a room that nobody created is called, by what stands in its
// path. There is none without a name, since a token for no room opens every room,
// and none whose name only becomes an id by what Slug drops: that room may exist,
// and not be open to everybody.
func Unregistered(identifier string) (slug string, ok bool) {
	slug = Slug(identifier)
	_, asked := ParseID(identifier)
	_, id := ParseID(slug)
	return slug, slug != "" && (asked || !id)
}

// ReservedName reports whether a slug would be mistaken for a room id. Unlike
// ParseID it also takes an underscore between two digits, as the reference
// implementation's number parser does.
func ReservedName(slug string) bool {
	if _, ok := ParseID(slug); ok {
		return true
	}
	digits := strings.ReplaceAll(strings.ReplaceAll(slug, "urn:", ""), "uuid:", "")
	digits = strings.ReplaceAll(strings.Trim(digits, "{}"), "-", "")
	if len(digits) != 32 || digits[0] == '_' || digits[31] == '_' || strings.Contains(digits, "__") {
		return false
	}
	for _, r := range digits {
		if r != '_' && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}
