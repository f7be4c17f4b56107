package pgtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pg"
	"meetd/adapters/postgres"
)

const template = "meetd_template"

// cluster is the server of this test process.
var cluster struct {
	mu     sync.Mutex
	server *pg.Server
	err    error // why there is no server, so that it is not tried for every test
	// ready tells that the template exists.
	ready bool
}

// Main runs the tests of a package and then stops the server, if one was started.
// TestMain calls it and returns.
func Main(m *testing.M) {
	m.Run()
	Close()
}

// Close stops the server, if one was started, for a TestMain that stops other
// servers too and so cannot call Main.
func Close() {
	cluster.mu.Lock()
	defer cluster.mu.Unlock()
	if cluster.server == nil {
		return
	}
	if err := cluster.server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the test database server:", err)
	}
	cluster.server, cluster.ready = nil, false
}

// DSN is the address of a fresh migrated database, which is dropped when the
// test ends.
func DSN(t testing.TB) string {
	t.Helper()
	return create(t, true)
}

// Empty is the address of a fresh database with nothing in it, which is dropped
// when the test ends.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, false)
}

// Server is a server that only this test uses, with no database of meetd's yet:
// to be stopped, killed and restarted. It is stopped when the test ends.
func Server(t testing.TB) *pg.Server {
	t.Helper()
	s, err := pg.Start(t.Context(), options())
	if err != nil {
		t.Fatalf("start a database server for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("stop the database server of the test: %v", err)
		}
	})
	return s
}

func options() pg.Options {
	if os.Getenv("MEETD_TEST_SERVERS") != "docker" {
		return pg.Options{}
	}
	return pg.Options{Image: cmp.Or(os.Getenv("MEETD_TEST_POSTGRES_IMAGE"), "postgres:16-alpine")}
}

// create makes one database at a time: a template can be cloned only once at a
// time, and a first use makes the template.
func create(t testing.TB, migrated bool) string {
	t.Helper()
	cluster.mu.Lock()
	defer cluster.mu.Unlock()
	ctx := context.WithoutCancel(t.Context()) // the cleanup runs after the test's context ended
	if err := start(ctx); err != nil {
		t.Fatalf("start the test database server: %v", err)
	}
	name := "test_" + uuid.NewString()
	statement := "CREATE DATABASE " + quote(name)
	if migrated {
		if err := makeTemplate(ctx); err != nil {
			t.Fatalf("make the template of the test databases: %v", err)
		}
		statement += " TEMPLATE " + template
	}
	server := cluster.server
	if err := execute(ctx, server, statement); err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(ctx, server, "DROP DATABASE "+quote(name)+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return server.DSN(name)
}

func start(ctx context.Context) error {
	if cluster.server == nil && cluster.err == nil {
		cluster.server, cluster.err = pg.Start(ctx, options())
	}
	return cluster.err
}

func makeTemplate(ctx context.Context) error {
	if cluster.ready {
		return nil
	}
	err := errors.Join(
		execute(ctx, cluster.server, "DROP DATABASE IF EXISTS "+template+" WITH (FORCE)"),
		execute(ctx, cluster.server, "CREATE DATABASE "+template),
		postgres.Migrate(ctx, cluster.server.DSN(template), slog.New(slog.DiscardHandler)),
	)
	cluster.ready = err == nil
	return err
}

func execute(ctx context.Context, s *pg.Server, statement string) error {
	c, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, statement)
	return errors.Join(err, c.Close(ctx))
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
