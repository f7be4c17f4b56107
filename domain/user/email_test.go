package user

import (
	"strings"
	"testing"
)

func TestValidEmail(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	for email, want := range map[string]bool{
		"ada@example.org": true, "ADA@EXAMPLE.ORG": true, "a.b+c_d-e@sub.example.co.uk": true, "!#$%&'*/=?^`{|}~@x.fr": true,
		"ada@localhost": true, "ada@LOCALHOST": true, "ada@exämple.org": true, "ada@" + label + ".org": true, "1@2.34": true,
		"ada@[127.0.0.1]": true, "ada@[::1]": true, "ada@xn--exmple-cua.org": true,

		"": false, "ada": false, "@example.org": false, "ada@": false, "ada@example": false, "ada@.org": false, "ada@example.": false,
		"ada@example..org": false, ".ada@example.org": false, "ada.@example.org": false, "a..b@example.org": false,
		"ada@-example.org": false, "ada@example-.org": false, "ada@ex_ample.org": false, "ada@" + label + "a.org": false,
		"ada@example.o": false, "a b@example.org": false, "ada@exam ple.org": false, "ada@b@example.org": false,
		"ada@example.org\n": false, "\tada@example.org": false, "ada\x00@example.org": false, "été@example.org": false,
		`"ada lovelace"@example.org`: false, "Ada <ada@example.org>": false, "ada@[127.0.0.1": false, "ada@[300.0.0.1]": false,
		"ada@[fe80::1%25eth0]": false, "ada@127.0.0.1,eve@evil.com": false, "ada@example.org,eve@evil.com": false,
		strings.Repeat("a", 242) + "@example.org": true, strings.Repeat("a", 243) + "@example.org": false,
	} {
		if got := ValidEmail(email); got != want {
			t.Errorf("%q: %v", email, got)
		}
	}
}

func TestTakeRefused(t *testing.T) {
	t.Parallel()
	data := func() SessionData {
		return SessionData{Logins: map[string]PendingLogin{"loud": {Nonce: "n"}, "quiet": {Nonce: "m", Silent: true}}}
	}
	for name, c := range map[string]struct {
		state         string
		nobodyThere   bool
		known, silent bool
		kept, still   bool // the state, and the silence of the quiet one
	}{
		"quiet, nobody there":   {"quiet", true, true, true, true, false},
		"quiet, other error":    {"quiet", false, true, true, false, false},
		"loud, nobody there":    {"loud", true, true, false, false, true},
		"loud, other error":     {"loud", false, true, false, false, true},
		"unknown, nobody there": {"x", true, false, true, false, true},
		"unknown, other error":  {"x", false, false, true, false, false},
	} {
		d := data()
		known, silent := d.TakeRefused(c.state, c.nobodyThere)
		_, kept := d.Logins[c.state]
		if known != c.known || silent != c.silent || kept != c.kept || d.Logins["quiet"].Silent != c.still {
			t.Errorf("%s: known %v, silent %v, kept %v: %+v", name, known, silent, kept, d.Logins)
		}
	}
	none := SessionData{}
	if known, silent := none.TakeRefused("x", true); known || silent {
		t.Errorf("no logins: %v %v", known, silent)
	}
}
