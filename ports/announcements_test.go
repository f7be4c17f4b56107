package ports_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"meetd/domain/fault"
	"meetd/ports"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	for _, c := range []ports.Cursor{{}, {Transaction: 3, ID: 1}, {Transaction: math.MaxInt64, ID: math.MaxInt64}} {
		if got, err := ports.ParseCursor(c.String()); err != nil || got != c {
			t.Errorf("%+v is read back as %+v, %v", c, got, err)
		}
	}
	if got, err := ports.ParseCursor(""); err != nil || got != (ports.Cursor{}) {
		t.Errorf("no cursor: %+v, %v", got, err)
	}
	good := ports.Cursor{Transaction: 3, ID: 1}.String()
	for _, text := range []string{
		"1", "x", good + "A", good[1:], good + "=", good[:10] + "\n" + good[10:], " " + good, good[:21] + "B",
		strings.Repeat("_", 21) + "w", // negative
	} {
		if got, err := ports.ParseCursor(text); !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// A text is a cursor only if that cursor is written so.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAMAAAAAAAAAAQ", "____________________-w", "AAAA\nAAAAAAAAAAAAAAAAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ports.ParseCursor(text)
		switch {
		case err != nil && !errors.Is(err, fault.Invalid):
			t.Errorf("%q: %v", text, err)
		case err == nil && (c.Transaction < 0 || c.ID < 0):
			t.Errorf("%q is %+v", text, c)
		case err == nil && text != "" && c.String() != text:
			t.Errorf("%q is %+v, which is written %q", text, c, c)
		}
	})
}
