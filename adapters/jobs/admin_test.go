package jobs

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDiscreet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "",
		"two\n\tlines\x1b[31m  of text": "two lines [31m of text",
		`Put "http://store/b/k?X-Amz-Signature=1&a=2": EOF`: `Put "http://store/b/k?***": EOF`,
		"dial postgres://u:hunter2@h/db: refused":           "dial postgres://***@h/db: refused",
		"it was sent authorization: Bearer abc.def":         "it was sent authorization: Bearer ***",
		`{"api_key": "abc", "room": "r"}`:                   `{"api_key": "***", "room": "r"}`,
		"client_secret=abc&x=1":                             "client_secret=***",
		`{"recording": "0192", "owner": "0193"}`:            `{"recording": "0192", "owner": "0193"}`,
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	if got := oneLine(strings.Repeat("é", 1000)); utf8.RuneCountInString(got) != longest+1 || !utf8.ValidString(got) {
		t.Errorf("a long text is shown with %d characters", utf8.RuneCountInString(got))
	}
}
