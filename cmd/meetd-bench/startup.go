package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"meetd/adapters/devstack/pg"
)

// startUp is benchmark e: time to the first healthy answer, memory, size.
func startUp(ctx context.Context, b *bench) error {
	server, err := pg.Start(ctx, pg.Options{Dir: filepath.Join(b.dir, "small"), Durable: true})
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	defer server.Close() //nolint:errcheck // thrown away
	d := &data{dsn: server.DSN("postgres")}
	if err := migrate(ctx, d.env()); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own program: %w", err)
	}
	metrics := []string{"start ms", "idle RSS MB", "RSS MB at 1,000 connections", "RSS MB at 10,000 connections"}
	err = b.compare("e", "start-up and memory", "meetd serve", "bare server with a pool", metrics, func(isSubject bool) ([]float64, error) {
		path, args := self, []string{"baseline"}
		if isSubject {
			path, args = b.meetd, []string{"serve"}
		}
		s, err := launch(ctx, path, args, d.env())
		if err != nil {
			return nil, err
		}
		defer s.stop()
		figures := []float64{float64(s.ready.Microseconds()) / 1000}
		held := 0
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				_ = c.Close()
			}
		}()
		for _, want := range []int{0, 1000, 10_000} {
			for ; held < want; held++ {
				c, err := keepAlive(ctx, s.address)
				if err != nil {
					return nil, err
				}
				conns = append(conns, c)
			}
			select { // let it settle
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(time.Second):
			}
			figures = append(figures, rss(s.pid))
		}
		return figures, nil
	})
	if err != nil {
		return err
	}
	size := func(path string) float64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return float64(info.Size()) / (1 << 20)
	}
	return b.compare("e", "size of the program", "meetd", "meetd-bench", []string{"MB"}, func(isSubject bool) ([]float64, error) {
		if isSubject {
			return []float64{size(b.meetd)}, nil
		}
		return []float64{size(self)}, nil
	})
}

// keepAlive opens a connection, uses it once and leaves it open.
func keepAlive(ctx context.Context, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if _, err := c.Write([]byte("GET /__lbheartbeat__ HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		return c, fmt.Errorf("send: %w", err)
	}
	if _, err := c.Read(make([]byte, 4096)); err != nil {
		return c, fmt.Errorf("receive: %w", err)
	}
	return c, nil
}
