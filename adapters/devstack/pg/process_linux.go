package pg

import "syscall"

// endWithParent lets the server shut down in order when our process dies.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGINT }
