package livekit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"meetd/adapters/devstack/programs"
)

const (
	startTimeout = 30 * time.Second
	stopPatience = time.Second
	portAttempts = 3
)

// Options say what server to start.
type Options struct {
	// Dir gets the configuration file; it is created if absent.
	Dir string
	// Addr is host:port of the API and of the clients' web socket; empty means
	// a free port on 127.0.0.1. Media ports are always free ones.
	Addr string
	// APIKey and APISecret are the only credentials; empty means devkey and a
	// fixed secret.
	APIKey, APISecret string
	// WebhookURLs receive the server's signed events.
	WebhookURLs []string
	// NoWorker leaves the server without a recorder.
	NoWorker bool
	// ActiveDelay is how long an egress is starting; zero means 200 ms.
	ActiveDelay time.Duration
	// NoManifest leaves out the JSON file the recorder puts beside a recording.
	NoManifest bool
	// Progress is told about a first build of the server, Log receives what it
	// prints; nil means nobody.
	Progress, Log io.Writer
}

// Server is a running LiveKit server.
type Server struct {
	// URL is the base of the API, http://host:port.
	URL               string
	APIKey, APISecret string

	process *programs.Process
	redis   *miniredis.Miniredis
	worker  *Worker
	rooms   livekit.RoomService
	quit    chan struct{}
	once    sync.Once
}

// Start starts a server and returns when it answers. The server outlives ctx,
// which bounds the start only.
func Start(ctx context.Context, o Options) (*Server, error) {
	program, err := programs.LiveKit(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	o.APIKey = cmp.Or(o.APIKey, "devkey")
	o.APISecret = cmp.Or(o.APISecret, "dev-secret-of-at-least-32-characters")
	o.ActiveDelay = cmp.Or(o.ActiveDelay, 200*time.Millisecond)
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("start LiveKit: %w", err)
	}
	s := &Server{APIKey: o.APIKey, APISecret: o.APISecret, quit: make(chan struct{})}
	if s.redis, err = miniredis.Run(); err != nil {
		return nil, fmt.Errorf("start the Redis of LiveKit: %w", err)
	}
	go s.age()

	for attempt := 1; ; attempt++ { // a free port may be taken before the server has it
		err = s.launch(ctx, program, o)
		if err == nil || attempt == portAttempts || ctx.Err() != nil || o.Addr != "" {
			break
		}
	}
	if err == nil && !o.NoWorker {
		s.worker, err = newWorker(s.redis.Addr(), s, o)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start LiveKit: %w", err), s.Close())
	}
	return s, nil
}

func (s *Server) launch(ctx context.Context, program string, o Options) error {
	addr, config, err := s.configure(o)
	if err != nil {
		return err
	}
	path := filepath.Join(o.Dir, "livekit.yaml")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return err
	}
	var last tail
	output := io.Writer(&last)
	if o.Log != nil {
		output = io.MultiWriter(&last, o.Log)
	}
	cmd := exec.Command(program, "--config", path) //nolint:gosec,noctx // our own server, which must outlive ctx
	cmd.Stdout, cmd.Stderr = output, output
	process, err := programs.Start(cmd)
	if err != nil {
		return err
	}
	url := "http://" + addr
	if err := waitReady(ctx, url, process.Exited()); err != nil {
		_ = process.Stop(stopPatience) // the reason is known
		return fmt.Errorf("%w: %s", err, last.text())
	}
	s.URL, s.process = url, process
	s.rooms = livekit.NewRoomServiceProtobufClient(url, http.DefaultClient)
	return nil
}

// configure picks ports and builds the configuration file (JSON is YAML).
func (s *Server) configure(o Options) (addr string, config []byte, err error) {
	tcp, err := freeTCPPorts(2)
	if err != nil {
		return "", nil, err
	}
	udp, err := freeUDPPort()
	if err != nil {
		return "", nil, err
	}
	addr = cmp.Or(o.Addr, net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp[0])))
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, fmt.Errorf("address %q: %w", addr, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return "", nil, fmt.Errorf("address %q: the port is not a number", addr)
	}
	if port == 0 {
		port = tcp[0]
		addr = net.JoinHostPort(host, strconv.Itoa(port))
	}
	// The server itself would not end if the port is taken.
	l, err := net.Listen("tcp", addr) //nolint:noctx // ends at once
	if errors.Is(err, syscall.EADDRINUSE) {
		return "", nil, fmt.Errorf("the address %s is in use: stop the program that listens there or choose another address", addr)
	}
	if err != nil {
		return "", nil, err
	}
	_ = l.Close() // held nothing
	c := map[string]any{
		"port": port, "bind_addresses": []string{host},
		"rtc": map[string]any{
			"tcp_port": tcp[1], "udp_port": udp, "node_ip": "127.0.0.1",
			"use_external_ip": false, "enable_loopback_candidate": true,
		},
		"keys":  map[string]string{o.APIKey: o.APISecret},
		"redis": map[string]any{"address": s.redis.Addr()},
	}
	if len(o.WebhookURLs) > 0 {
		c["webhook"] = map[string]any{"api_key": o.APIKey, "urls": o.WebhookURLs}
	}
	config, err = json.Marshal(c)
	return addr, config, err
}

// Worker is the development recorder; nil if there is none.
func (s *Server) Worker() *Worker { return s.worker }

// CreateRoom creates a room, which lives until its empty time-out.
func (s *Server) CreateRoom(ctx context.Context, name string) (*livekit.Room, error) {
	ctx, err := s.authorize(ctx, &auth.VideoGrant{RoomCreate: true})
	if err != nil {
		return nil, err
	}
	room, err := s.rooms.CreateRoom(ctx, &livekit.CreateRoomRequest{Name: name})
	if err != nil {
		return nil, fmt.Errorf("create room %q: %w", name, err)
	}
	return room, nil
}

// Metadata is what the clients in the room see of it; empty if it is not open.
func (s *Server) Metadata(ctx context.Context, name string) (string, error) {
	room, err := s.room(ctx, name)
	return room.GetMetadata(), err
}

// roomID returns the id of the room that now has the name, or nothing.
func (s *Server) roomID(ctx context.Context, name string) (string, error) {
	room, err := s.room(ctx, name)
	return room.GetSid(), err
}

// room returns the room that now has the name, or nil.
func (s *Server) room(ctx context.Context, name string) (*livekit.Room, error) {
	ctx, err := s.authorize(ctx, &auth.VideoGrant{RoomList: true})
	if err != nil {
		return nil, err
	}
	list, err := s.rooms.ListRooms(ctx, &livekit.ListRoomsRequest{Names: []string{name}})
	if err != nil || len(list.GetRooms()) == 0 {
		return nil, err
	}
	return list.GetRooms()[0], nil
}

func (s *Server) authorize(ctx context.Context, grant *auth.VideoGrant) (context.Context, error) {
	token, err := auth.NewAccessToken(s.APIKey, s.APISecret).SetVideoGrant(grant).SetValidFor(time.Minute).ToJWT()
	if err != nil {
		return nil, fmt.Errorf("sign a token for LiveKit: %w", err)
	}
	return twirp.WithHTTPRequestHeaders(ctx, http.Header{"Authorization": {"Bearer " + token}})
}

// Close ends the worker, the server and its Redis.
func (s *Server) Close() error {
	s.once.Do(func() {
		if s.worker != nil {
			s.worker.close()
		}
		if s.process != nil {
			// It keeps nothing, so being killed does it no harm.
			_ = s.process.Stop(stopPatience)
		}
		close(s.quit)
		s.redis.Close()
	})
	return nil
}

// age lets time pass in the in-process Redis, which does not look at a clock.
func (s *Server) age() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			s.redis.FastForward(time.Second)
		}
	}
}

func waitReady(ctx context.Context, url string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-exited:
			return errors.New("the server ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer on %s: %w", url, ctx.Err())
		case <-tick.C:
			if answers(ctx, url) {
				return nil
			}
		}
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// freeTCPPorts returns n different ports that nobody has at this moment.
func freeTCPPorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // held only to get different ones
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func freeUDPPort() (int, error) {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = c.Close() }() // held nothing
	return c.LocalAddr().(*net.UDPAddr).Port, nil
}

// tail keeps the end of what was written, for an error message.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const keep = 2000
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	t.buf = bytes.Clone(t.buf[max(0, len(t.buf)-keep):])
	return len(p), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
