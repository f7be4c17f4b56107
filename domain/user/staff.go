package user

import (
	"regexp"

	"github.com/google/uuid"

	"meetd/domain/fault"
)

// Staff is what an account is to the administration (database.md §2).
type Staff struct {
	ID         uuid.UUID
	AdminEmail string // what one logs in to the administration with
	Password   string // as stored: a hash, or what matches nothing
	Staff      bool   // may use the administration
	Superuser  bool   // may do everything there
	Active     bool   // false: may not log in anywhere
}

// adminEmail is what Django accepts as an address too: were the stored one
// refused there, the account could not be saved any more.
var adminEmail = regexp.MustCompile("(?i)^[-!#$%&'*+/=?^_`{|}~0-9a-z]+(\\.[-!#$%&'*+/=?^_`{|}~0-9a-z]+)*" +
	`@(localhost|([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{1,62}[a-z0-9])$`)

// CheckAdminEmail refuses what cannot be the login name of staff: fault.Invalid.
func CheckAdminEmail(email string) error {
	if len(email) > 254 || !adminEmail.MatchString(email) {
		return fault.About(fault.Invalid, "admin_email_invalid", email)
	}
	return nil
}
