package merge

import (
	"bufio"
	"context"
	"io"
	"strings"

	"meetd/domain/user"
	"meetd/ports"
)

// Report tells what an operator should know before a merge, and changes nothing.
func (s *Service) Report(ctx context.Context, scope ports.MergeScope, out io.Writer) error {
	w := bufio.NewWriter(out)
	addresses, err := s.found(ctx, scope, w)
	if err == nil && len(addresses) > 0 {
		var groups, accounts, conflicts int
		err = s.look(ctx, scope, addresses, func(d user.Duplicates) {
			groups++
			accounts += len(d.Stale)
			found := d.Conflicts()
			if len(found) > 0 {
				conflicts++
			}
			printf(w, "[INFO] Email '%s': %d users.\n", d.Address, len(d.Stale)+1)
			printAccount(w, "keep:", d.Survivor)
			for _, a := range d.Stale {
				printAccount(w, "stale:", a)
			}
			for _, c := range found {
				printf(w, "       [CONFLICT] %s.\n", c)
			}
		})
		if err == nil {
			printf(w, "[DONE] %d group(s), %d user(s) would be deleted, %d group(s) with conflicts.\n", groups, accounts, conflicts)
		}
	}
	return flushed(w, err)
}

func printAccount(w io.Writer, label string, a user.Duplicate) {
	login := "never"
	if a.LastLogin != nil {
		login = day(*a.LastLogin)
	}
	flags := []string{either(a.HasSub(), "sub", "no sub"), either(a.Active, "active", "inactive")}
	if a.Staff {
		flags = append(flags, "staff")
	}
	if a.Superuser {
		flags = append(flags, "superuser")
	}
	if a.AdminEmail != nil && *a.AdminEmail != "" {
		flags = append(flags, "admin_email")
	}
	printf(w, "       %-6s %s created %s, last login %s, %s, %d room access(es), %d recording access(es), %d file(s)\n",
		label, a.ID, day(a.CreatedAt), login, strings.Join(flags, ", "), a.Rooms, a.Recordings, a.Files)
}

func either(ok bool, yes, no string) string {
	if ok {
		return yes
	}
	return no
}
