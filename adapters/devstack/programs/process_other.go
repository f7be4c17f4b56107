//go:build !linux

package programs

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}
