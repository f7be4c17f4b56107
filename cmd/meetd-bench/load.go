package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
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
		status, size, err := receive(r, q.method)
		if err != nil {
			return got, took, fmt.Errorf("receive: %w", err)
		}
		if status != q.status {
			return got, took, fmt.Errorf("status %d, expected %d, for %s", status, q.status, q.raw)
		}
		got += size
		took = append(took, time.Since(begin))
	}
}

// receive reads an answer and throws it away but for its status and the size of its
// body. It is our own because net/http makes a map of what nobody looks at here, which
// takes processor time from the servers that are compared.
func receive(r *bufio.Reader, method string) (status int, size int64, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err //nolint:wrapcheck // drive does
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, 0, fmt.Errorf("%q is no status line", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, fmt.Errorf("%q is no status line", line)
	}
	var chunked bool
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, 0, err //nolint:wrapcheck // likewise
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if value, ok := header(line, "Content-Length:"); ok {
			if size, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return 0, 0, fmt.Errorf("%q is no length", line)
			}
		} else if value, ok := header(line, "Transfer-Encoding:"); ok {
			chunked = string(value) == "chunked"
		}
	}
	switch {
	case method == http.MethodHead:
		return status, 0, nil
	case chunked:
		if size, err = io.Copy(io.Discard, httputil.NewChunkedReader(r)); err == nil {
			_, err = r.Discard(len("\r\n"))
		}
	default:
		_, err = io.CopyN(io.Discard, r, size)
	}
	return status, size, err //nolint:wrapcheck // likewise
}

// header is the value of a header if the line is that.
func header(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}
