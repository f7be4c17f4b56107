package accounts

import (
	"net/url"
	"slices"
	"strings"
)

// maxTarget is the longest return target, in bytes: it is stored for whoever
// begins to log in.
const maxTarget = 4096

// safeTarget returns target if a browser may be sent there after a login, else
// nothing (oidc.md §2): a path of ours, or an address on the host it came to or
// on an allowed one.
func (c Config) safeTarget(target, host string) string {
	if target == "" || len(target) > maxTarget || strings.ContainsFunc(target, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ""
	}
	// Browsers take back slashes for slashes and fold leading white space.
	clean := strings.ReplaceAll(target, `\`, "/")
	if clean != strings.TrimSpace(clean) || strings.HasPrefix(clean, "///") {
		return ""
	}
	u, err := url.Parse(clean)
	if err != nil || u.Opaque != "" || u.User != nil {
		return ""
	}
	switch {
	case u.Scheme == "" && u.Host == "":
		if !strings.HasPrefix(clean, "/") {
			return ""
		}
		return target
	case u.Scheme == "" || u.Host == "":
		return ""
	case u.Scheme != "https" && (u.Scheme != "http" || c.ReturnHTTPS):
		return ""
	case u.Host != host && !slices.Contains(c.ReturnHosts, u.Host):
		return ""
	}
	return target
}
