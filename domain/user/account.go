package user

import (
	"strconv"
	"time"
	"unicode/utf8"

	"meetd/domain/fault"
)

// Account is a user as the administration sees it.
type Account struct {
	User

	Password    string // as stored
	Staff       bool
	Superuser   bool
	Device      bool
	LastLogin   *time.Time
	UpdatedAt   time.Time
	Groups      []int32
	Permissions []Permission
}

// Usable reports whether somebody can log in with a password.
func (a *Account) Usable() bool { return a.Password != "" && a.Password[0] != '!' }

// The lengths of passwords of staff, in characters. The longest keeps what has to
// be hashed short.
const (
	ShortestPassword = 12
	LongestPassword  = 256
)

// CheckPassword refuses a password that is too easy, or was typed differently the
// second time: fault.Invalid, for the fields password1 and password2.
func CheckPassword(password, again string, names ...*string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case n < ShortestPassword:
		return fault.Field("password1", "Use at least "+strconv.Itoa(ShortestPassword)+" characters.")
	case n > LongestPassword:
		return fault.Field("password1", "Use at most "+strconv.Itoa(LongestPassword)+" characters.")
	case password != again:
		return fault.Field("password2", "The two passwords are not the same.")
	}
	for _, name := range names {
		if name != nil && *name == password {
			return fault.Field("password1", "Do not use the name or address of the account.")
		}
	}
	return nil
}
