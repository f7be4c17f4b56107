package pg

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const nobody = 65534

// runAs is whom PostgreSQL runs as, since it refuses root; nil means as we do.
func runAs() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
	if uerr != nil || gerr != nil {
		return &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// closedTo returns the directories on the way to path that as may not enter.
func closedTo(as *syscall.Credential, path string) (dirs []string, err error) {
	if as == nil {
		return nil, nil
	}
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("look at the directory of PostgreSQL: %w", err)
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, fmt.Errorf("look at the directory of PostgreSQL: %w", err)
		}
		st, mode := info.Sys().(*syscall.Stat_t), info.Mode().Perm()
		open := mode&0o001 != 0
		switch {
		case st.Uid == as.Uid:
			open = mode&0o100 != 0
		case st.Gid == as.Gid:
			open = mode&0o010 != 0
		}
		if !open {
			dirs = append(dirs, dir)
		}
		if dir == filepath.Dir(dir) {
			return dirs, nil
		}
	}
}

// mayEnter is an error if as cannot reach path.
func mayEnter(as *syscall.Credential, path string) error {
	dirs, err := closedTo(as, path)
	if err != nil || len(dirs) == 0 {
		return err
	}
	return fmt.Errorf("PostgreSQL does not run as root but as user %d, who may not enter %s: choose another directory than %s, or do not run as root", as.Uid, dirs[len(dirs)-1], path)
}

// letEnter opens the way to path for as where that harms nobody: at directories
// for temporary files, which Go's tests make as 0700.
func letEnter(as *syscall.Credential, path string) error {
	dirs, err := closedTo(as, path)
	if err != nil {
		return err
	}
	temp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return fmt.Errorf("look at the directory for temporary files: %w", err)
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err == nil && strings.HasPrefix(dir, temp+string(filepath.Separator)) {
			err = os.Chmod(dir, info.Mode().Perm()|0o011)
		}
		if err != nil {
			return fmt.Errorf("open the directory of PostgreSQL: %w", err)
		}
	}
	return mayEnter(as, path)
}
