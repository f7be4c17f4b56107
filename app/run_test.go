package app

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error {
	close(p.conns)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A body that does not come ends the request and the connection, whether anybody
// reads it or not. One that came leaves the handler its time.
func TestLateBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		mux := http.NewServeMux()
		mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusRequestTimeout)
				return
			}
			select {
			case <-r.Context().Done():
				w.WriteHeader(http.StatusTeapot)
			case <-time.After(2 * requestPatience):
			}
		})
		mux.HandleFunc("/unread", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("at the disco") })
		server := newServer(mux, slog.New(slog.NewTextHandler(&logs, nil)))
		l := pipes{make(chan net.Conn)}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()
		for name, c := range map[string]struct {
			path, sent string
			want       int  // 0: the connection is just closed
			open       bool // it can be used again
		}{
			"late":          {"/read", "1", http.StatusRequestTimeout, false},
			"late, unread":  {"/unread", "1", http.StatusOK, false},
			"whole":         {"/read", "12", http.StatusOK, true},
			"whole, unread": {"/unread", "12", http.StatusOK, true},
			"panic":         {"/panic", "12", 0, false},
		} {
			conn, theirs := net.Pipe()
			l.conns <- theirs
			begun := time.Now()
			send := func(path, length, body string) (int, error) {
				go func() {
					_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: meet\r\nContent-Length: %s\r\n\r\n%s", path, length, body)
				}()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					return 0, err
				}
				return resp.StatusCode, resp.Body.Close()
			}
			if got, err := send(c.path, "2", c.sent); got != c.want || (err == nil) != (c.want != 0) {
				t.Errorf("%s: %d, %v, want %d", name, got, err, c.want)
			}
			if took := time.Since(begun); took > requestPatience && c.sent != "12" {
				t.Errorf("%s: the answer took %v", name, took)
			}
			if _, err := send("/unread", "0", ""); (err == nil) != c.open {
				t.Errorf("%s: the next request on the connection: %v", name, err)
			}
			_ = conn.Close()
		}
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if !strings.Contains(logs.String(), "level=WARN") || !strings.Contains(logs.String(), "at the disco") {
			t.Errorf("what the server complains about is not logged: %s", &logs)
		}
	})
}
