package pgtest_test

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryTestHasItsOwnMigratedDatabase(t *testing.T) {
	t.Parallel()
	var seen atomic.Int32
	t.Run("clones", func(t *testing.T) {
		for i := range 4 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				c := connect(t, pgtest.DSN(t))
				if err := postgres.CheckSchema(t.Context(), c); err != nil {
					t.Fatal(err)
				}
				if _, err := c.Exec(t.Context(), `INSERT INTO django_site (domain, name) VALUES ('mine', 'mine')`); err != nil {
					t.Fatal(err)
				}
				var n int
				if err := c.QueryRow(t.Context(), `SELECT count(*) FROM django_site`).Scan(&n); err != nil || n != 2 {
					t.Errorf("%d rows (%v), want the template's and mine", n, err)
				}
				seen.Add(1)
			})
		}
	})
	if seen.Load() != 4 {
		t.Errorf("%d of 4 databases were usable", seen.Load())
	}
}

func TestEmptyDatabaseIsEmptyAndDroppedAtTheEnd(t *testing.T) {
	t.Parallel()
	var dsn string
	t.Run("use", func(t *testing.T) {
		dsn = pgtest.Empty(t)
		c := connect(t, dsn) // left open on purpose: the drop must not mind
		var n int
		if err := c.QueryRow(t.Context(), `SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d relations (%v), want none", n, err)
		}
	})
	if c, err := pgx.Connect(t.Context(), dsn); err == nil {
		_ = c.Close(t.Context())
		t.Error("the database outlived its test")
	}
}

func TestServerCanBeRestarted(t *testing.T) {
	t.Parallel()
	s := pgtest.Server(t)
	c := connect(t, s.DSN("postgres"))
	if _, err := c.Exec(t.Context(), `CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	before := s.DSN("postgres")
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()); err == nil {
		t.Error("the connection survived the kill")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.DSN("postgres") != before {
		t.Errorf("address changed from %s to %s", before, s.DSN("postgres"))
	}
	c = connect(t, before)
	var n int
	if err := c.QueryRow(t.Context(), `SELECT n FROM kept`).Scan(&n); err != nil || n != 1 {
		t.Errorf("read %d (%v) after the restart, want 1", n, err)
	}
}
