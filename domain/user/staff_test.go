package user

import (
	"errors"
	"strings"
	"testing"

	"meetd/domain/fault"
)

func TestCheckAdminEmail(t *testing.T) {
	t.Parallel()
	for email, ok := range map[string]bool{
		"root@example.org": true, "Root.Of+all@EXAMPLE.co.uk": true, "root@localhost": true, "o'neil@example.org": true,
		"root@xn--bcher-kva.example": true, strings.Repeat("a", 242) + "@example.org": true,
		"": false, "root": false, "@example.org": false, "root@": false, "root@example": false, "root@-example.org": false,
		"root@example.org.": false, "root@example-.org": false, "root@example.o-": false, "root@example.o": false,
		".root@example.org": false, "a..b@example.org": false, `"root"@example.org`: false, "a@b@example.org": false,
		" root@example.org": false, "root@example.org\n": false, "root @example.org": false, "Root <root@example.org>": false,
		"rööt@example.org": false, "root@exämple.org": false, "root\x00@example.org": false, strings.Repeat("a", 243) + "@example.org": false,
	} {
		if err := CheckAdminEmail(email); (err == nil) != ok || err != nil && !errors.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, accepted should be %t", email, err, ok)
		}
	}
}
