package store

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3event"
)

const (
	childEnv   = "MEETD_STORE_CHILD"
	answerFile = 3 // the first of exec.Cmd.ExtraFiles
	healthPath = "/healthz"

	maxCopy  = 5 << 30 // what S3 allows; the gateway's zero value refuses all
	maxParts = 10000
)

// childOptions travel from parent to child.
type childOptions struct {
	Options
	// SideCar keeps metadata in files even where extended attributes work.
	SideCar bool
}

// childAnswer travels back once: the store is ready, or why it is not.
type childAnswer struct {
	Endpoint, Error string
}

// childCalled guards against a program that does not call Child: its "store
// process" would be a second copy of the whole program.
var childCalled bool

// Child runs the store and exits if this process was started to be one;
// otherwise it returns at once.
func Child() {
	childCalled = true
	if os.Getenv(childEnv) == "" {
		return
	}
	answer := os.NewFile(answerFile, "answer")
	if err := runChild(bufio.NewReader(os.Stdin), answer); err != nil {
		_ = json.NewEncoder(answer).Encode(childAnswer{Error: err.Error()}) // nobody is left to tell
		os.Exit(1)
	}
	os.Exit(0)
}

// endPatience is how long requests may take to end when the store stops.
const endPatience = 2 * time.Second

func runChild(parent *bufio.Reader, answer io.WriteCloser) error {
	line, err := parent.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the options: %w", err)
	}
	var o childOptions
	if err := json.Unmarshal(line, &o); err != nil {
		return fmt.Errorf("read the options: %w", err)
	}
	addr, err := freeAddr(o.Addr)
	if err != nil {
		return err
	}
	backend, err := openBackend(o.Dir, o.SideCar)
	if err != nil {
		return fmt.Errorf("open the folder %s: %w", o.Dir, err)
	}
	defer backend.Shutdown()

	var events s3event.S3EventSender
	if o.HookURL != "" {
		s := newSender(o.Options, backend)
		defer func() { _ = s.Close() }() // never fails
		events = s
	}
	iam, err := auth.New(&auth.Opts{
		RootAccount: auth.Account{Access: o.AccessKey, Secret: o.SecretKey, Role: auth.RoleAdmin},
	})
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	server, err := s3api.New(backend, middlewares.RootUserConfig{Access: o.AccessKey, Secret: o.SecretKey},
		o.Region, iam, nil, nil, events, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithConcurrencyLimiter(1000, 500),
		s3api.WithMpMaxParts(maxParts), s3api.WithHealth(healthPath),
		s3api.WithOnListen(func() { close(ready) }))
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeMultiPort([]string{addr}) }()
	select {
	case err := <-served:
		return explainListen(addr, err)
	case <-ready:
	}
	if err := json.NewEncoder(answer).Encode(childAnswer{Endpoint: "http://" + addr}); err != nil {
		return err
	}
	_ = answer.Close() // said everything

	orphaned := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, parent) // any end of the pipe is the end
		close(orphaned)
	}()
	select {
	case err := <-served:
		return err
	case <-orphaned:
	}
	// The gateway also waits for connections that were opened and never used.
	// Requests have ended long before it gives up on those.
	ended := make(chan error, 1)
	go func() { ended <- server.ShutDown() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(endPatience):
		return nil
	}
}

func openBackend(dir string, sideCar bool) (*posix.Posix, error) {
	objects := filepath.Join(dir, "objects")
	if err := os.MkdirAll(objects, 0o750); err != nil {
		return nil, err
	}
	opts := posix.PosixOpts{CopyObjectThreshold: maxCopy}
	if !sideCar && (meta.XattrMeta{}).Test(objects) == nil {
		return posix.New(objects, meta.XattrMeta{}, opts)
	}
	opts.SideCarDir = filepath.Join(dir, "metadata")
	if err := os.MkdirAll(opts.SideCarDir, 0o750); err != nil {
		return nil, err
	}
	storer, err := meta.NewSideCar(opts.SideCarDir)
	if err != nil {
		return nil, err
	}
	return posix.New(objects, storer, opts)
}

// freeAddr checks that addr can be listened on, or finds a free one: the
// gateway cannot tell which port it got.
func freeAddr(addr string) (string, error) {
	wanted := addr
	if wanted == "" {
		wanted = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", wanted) //nolint:noctx // ends at once
	if err != nil {
		return "", explainListen(wanted, err)
	}
	defer func() { _ = l.Close() }() // held nothing
	if addr == "" {
		return l.Addr().String(), nil
	}
	return addr, nil
}

func explainListen(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the address %s is in use: stop the program that listens there or choose another address", addr)
	}
	return fmt.Errorf("listen on %s: %w", addr, err)
}
