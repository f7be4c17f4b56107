package app_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/programs"
	"meetd/app"
)

// asNode is set for a process that is to be the program instead of its tests.
const asNode = "MEETD_TEST_NODE"

// serve is what the program's main does.
func serve() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	err := func() error {
		c, err := app.Load(os.LookupEnv, os.ReadFile)
		if err != nil {
			return err
		}
		a, err := app.New(ctx, c, log, time.Now)
		if err != nil {
			return err
		}
		defer a.Close()
		l, err := app.Listen(ctx, c.Server.Listen)
		if err != nil {
			return err
		}
		return a.Run(ctx, l)
	}()
	if err != nil {
		log.Error("it ended", "error", err)
		return 1
	}
	return 0
}

// node is the program as a process of its own, which can be killed.
type node struct {
	*service

	env     map[string]string
	process *programs.Process
	command *exec.Cmd
}

// startNode runs the program until the test ends or it is killed. What startService
// says of env holds here too; several nodes may have one DATABASE_URL.
func startNode(t *testing.T, env map[string]string) *node {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // held nothing
	n := &node{env: settings(t, env), service: &service{URL: "http://" + address, cookie: "meet_sessionid", client: &http.Client{
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}, Timeout: time.Minute,
	}}}
	n.env["MEETD_LISTEN"], n.env[asNode] = address, "1"
	if n.DB, err = pgxpool.New(t.Context(), n.env["DATABASE_URL"]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.DB.Close)
	n.run(t)
	t.Cleanup(func() { _ = n.process.Stop(10 * time.Second) })
	return n
}

// run begins a process, and waits until it answers.
func (n *node) run(t *testing.T) {
	t.Helper()
	n.command = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	for name, value := range n.env {
		n.command.Env = append(n.command.Env, name+"="+value)
	}
	n.command.Stderr = t.Output()
	var err error
	if n.process, err = programs.Start(n.command); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the program answers", func() bool {
		select {
		case <-n.process.Exited():
			t.Fatal("the program ended")
		default:
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.URL+"/__lbheartbeat__", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := n.client.Do(req)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// kill ends the process as a power cut would.
func (n *node) kill(t *testing.T) {
	t.Helper()
	if err := n.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-n.process.Exited()
	n.client.CloseIdleConnections()
	// Whatever it was doing on the database is over, and what it had begun to do
	// counts as long ago.
	n.exec(t, `UPDATE meetd.river_job SET attempted_at = attempted_at - interval '1 hour' WHERE state = 'running'`)
	n.exec(t, `DELETE FROM meetd.river_leader`)
}

// try sends a request that the program may not live to answer: then it is 0.
func (n *node) try(req *http.Request) (status int) {
	resp, err := n.client.Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
