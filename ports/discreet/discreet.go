package discreet

import (
	"regexp"
	"strings"
)

var secrets = []struct {
	in  *regexp.Regexp
	out string
}{
	{regexp.MustCompile(`(://)[^\s/@"']*@`), "${1}***@"},
	{regexp.MustCompile(`(://[^\s?"']*)\?[^\s"']*`), "${1}?***"},
	{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[^\s"']+`), "${1} ***"},
	{regexp.MustCompile(`(?i)\b(\w*(?:password|passwd|secret|token|signature|api_?key))(["']?\s*[=:]\s*["']?)[^\s"',}]+`), "${1}${2}***"},
	{regexp.MustCompile(`[^\s<>()\[\]"',;:/\\]*[^\s<>()\[\]"',;:/\\*]@[^\s<>()\[\]"',;:/\\@]+`), "***"},
}

// Text gives the text without what is nobody's business.
func Text(text string) string {
	if !strings.ContainsAny(text, "@:=") && !strings.Contains(text, " ") {
		return text
	}
	for _, s := range secrets {
		text = s.in.ReplaceAllString(text, s.out)
	}
	return text
}
