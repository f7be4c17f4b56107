package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"meetd/adapters/devstack/programs"
)

// process is a server under measurement.
type process struct {
	address string
	pid     int
	ready   time.Duration // from its start to its first healthy answer
	p       *programs.Process
}

// launch starts a server that listens on an address of ours and waits for its
// health page.
func launch(ctx context.Context, path string, args []string, env map[string]string) (*process, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("no free port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("free port: %w", err)
	}
	cmd := exec.Command(path, append(args, "--listen", address)...) //nolint:gosec,noctx // our own programs, stopped by us
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("null device: %w", err)
	}
	defer null.Close() //nolint:errcheck // the child has its own
	cmd.Stdout = null
	start := time.Now()
	p, err := programs.Start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	s := &process{address: address, pid: cmd.Process.Pid, p: p}
	for deadline := start.Add(15 * time.Second); ; {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/__lbheartbeat__", nil)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				s.ready = time.Since(start)
				return s, nil
			}
		}
		select {
		case <-p.Exited():
			return nil, fmt.Errorf("%s ended: %s", path, stderr.String())
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = p.Stop(time.Second)
			return nil, fmt.Errorf("%s does not answer: %s", path, stderr.String())
		}
	}
}

func (s *process) stop() { _ = s.p.Stop(5 * time.Second) }

// cpu is the processor time a process has used, in seconds.
func cpu(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100 // clock ticks
}

// rss is the memory a process holds, in MB.
func rss(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024
		}
	}
	return 0
}
