package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pg"
)

// Of a population, a tenth of the addresses have two accounts, and a tenth of
// those a third one that is still pending. Every account has two accesses to
// rooms and one to a recording; accounts of one person meet in the first room
// and in the recording. Every hundredth address is compared with the reference.
const crowdSQL = `
	-- Foreign keys are right by construction.
	SET session_replication_role = replica;
	CREATE FUNCTION bench_id(kind text, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$ SELECT md5(kind || n)::uuid $$;
	CREATE FUNCTION bench_role(n bigint) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT (ARRAY['member', 'administrator', 'owner'])[1 + n %% 3] $$;
	CREATE TABLE bench_account AS
		SELECT i AS n, bench_id('u', i) AS id, CASE WHEN i <= %[2]d THEN i WHEN i <= %[2]d + %[3]d THEN i - %[2]d ELSE i - %[2]d - %[3]d END AS person
		FROM generate_series(1::bigint, %[1]d) i;
	INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, sub, email, full_name, language, timezone, is_device, is_staff, is_active, default_room_configuration)
		SELECT id, '!', false, t, t, CASE WHEN n <= %[2]d + %[3]d THEN 's' || n END, CASE WHEN n = person THEN 'p' ELSE 'P' END || person || '@example.org',
			'Person ' || person, 'en-us', 'UTC', false, false, true, '{}'
		FROM bench_account, LATERAL (SELECT timestamptz '2026-01-01Z' + n * interval '1 second' AS t) x;
	INSERT INTO meet_resource SELECT bench_id('r', i), now(), now() FROM generate_series(1::bigint, %[1]d / 5) i;
	INSERT INTO meet_room (resource_id, name, slug, configuration, access_level) SELECT bench_id('r', i), 'room ' || i, 'room-' || i, '{}', 'public' FROM generate_series(1::bigint, %[1]d / 5) i;
	INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options) SELECT bench_id('r', i), now(), now(), 'saved', bench_id('r', i), 'screen_recording', '{}' FROM generate_series(1::bigint, %[1]d / 5) i;
	INSERT INTO meet_resource_access SELECT bench_id('a', n), now(), now(), bench_role(n), bench_id('r', 1 + 2 * person %% (%[1]d / 5)), id FROM bench_account;
	INSERT INTO meet_resource_access SELECT bench_id('b', n), now(), now(), bench_role(n + 1), bench_id('r', 2 + 2 * n %% (%[1]d / 5)), id FROM bench_account;
	INSERT INTO meet_recording_access SELECT bench_id('a', n), now(), now(), '', bench_role(n + 2), bench_id('r', 1 + person %% (%[1]d / 5)), id FROM bench_account;
	INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, creator_id)
		SELECT bench_id('f', n), now(), now(), 'background_image', 'a', 'a.png', 'ready', id FROM bench_account WHERE n %% 10 = 0;
	SET session_replication_role = origin;
	VACUUM ANALYZE`

// crowd is a database with duplicates and a server on it.
type crowd struct {
	data
	accounts, addresses int
	secrets             map[int]string // of the sessions, by account
}

// fillCrowd makes the population, and a copy of it.
func fillCrowd(ctx context.Context, b *bench) (*crowd, error) {
	b.say("filling a database with %d accounts …", b.accounts)
	server, err := pg.Start(ctx, pg.Options{Dir: filepath.Join(b.dir, "crowd"), Durable: true})
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	c := &crowd{data: data{server: server, dsn: server.DSN("postgres")}, accounts: b.accounts, addresses: b.accounts / 10, secrets: map[int]string{}}
	if err := migrate(ctx, c.env()); err != nil {
		return c, err
	}
	conn, err := pgx.Connect(ctx, c.dsn)
	if err != nil {
		return c, fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // everything is written
	persons := c.accounts - c.addresses - c.addresses/10
	for statement := range strings.SplitSeq(fmt.Sprintf(crowdSQL, c.accounts, persons, c.addresses), ";\n") {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return c, fmt.Errorf("%s: %w", statement, err)
		}
	}
	// Sessions of people with one account, and of some whose accounts are merged.
	for i := range 200 {
		n := c.addresses + 1 + i
		if i%2 == 1 {
			n = 10*i + 5 // and never one that is compared
		}
		c.secrets[n] = fmt.Sprintf("benchmarksecret%017d", n)
		hash := sha256.Sum256([]byte(c.secrets[n]))
		if _, err := conn.Exec(ctx, `INSERT INTO meetd.session VALUES ($1, bench_id('u', $2), '{}', now(), now() + interval '12 hours')`, hash[:], n); err != nil {
			return c, fmt.Errorf("session: %w", err)
		}
	}
	if err := conn.Close(ctx); err != nil {
		return c, fmt.Errorf("database: %w", err)
	}
	maker, err := pgx.Connect(ctx, server.DSN("template1"))
	if err != nil {
		return c, fmt.Errorf("database: %w", err)
	}
	defer maker.Close(ctx) //nolint:errcheck // the copy is made
	_, err = maker.Exec(ctx, `CREATE DATABASE reference TEMPLATE postgres`)
	return c, err //nolint:wrapcheck // says what
}

// env also lets people enter rooms.
func (c *crowd) env() map[string]string {
	env := c.data.env()
	env["LIVEKIT_API_URL"], env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"] = "http://127.0.0.1:9", "key", "secret-of-at-least-32-characters"
	return env
}

// compared is everything about the addresses that are compared, in lines.
const compared = `
	WITH u AS (SELECT * FROM meet_user WHERE lower(email COLLATE "C") IN (SELECT 'p' || n || '@example.org' FROM generate_series(100, $1::bigint, 100) n)
		AND email IS NOT NULL AND email <> '')
	SELECT to_jsonb(u)::text FROM u
	UNION ALL SELECT to_jsonb(a)::text FROM meet_resource_access a JOIN u ON u.id = a.user_id
	UNION ALL SELECT to_jsonb(a)::text FROM meet_recording_access a JOIN u ON u.id = a.user_id
	UNION ALL SELECT to_jsonb(f)::text FROM file f JOIN u ON u.id = f.creator_id
	ORDER BY 1`

func (c *crowd) compared(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, compared, c.addresses)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string]) //nolint:wrapcheck // says what
}

// reference merges every hundredth address row by row, as the rules are written,
// and tells how many accounts went away in a second.
func (c *crowd) reference(ctx context.Context, conn *pgx.Conn) (perSecond float64, err error) {
	start, gone := time.Now(), 0
	for n := 100; n <= c.addresses; n += 100 {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			stale, err := mergeOne(ctx, tx, fmt.Sprintf("p%d@example.org", n))
			gone += stale
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("reference: %w", err)
		}
	}
	return float64(gone) / time.Since(start).Seconds(), nil
}

// mergeOne merges the accounts of an address and tells how many went away.
func mergeOne(ctx context.Context, tx pgx.Tx, email string) (int, error) {
	type account struct {
		ID  uuid.UUID
		Sub *string
	}
	rows, err := tx.Query(ctx, `SELECT id, sub FROM meet_user WHERE lower(email COLLATE "C") = $1 AND email IS NOT NULL AND email <> '' ORDER BY created_at, id`, email)
	if err != nil {
		return 0, err //nolint:wrapcheck // by the caller
	}
	accounts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[account])
	if err != nil {
		return 0, err //nolint:wrapcheck // by the caller
	}
	last := len(accounts) - 1
	survivor, sub := accounts[last].ID, (*string)(nil)
	for _, a := range accounts[:last] {
		for table, object := range map[string]string{"meet_resource_access": "resource_id", "meet_recording_access": "recording_id"} {
			if err := mergeAccesses(ctx, tx, table, object, a.ID, survivor); err != nil {
				return 0, err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE file SET creator_id = $2 WHERE creator_id = $1`, a.ID, survivor); err != nil {
			return 0, err //nolint:wrapcheck // by the caller
		}
		for _, from := range []string{
			"meet_user_groups WHERE user_id", "meet_user_user_permissions WHERE user_id", "django_admin_log WHERE user_id", "meetd.session WHERE user_id", "meet_user WHERE id",
		} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+from+` = $1`, a.ID); err != nil {
				return 0, err //nolint:wrapcheck // by the caller
			}
		}
		if a.Sub != nil {
			sub = a.Sub
		}
	}
	_, err = tx.Exec(ctx, `UPDATE meet_user SET email = $2, sub = coalesce(sub, $3) WHERE id = $1`, survivor, email, sub)
	return last, err //nolint:wrapcheck // by the caller
}

func mergeAccesses(ctx context.Context, tx pgx.Tx, table, object string, stale, survivor uuid.UUID) error {
	type access struct {
		ID, Object uuid.UUID
		Role       string
	}
	rows, err := tx.Query(ctx, `SELECT id, `+object+`, role FROM `+table+` WHERE user_id = $1`, stale)
	if err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	accesses, err := pgx.CollectRows(rows, pgx.RowToStructByPos[access])
	if err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	roles := []string{"member", "administrator", "owner"}
	for _, a := range accesses {
		var own access
		err := tx.QueryRow(ctx, `SELECT id, `+object+`, role FROM `+table+` WHERE user_id = $1 AND `+object+` = $2`, survivor, a.Object).Scan(&own.ID, &own.Object, &own.Role)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			_, err = tx.Exec(ctx, `UPDATE `+table+` SET user_id = $2 WHERE id = $1`, a.ID, survivor)
		case err == nil:
			if slices.Index(roles, a.Role) > slices.Index(roles, own.Role) {
				_, err = tx.Exec(ctx, `UPDATE `+table+` SET role = $2 WHERE id = $1`, own.ID, a.Role)
			}
			if err == nil {
				_, err = tx.Exec(ctx, `DELETE FROM `+table+` WHERE id = $1`, a.ID)
			}
		}
		if err != nil {
			return err //nolint:wrapcheck // by the caller
		}
	}
	return nil
}

// prober asks the server all the time, as people of all kinds, and writes too.
type prober struct {
	mu       sync.Mutex
	statuses map[int]int
	times    []time.Duration
	err      error
}

func (p *prober) run(ctx context.Context, c *crowd, address string) {
	const csrf = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	client := &http.Client{Timeout: 30 * time.Second}
	who := make([]int, 0, len(c.secrets))
	for n := range c.secrets {
		who = append(who, n)
	}
	slices.Sort(who)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for turn := 0; ctx.Err() == nil; turn++ {
				n := who[(turn*4+worker)%len(who)]
				method, path, body := http.MethodGet, "/api/v1.0/users/me/", ""
				switch turn % 3 {
				case 1:
					path = fmt.Sprintf("/api/v1.0/rooms/room-%d/", n)
				case 2:
					method, path, body = http.MethodPost, "/api/v1.0/rooms/", fmt.Sprintf(`{"name": "made %d %d"}`, worker, turn)
				}
				req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, "http://"+address+path, strings.NewReader(body))
				if err != nil {
					p.note(0, 0, err)
					return
				}
				req.Header.Set("Cookie", "meet_sessionid="+c.secrets[n]+"; csrftoken="+csrf)
				req.Header.Set("X-CSRFToken", csrf)
				req.Header.Set("Content-Type", "application/json")
				start := time.Now()
				resp, err := client.Do(req)
				if err != nil {
					p.note(0, 0, err)
					return
				}
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				p.note(resp.StatusCode, time.Since(start), err)
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
	wg.Wait()
}

func (p *prober) note(status int, took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.err = errors.Join(p.err, err)
		return
	}
	p.statuses[status]++
	p.times = append(p.times, took)
}

// command runs meetd; when says at what point to kill it, if ever.
func (c *crowd) command(ctx context.Context, b *bench, when func() (bool, error), args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, b.meetd, args...) //nolint:gosec // our own
	cmd.Env = os.Environ()
	for name, value := range c.env() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &errs
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %v: %w", args, err)
	}
	if when != nil {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			now, err := when()
			if err != nil {
				return 0, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
			}
			if now {
				break
			}
			select {
			case <-ctx.Done():
				return 0, errors.Join(ctx.Err(), cmd.Process.Kill(), cmd.Wait())
			case <-tick.C:
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return time.Since(start), nil
	}
	if err := cmd.Wait(); err != nil {
		return 0, fmt.Errorf("%v: %w: %s", args, err, errs.String())
	}
	return time.Since(start), nil
}

// mergeAccounts is benchmark f: the merge of a tenth of all accounts beside a
// server in use, killed once, against the rules row by row on every hundredth.
func mergeAccounts(ctx context.Context, b *bench) error {
	c, err := fillCrowd(ctx, b)
	if c != nil {
		defer c.server.Close() //nolint:errcheck // thrown away
	}
	if err != nil {
		return err
	}
	copied, err := pgx.Connect(ctx, c.server.DSN("reference"))
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer copied.Close(ctx) //nolint:errcheck // only read
	b.say("merging row by row …")
	slow, err := c.reference(ctx, copied)
	if err != nil {
		return err
	}
	want, err := c.compared(ctx, copied)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, c.dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // only read
	before, err := c.compared(ctx, conn)
	if err != nil {
		return err
	}

	server, err := launch(ctx, b.meetd, []string{"serve"}, c.env())
	if err != nil {
		return err
	}
	defer server.stop()
	probing, stop := context.WithCancel(ctx)
	defer stop()
	p := &prober{statuses: map[int]int{}}
	probed := make(chan struct{})
	go func() { defer close(probed); p.run(probing, c, server.address) }()

	b.say("merging %d addresses beside a server in use …", c.addresses)
	half := func() (done bool, err error) {
		err = conn.QueryRow(ctx, `SELECT count(*) >= $1 FROM meetd.merge_group`, c.addresses/2).Scan(&done)
		return done, err
	}
	first, err := c.command(ctx, b, half, "merge-duplicate-users")
	if err != nil {
		return err
	}
	second, err := c.command(ctx, b, nil, "merge-duplicate-users")
	if err != nil {
		return err
	}
	took := first + second
	got, err := c.compared(ctx, conn)
	if err != nil {
		return err
	}
	var groups, merged, left int
	err = conn.QueryRow(ctx, `SELECT count(*), (SELECT count(*) FROM meetd.merge_item WHERE kind = 'account'),
		(SELECT count(*) FROM (SELECT FROM meet_user WHERE email <> '' GROUP BY lower(email COLLATE "C") HAVING count(*) > 1) d) FROM meetd.merge_group`).Scan(&groups, &merged, &left)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	b.say("merged in %.1f s; undoing …", took.Seconds())
	undone, err := c.command(ctx, b, nil, "unmerge-users", "1")
	if err != nil {
		return err
	}
	stop()
	<-probed
	after, err := c.compared(ctx, conn)
	switch {
	case err != nil:
		return err
	case !slices.Equal(want, got):
		return fmt.Errorf("the merge and the reference differ: %d and %d rows", len(got), len(want))
	case !slices.Equal(before, after):
		return fmt.Errorf("after the undoing it is not as before: %d and %d rows", len(after), len(before))
	case left > 0 || groups != c.addresses:
		return fmt.Errorf("%d of %d addresses were merged, %d have duplicates left", groups, c.addresses, left)
	case p.err != nil:
		return fmt.Errorf("the server did not answer: %w", p.err)
	}
	slices.Sort(p.times)
	failed := 0
	for status, n := range p.statuses {
		if status >= http.StatusInternalServerError {
			failed += n
		}
	}
	fast := float64(merged) / took.Seconds()
	b.say("f merge of %d accounts of %d addresses among %d: %.1f s (killed after %.1f s), %.0f accounts/s away; undone in %.1f s; %d rows equal the reference and, undone, those before",
		merged, groups, c.accounts, took.Seconds(), first.Seconds(), fast, undone.Seconds(), len(want))
	b.say("f meanwhile %d answers %v, %d of them 5xx, median %s, p99 %s, longest %s", len(p.times), p.statuses, failed,
		p.times[len(p.times)/2], p.times[len(p.times)*99/100], p.times[len(p.times)-1])
	if failed > 0 {
		return fmt.Errorf("%d answers of the server were 5xx", failed)
	}
	b.results = append(b.results, result{
		ID: "f", Name: fmt.Sprintf("merge among %d accounts", c.accounts), Subject: "meetd in batches", Baseline: "row by row, server idle", Metric: "accounts/s",
		Median: fast / slow, Min: fast / slow, Max: fast / slow, subject: fast, baseline: slow,
	}, result{
		ID: "f", Name: fmt.Sprintf("merge among %d accounts", c.accounts), Subject: "meetd in batches", Baseline: "goal", Metric: "minutes",
		Median: took.Minutes() / 5, Min: took.Minutes() / 5, Max: took.Minutes() / 5, subject: took.Minutes(), baseline: 5,
	})
	return nil
}
