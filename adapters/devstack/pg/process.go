package pg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a server may take over one kind of stop.
const patience = 20 * time.Second

// process is a child; done closes when it and all its own children have ended.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// spawn starts cmd as a child that ends with us, where the system can do that.
func spawn(cmd *exec.Cmd) (*process, error) {
	endWithParent(cmd.SysProcAttr)
	// The children inherit the writing end: reading ends when the last one is gone,
	// which matters when the server is killed and cannot wait for them.
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{theirs}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel takes the end of this thread for the end of the parent. It is
		// never unlocked: it ends with this goroutine, after the child.
		runtime.LockOSThread()
		defer func() { _ = ours.Close() }()
		err := cmd.Start()
		_ = theirs.Close()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			_, _ = io.Copy(io.Discard, ours)
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// end stops the child by sig, more firmly if it takes too long, and waits for it.
func (p *process) end(sig syscall.Signal) {
	for _, s := range []syscall.Signal{sig, syscall.SIGQUIT, syscall.SIGKILL} {
		_ = p.cmd.Process.Signal(s)
		select {
		case <-p.done:
			return
		case <-time.After(patience):
		}
	}
}

// endLeftover stops a server that serves data although its parent is gone, and
// removes a note of a server whose number another process has by now.
func endLeftover(data string) error {
	note := filepath.Join(data, "postmaster.pid")
	raw, err := os.ReadFile(note) //nolint:gosec // in the server's own folder
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a PostgreSQL left running: %w", err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 || !strings.Contains(commandLine(pid), data) {
		return os.Remove(note)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if errors.Is(syscall.Kill(pid, s), syscall.ESRCH) || gone(pid, patience) {
			return nil
		}
	}
	return fmt.Errorf("a PostgreSQL left running on %s does not stop: end process %d", data, pid)
}

// gone waits until there is no process pid.
func gone(pid int, limit time.Duration) bool {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	end := time.After(limit)
	for {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		select {
		case <-tick.C:
		case <-end:
			return false
		}
	}
}

// commandLine is what process pid was started with, empty if there is none.
func commandLine(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil && runtime.GOOS != "linux" {
		raw, _ = exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec,noctx // a number; ends at once
	}
	return strings.ReplaceAll(string(raw), "\x00", " ")
}
