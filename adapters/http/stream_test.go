package http

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"meetd/app/media"
	"meetd/ports"
)

// oneConn is a listener with one connection in memory.
type oneConn struct {
	conns chan net.Conn
	over  chan struct{}
}

func (l oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

func (l oneConn) Close() error {
	close(l.over)
	return nil
}

func (oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// film is a store with a film of so many parts, each of which takes a while to
// come. After stall parts nothing comes any more; 0: all come.
type film struct {
	ports.Objects
	parts, stall int
	takes        time.Duration
}

func (f film) Fetch(ctx context.Context, _, _ string, _ http.Header) (*ports.Fetched, error) {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(ctx.Err()) })
	go func() {
		for i := range f.parts {
			if f.stall > 0 && i == f.stall {
				<-ctx.Done()
				return
			}
			time.Sleep(f.takes)
			if _, err := w.Write(make([]byte, streamPart)); err != nil {
				return
			}
		}
		_ = w.Close()
	}()
	return &ports.Fetched{Status: http.StatusOK, Header: http.Header{"Content-Length": {fmt.Sprint(f.parts * streamPart)}}, Body: r}, nil
}

// A browser or a store that stops in the middle is given up; slow ones are not.
func TestStreamStalls(t *testing.T) {
	t.Parallel()
	const parts = 10
	for name, c := range map[string]struct {
		store  film
		reads  time.Duration // how long the browser takes for a part
		stalls int           // after so many parts it takes nothing any more; 0: it takes all
		whole  bool
	}{
		"fast":          {store: film{parts: parts}, whole: true},
		"slow store":    {store: film{parts: parts, takes: 50 * time.Second}, whole: true},
		"slow browser":  {store: film{parts: parts}, reads: 50 * time.Second, whole: true},
		"both slow":     {store: film{parts: parts, takes: 50 * time.Second}, reads: 50 * time.Second, whole: true},
		"store stalls":  {store: film{parts: parts, stall: 3}},
		"browser stops": {store: film{parts: parts}, stalls: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var logs bytes.Buffer
				log := slog.New(slog.NewTextHandler(&logs, nil))
				s := &Server{
					Config: Config{AllowedHosts: []string{"*"}, SessionCookie: "sessionid", MediaDelivery: Stream},
					Media: &media.Service{
						Checks: allow{}, Objects: c.store, Now: time.Now, Config: media.Config{Folder: "recordings"}, OwnHost: func(string) bool { return true },
					},
					Now: time.Now, Log: log,
				}
				answered := make(chan struct{})
				h := s.Handler()
				server := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(answered)
					h.ServeHTTP(w, r)
				})}
				l := oneConn{make(chan net.Conn), make(chan struct{})}
				go server.Serve(l) //nolint:errcheck // it is closed below
				conn, theirs := net.Pipe()
				l.conns <- theirs
				begun := time.Now()
				go func() {
					_, _ = io.WriteString(conn, "GET /media/recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4 HTTP/1.1\r\n"+
						"Host: meet\r\nCookie: sessionid=0123456789abcdef0123456789abcdef\r\n\r\n")
				}()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatalf("%v, %v", resp, err)
				}
				part, got := make([]byte, streamPart), 0
				for i := 0; err == nil && (c.stalls == 0 || i < c.stalls); i++ {
					time.Sleep(c.reads)
					var n int
					n, err = io.ReadFull(resp.Body, part)
					got += n
				}
				<-answered
				if whole := got == parts*streamPart; whole != c.whole {
					t.Errorf("%d bytes of %d came, %v", got, parts*streamPart, err)
				}
				if took := time.Since(begun); !c.whole && took > 2*streamPatience {
					t.Errorf("it was given up after %v", took)
				}
				if broke := bytes.Contains(logs.Bytes(), []byte("a download broke off")); broke != (c.store.stall > 0) {
					t.Errorf("the log says: %s", &logs)
				}
				_ = resp.Body.Close()
				_ = conn.Close()
				_ = server.Close()
			})
		})
	}
}
