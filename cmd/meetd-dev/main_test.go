package main

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"

	"meetd/adapters/devstack/store"
)

func TestMain(m *testing.M) {
	store.Child()
	m.Run()
}

// The whole main job on real servers, started as the command starts them.
func TestDemo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--demo"}, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), " steps, 0 failed") || strings.Count(out.String(), "\nok  ") < 20 {
		t.Errorf("the demo did too little:\n%s", out.String())
	}
}

// Everything starts twice on one folder, which keeps the data.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		out := &until{text: "Ctrl-C stops everything.", reached: cancel}
		if err := run(ctx, []string{"--listen", "127.0.0.1:0", "--data", dir}, out, out); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !strings.Contains(out.String(), "account              ada / ada") {
			t.Errorf("no account is named:\n%s", out.String())
		}
	}
}

// until calls reached once a text was written.
type until struct {
	bytes.Buffer
	text    string
	reached func()
}

func (u *until) Write(p []byte) (int, error) {
	n, err := u.Buffer.Write(p)
	if strings.Contains(u.String(), u.text) {
		u.reached()
	}
	return n, err
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	var out bytes.Buffer
	err = run(t.Context(), []string{"--listen", l.Addr().String(), "--data", t.TempDir()}, &out, &out)
	if err == nil || !strings.Contains(err.Error(), "cannot listen on "+l.Addr().String()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a port in use: %v", err)
	}
	if err := run(t.Context(), []string{"nonsense"}, &out, &out); err == nil {
		t.Error("a wrong argument was taken")
	}
}
