package room

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
)

func TestSlug(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Eléphant in the room": "elephant-in-the-room", "a room!": "a-room", "A Room!": "a-room",
		"Ünïcödé — naïve": "unicode-naive", "Straße": "strae", "foo_bar": "foo_bar", "__foo__": "foo",
		"--foo--bar--": "foo-bar", "ﬁne ½ ²": "fine-12-2", "Ærøskøbing": "rskbing", "İstanbul": "istanbul",
		"l'été à Nîmes": "lete-a-nimes", "C++ & Go": "c-go", "a.b.c": "abc", "a–b": "ab",
		"ＦＵＬＬ ｗｉｄｔｈ": "full-width", "日本語": "", "Дом": "", "!!!": "",
		"My Room!": "my-room", "Éléphant_x -- Y": "elephant_x-y", "A__B": "a__b", "_a_": "a", "a/b.c": "abc",
		"x'y": "xy", "Ünïcode ß": "unicode", "½": "12", "Réunion": "reunion", "a\tb\nc": "a-b-c", "a -_- b": "a-_-b",
	} {
		if got := Slug(name); got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzSlug(f *testing.F) {
	f.Add("Éléphant_x -- Y")
	f.Fuzz(func(t *testing.T, name string) {
		got := Slug(name)
		if Slug(got) != got {
			t.Fatalf("Slug(%q) = %q is not stable", name, got)
		}
		if strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" || strings.Contains(got, "--") {
			t.Fatalf("Slug(%q) = %q has a foreign character", name, got)
		}
	})
}

func TestParseID(t *testing.T) {
	t.Parallel()
	want := uuid.MustParse("918689fb-038e-4e81-bf09-efd5902c5f0b")
	for text, ok := range map[string]bool{
		"918689fb-038e-4e81-bf09-efd5902c5f0b": true, "918689FB038E4E81BF09EFD5902C5F0B": true,
		"{918689fb-038e-4e81-bf09-efd5902c5f0b}": true, "urn:uuid:918689fb-038e-4e81-bf09-efd5902c5f0b": true,
		"9-18689fb038e4e81bf09efd5902c5f0b-":  true,
		"918689fb-038e-4e81-bf09-efd5902c5f0": false, "918689fb-038e-4e81-bf09-efd5902c5f0g": false, "weekly": false, "": false,
		"９18689fb-038e-4e81-bf09-efd5902c5f0": false,
	} {
		id, got := ParseID(text)
		if got != ok || (ok && id != want) {
			t.Errorf("ParseID(%q) = %v, %v, want ok %v", text, id, got, ok)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, field := range map[string]string{
		"Weekly":                               "",
		strings.Repeat("a", 100):               "",
		strings.Repeat("a", 101):               "slug",
		"918689fb-038e-4e81-bf09-efd5902c5f0b": "name",
		"918689fb038e4e81bf09efd5902c5f0b":     "name",
		"918689fb038e4e81bf09_efd5902c5f0":     "name",
		"918689fb038e4e81bf09__fd5902c5f0":     "",
	} {
		r, err := New(uuid.New(), name, Public, nil, time.Now())
		if field == "" {
			if err != nil || r.Name != name {
				t.Errorf("New(%q): %v", name, err)
			}
			continue
		}
		var f *fault.Error
		if !errors.As(err, &f) || len(f.Fields[field]) != 1 || !errors.Is(err, fault.Invalid) {
			t.Errorf("New(%q): %v, want a fault on %s", name, err, field)
		}
	}
}

func TestAdmits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		level    AccessLevel
		loggedIn bool
		role     access.Role
		want     bool
	}{
		{Public, false, access.None, true},
		{Public, true, access.None, true},
		{Trusted, false, access.None, false},
		{Trusted, true, access.None, true},
		{Restricted, false, access.None, false},
		{Restricted, true, access.None, false},
		{Restricted, true, access.Member, true},
		{Restricted, true, access.Owner, true},
	} {
		r := &Room{AccessLevel: c.level}
		if got := r.Admits(c.loggedIn, c.role); got != c.want {
			t.Errorf("%s room, logged in %v, role %q: %v, want %v", c.level, c.loggedIn, c.role, got, c.want)
		}
	}
}

func TestPIN(t *testing.T) {
	t.Parallel()
	var limit *big.Int
	draw := func(n *big.Int) (*big.Int, error) { limit = n; return big.NewInt(12345), nil }
	if pin, err := PIN(10, draw); err != nil || pin != "0000012345" || limit.String() != "10000000000" {
		t.Errorf("PIN = %q, %v, drawn below %v", pin, err, limit)
	}
	if _, err := PIN(3, draw); err == nil {
		t.Error("a PIN of 3 digits was drawn")
	}
}
