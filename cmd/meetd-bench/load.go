package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// request is one request as bytes, and what must come back.
type request struct {
	raw    []byte
	method string
	status int
}

// load is what a server did under load.
type load struct {
	perSecond float64
	p99       time.Duration
	bytes     int64
	count     int
}

// hammer sends requests over a number of kept connections for a while. next
// gives the n-th request of a connection. It speaks HTTP with as little effort
// as it can, because it shares the processors with the server.
func hammer(ctx context.Context, address string, connections int, period time.Duration, next func(conn, n int) request) (load, error) {
	var (
		mu    sync.Mutex
		total load
		times []time.Duration
		errs  []error
		wg    sync.WaitGroup
	)
	start := time.Now()
	for conn := range connections {
		wg.Go(func() {
			got, took, err := drive(ctx, address, start.Add(period), func(n int) request { return next(conn, n) })
			mu.Lock()
			defer mu.Unlock()
			total.bytes += got
			times = append(times, took...)
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return total, errors.Join(errs[:min(3, len(errs))]...)
	}
	elapsed := time.Since(start)
	slices.Sort(times)
	total.count = len(times)
	total.perSecond = float64(len(times)) / elapsed.Seconds()
	if len(times) > 0 {
		total.p99 = times[len(times)*99/100]
	}
	return total, nil
}

func drive(ctx context.Context, address string, until time.Time, next func(n int) request) (got int64, took []time.Duration, err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, nil, fmt.Errorf("connect: %w", err)
	}
	defer c.Close() //nolint:errcheck // read to its end
	r := bufio.NewReaderSize(c, 64<<10)
	for n := 0; ; n++ {
		begin := time.Now()
		if begin.After(until) {
			return got, took, ctx.Err()
		}
		q := next(n)
		if _, err := c.Write(q.raw); err != nil {
			return got, took, fmt.Errorf("send: %w", err)
		}
		resp, err := http.ReadResponse(r, &http.Request{Method: q.method})
		if err != nil {
			return got, took, fmt.Errorf("receive: %w", err)
		}
		size, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return got, took, fmt.Errorf("receive: %w", err)
		}
		if resp.StatusCode != q.status {
			return got, took, fmt.Errorf("status %d, expected %d, for %s", resp.StatusCode, q.status, q.raw)
		}
		got += size
		took = append(took, time.Since(begin))
	}
}
