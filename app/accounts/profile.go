package accounts

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"
	_ "time/tzdata" // the names are known on machines that have none
	"unicode/utf8"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/user"
)

// maxSearch bounds what accounts are searched for, in characters. The database would
// compare every one of them with every account.
const maxSearch = 1000

// List returns a page of all accounts and how many there are; nobody where that
// is not switched on (http-users-rooms.md §1.2), or when nothing stored is as long as
// what is searched for.
func (s *Service) List(ctx context.Context, search string, offset, limit int) ([]*user.User, int, error) {
	if !s.Config.Listing || utf8.RuneCountInString(search) > maxSearch {
		return nil, 0, nil
	}
	return s.Store.Repos().Users.List(ctx, search, offset, limit)
}

// MayEdit refuses to edit another account than one's own: fault.Forbidden, or
// fault.NotFound when there is none.
func (s *Service) MayEdit(ctx context.Context, as *user.User, id uuid.UUID) error {
	if as.ID == id {
		return nil
	}
	if _, err := s.Store.Repos().Users.Get(ctx, id); err != nil {
		return err
	}
	return fault.New(fault.Forbidden, "permission")
}

// Edit changes the preferences of one's own account.
func (s *Service) Edit(ctx context.Context, as *user.User, change func(*user.User)) (*user.User, error) {
	u, err := s.Store.Repos().Users.Update(ctx, as.ID, s.Now(), func(u *user.User) error {
		change(u)
		return nil
	})
	if errors.Is(err, fault.NotFound) { // gone since the request began
		return nil, fault.New(fault.Unauthenticated, "credentials")
	}
	return u, err
}

// KnowsTimezone reports whether it is the IANA name of a time zone. Other ways to
// the same file, as Europe//Paris, are none, nor is the one of the machine.
func KnowsTimezone(name string) bool {
	if name == "" || name != path.Clean(name) || name == "Local" || name == "localtime" || name == "posixrules" ||
		strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}
