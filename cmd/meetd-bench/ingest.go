package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pg"
)

// ingest is benchmark c: storage events, each about another recording, against
// pgbench changing one row durably, by prepared statements and, once, as it does by
// itself. Objects are not looked at and no jobs are worked on here, because both are
// other work than taking an event in; the jobs are noted all the same. At the end the
// program is killed while it takes events, and every one that it acknowledged must
// have had its effect.
func ingest(ctx context.Context, b *bench) error {
	program, err := findPgbench()
	if err != nil {
		return err
	}
	d, err := seed(ctx, b)
	if d != nil {
		defer d.server.Close() //nolint:errcheck // thrown away
	}
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // read to its end
	if err := prepareIngest(ctx, conn); err != nil {
		return err
	}
	env := d.env()
	env["RECORDING_STORAGE_EVENT_ENABLE"], env["RECORDING_STORAGE_EVENT_TOKEN"] = "true", hookToken
	env["MEETD_RECORDING_VERIFY_OBJECT"], env["MEETD_JOB_WORKERS"] = "false", "0"
	server, err := launch(ctx, b.meetd, []string{"serve"}, env)
	if err != nil {
		return err
	}
	defer server.stop()
	script := filepath.Join(b.dir, "update.sql")
	if err := os.WriteFile(script, []byte(updateScript), 0o644); err != nil { //nolint:gosec // for pgbench to read
		return fmt.Errorf("script of pgbench: %w", err)
	}
	for _, c := range []struct {
		clients int
		mode    string
	}{{1, "prepared"}, {8, "prepared"}, {32, "prepared"}, {32, "simple"}, {128, "prepared"}} {
		if err := b.compare("c", fmt.Sprintf("storage hook, %d clients", c.clients), "meetd", "pgbench -M "+c.mode,
			[]string{"events/s"}, func(isSubject bool) ([]float64, error) {
				if err := resetIngest(ctx, conn); err != nil {
					return nil, err
				}
				if !isSubject {
					perSecond, err := runPgbench(ctx, program, d.server, script, c.mode, c.clients, b.period)
					return []float64{perSecond}, err
				}
				var next atomic.Int64
				got, err := hammer(ctx, server.address, c.clients, b.period, func(_, _ int) request {
					return request{method: http.MethodPost, status: http.StatusOK, raw: hookRequest(d.ids[int(next.Add(1)-1)%len(d.ids)])}
				})
				return []float64{got.perSecond}, err
			}); err != nil {
			return err
		}
	}
	return killed(ctx, b, conn, server, d.ids)
}

const hookToken = "benchmark"

// updateScript changes one row of the same table, found by its primary key: what
// saving a recording takes at least.
const updateScript = `\set n random(1, 100000)
UPDATE meet_recording SET status = 'saved', updated_at = now() WHERE id = (SELECT id FROM bench_row WHERE n = :n);
`

// prepareIngest numbers the recordings, because pgbench cannot make up ids.
func prepareIngest(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `
		CREATE TABLE bench_row (n integer PRIMARY KEY, id uuid NOT NULL);
		INSERT INTO bench_row SELECT row_number() OVER (), id FROM meet_recording;`)
	return err //nolint:wrapcheck // names the statement
}

// resetIngest makes all recordings savable again.
func resetIngest(ctx context.Context, conn *pgx.Conn) error {
	for _, statement := range []string{
		`TRUNCATE meetd.kept_event, meetd.river_job`, `UPDATE meet_recording SET status = 'stopped' WHERE status <> 'stopped'`,
		`VACUUM ANALYZE meet_recording`, `CHECKPOINT`,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err //nolint:wrapcheck // names the statement
		}
	}
	return nil
}

func hookRequest(id uuid.UUID) []byte {
	body := `{"EventName":"s3:ObjectCreated:Put","Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"meet-media-storage"},` +
		`"object":{"key":"recordings%2F` + id.String() + `.mp4","size":1048576,"eTag":"0123456789abcdef","contentType":"video/mp4","sequencer":"17"}}}]}`
	return fmt.Appendf(nil, "POST /api/v1.0/recordings/storage-hook/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", hookToken, len(body), body)
}

func findPgbench() (string, error) {
	if program, err := exec.LookPath("pgbench"); err == nil {
		return program, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if len(found) == 0 {
		return "", errors.New("there is no pgbench: install PostgreSQL (Debian: apt-get install postgresql-15) or put pgbench on PATH")
	}
	return slices.Max(found), nil
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

func runPgbench(ctx context.Context, program string, server *pg.Server, script, mode string, clients int, period time.Duration) (float64, error) {
	cmd := exec.CommandContext(ctx, program, "-n", "-M", mode, "-c", strconv.Itoa(clients), "-j", "2", //nolint:gosec // found by us
		"-T", strconv.Itoa(max(1, int(period.Seconds()))), "-f", script, server.DSN("postgres"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, stderr.String())
	}
	found := tps.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("pgbench says no figure: %s", out)
	}
	return strconv.ParseFloat(string(found[1]), 64) //nolint:wrapcheck // digits only
}

// killed kills the program while it takes events.
func killed(ctx context.Context, b *bench, conn *pgx.Conn, server *process, ids []uuid.UUID) error {
	if err := resetIngest(ctx, conn); err != nil {
		return err
	}
	const clients = 32
	var (
		next  atomic.Int64
		mu    sync.Mutex
		acked []uuid.UUID
		wg    sync.WaitGroup
	)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				id := ids[int(next.Add(1)-1)%len(ids)]
				req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(hookRequest(id))))
				if err != nil {
					return
				}
				req.URL, req.RequestURI = &url.URL{Scheme: "http", Host: server.address, Path: req.URL.Path}, ""
				resp, err := client.Do(req.WithContext(ctx))
				if err != nil {
					return // the program is gone
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					mu.Lock()
					acked = append(acked, id)
					mu.Unlock()
				}
			}
		})
	}
	program, err := os.FindProcess(server.pid)
	if err != nil {
		return fmt.Errorf("find meetd: %w", err)
	}
	time.AfterFunc(b.period/2, func() { _ = program.Kill() })
	wg.Wait()
	var lost int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM meet_recording WHERE id = ANY($1) AND status <> 'saved'`, acked).Scan(&lost); err != nil {
		return err //nolint:wrapcheck // names the statement
	}
	b.say("c after kill -9: %d events were acknowledged, %d of them have no effect", len(acked), lost)
	if lost > 0 {
		return fmt.Errorf("%d of %d acknowledged events are lost", lost, len(acked))
	}
	return nil
}
