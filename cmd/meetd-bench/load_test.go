package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// An answer is read to its end and no further, however net/http writes it.
func TestReceive(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		w.WriteHeader(http.StatusAccepted)
		if r.URL.Path == "/chunked" {
			w.(http.Flusher).Flush() //nolint:forcetypeassert // net/http promises it
		}
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, strings.Repeat("x", size))
		}
	}))
	t.Cleanup(s.Close)
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	r := bufio.NewReader(c)
	for _, q := range []struct {
		method, path string
		size         int64
	}{
		{"GET", "/?size=10", 10},
		{"GET", "/chunked?size=100000", 100_000},
		{"HEAD", "/?size=10", 0},
		{"GET", "/", 0},
		{"GET", "/chunked", 0},
		{"GET", "/?size=7", 7},
	} {
		if _, err := io.WriteString(c, q.method+" "+q.path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if status, size, err := receive(r, q.method); status != http.StatusAccepted || size != q.size || err != nil {
			t.Errorf("%s %s: status %d, %d bytes, %v, want 202 and %d", q.method, q.path, status, size, err, q.size)
		}
	}
	for _, nonsense := range []string{"", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx"} {
		if _, _, err := receive(bufio.NewReader(strings.NewReader(nonsense)), "GET"); err == nil {
			t.Errorf("%q is taken", nonsense)
		}
	}
}
