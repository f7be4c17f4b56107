package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// baseline is the server the subjects are measured against: net/http, a pool,
// and one point query on the same rows. It has nothing that could be left out.
func baseline(ctx context.Context, getenv func(string) string) error {
	set := flag.NewFlagSet("baseline", flag.ContinueOnError)
	listen := set.String("listen", "", "address")
	if err := set.Parse(os.Args[2:]); err != nil {
		return err //nolint:wrapcheck // flag has explained it
	}
	pool, err := pgxpool.New(ctx, getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer pool.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/__lbheartbeat__", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/check", func(w http.ResponseWriter, r *http.Request) {
		id, err := uuid.Parse(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("X-Original-URL"), "/media/recordings/"), ".mp4"))
		var status string
		if err == nil {
			err = pool.QueryRow(r.Context(), "SELECT status FROM meet_recording WHERE id = $1", id).Scan(&status)
		}
		if err != nil || status != "saved" {
			http.Error(w, "no", http.StatusForbidden)
		}
	})
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("baseline: %w", err)
	}
	return nil
}

// mediaAuth is benchmark a: the full check, 95 % allowed, against one query.
func mediaAuth(ctx context.Context, b *bench) error {
	d, err := seed(ctx, b)
	if d != nil {
		defer d.server.Close() //nolint:errcheck // thrown away
	}
	if err != nil {
		return err
	}
	subject, err := launch(ctx, b.meetd, []string{"serve"}, d.env())
	if err != nil {
		return err
	}
	defer subject.stop()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own program: %w", err)
	}
	base, err := launch(ctx, self, []string{"baseline"}, d.env())
	if err != nil {
		return err
	}
	defer base.stop()
	for _, connections := range []int{16, 64} {
		name := fmt.Sprintf("media-auth, %d connections", connections)
		metrics := []string{"req/s", "p99 ms", "server CPU µs/req"}
		err := b.compare("a", name, "meetd full check", "one point query", metrics, func(isSubject bool) ([]float64, error) {
			s, path := base, "/check"
			if isSubject {
				s, path = subject, "/api/v1.0/recordings/media-auth/"
			}
			before := cpu(s.pid)
			l, err := hammer(ctx, s.address, connections, b.period, func(conn, n int) request {
				i := (conn*7919 + n*104729) % recordings
				owner, status := i%users, http.StatusOK
				if n%20 == 19 { // somebody else asks
					owner = (owner + 1) % users
					if isSubject {
						status = http.StatusForbidden
					}
				}
				return request{method: http.MethodGet, status: status, raw: fmt.Appendf(nil,
					"GET %s HTTP/1.1\r\nHost: localhost\r\nCookie: meet_sessionid=%s\r\nX-Original-URL: /media/recordings/%s.mp4\r\nX-Original-Method: GET\r\n\r\n",
					path, d.secrets[owner], d.ids[i])}
			})
			if err != nil {
				return nil, err
			}
			used := (cpu(s.pid) - before) / float64(l.count) * 1e6
			return []float64{l.perSecond, float64(l.p99.Microseconds()) / 1000, used}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
