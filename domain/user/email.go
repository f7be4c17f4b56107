package user

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode/utf8"
)

// MaxEmail is how long an e-mail address may be, in characters (database.md §2).
const MaxEmail = 254

var (
	localPart = regexp.MustCompile(`(?i)^[-!#$%&'*+/=?^_{}|~` + "`" + `0-9a-z]+(\.[-!#$%&'*+/=?^_{}|~` + "`" + `0-9a-z]+)*$`)
	// A label of a domain: letters of any script, digits, hyphens inside.
	domainLabel = regexp.MustCompile(`(?i)^[a-z0-9\x{a1}-\x{ffff}]([a-z0-9\x{a1}-\x{ffff}-]{0,61}[a-z0-9\x{a1}-\x{ffff}])?$`)
)

// ValidEmail reports whether the text is an address as the contract takes them
// (database.md §4): a plain local part, and a domain with a dot, localhost, or
// an IP address in brackets. Quoted local parts are refused; nobody has them.
func ValidEmail(text string) bool {
	local, domain, ok := cutLast(text, "@")
	if !ok || utf8.RuneCountInString(text) > MaxEmail || !localPart.MatchString(local) {
		return false
	}
	if inner, ok := strings.CutPrefix(domain, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Zone() == ""
	}
	if strings.EqualFold(domain, "localhost") {
		return true
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if !domainLabel.MatchString(label) {
			return false
		}
	}
	return len(labels) > 1 && len(labels[len(labels)-1]) > 1
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
