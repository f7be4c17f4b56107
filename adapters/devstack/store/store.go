package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	defaultRegion    = "us-east-1"
	defaultHookRetry = time.Minute
	closeTimeout     = 5 * time.Second
)

// Options say what store to start.
type Options struct {
	// Dir keeps the objects; it is created if absent.
	Dir string
	// Addr is host:port to listen on; empty means a free port on 127.0.0.1.
	Addr string
	// AccessKey and SecretKey are the only account.
	AccessKey, SecretKey string
	// Region is the one signatures must name; empty means us-east-1.
	Region string
	// Buckets are created unless they exist.
	Buckets []string
	// HookURL receives an event for each created object; empty means no events.
	HookURL string
	// HookToken is sent as "Authorization: Bearer <token>" with each event.
	HookToken string
	// HookRetry bounds how long one event is offered to a hook that does not
	// answer 2xx before it is dropped; zero means a minute. Events are
	// delivered one by one, in order.
	HookRetry time.Duration
	// Log receives what the store process prints; nil means nobody.
	Log io.Writer `json:"-"`
}

// Store is a running store.
type Store struct {
	// Endpoint is the base URL, for path-style requests.
	Endpoint             string
	Region               string
	AccessKey, SecretKey string

	process *os.Process
	stdin   io.Closer
	exited  chan struct{}
	once    sync.Once
}

// Start starts a store process and returns when it answers and has its buckets.
// The store outlives ctx, which bounds the start only.
func Start(ctx context.Context, o Options) (*Store, error) {
	return start(ctx, childOptions{Options: o})
}

func start(ctx context.Context, o childOptions) (*Store, error) {
	if !childCalled {
		return nil, errors.New("start the object store: the program must call store.Child first thing in main or TestMain")
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, errors.New("start the object store: access key and secret key must be given")
	}
	if o.Region == "" {
		o.Region = defaultRegion
	}
	if o.HookRetry == 0 {
		o.HookRetry = defaultHookRetry
	}
	var err error
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("start the object store: %w", err)
	}
	s := &Store{Region: o.Region, AccessKey: o.AccessKey, SecretKey: o.SecretKey, exited: make(chan struct{})}
	if err := s.launch(ctx, o); err != nil {
		return nil, fmt.Errorf("start the object store: %w", err)
	}
	if err := s.prepare(ctx, o.Buckets); err != nil {
		s.Kill()
		return nil, fmt.Errorf("start the object store: %w", err)
	}
	return s, nil
}

// launch starts the child and waits for its answer. The options go through
// standard input, so that no secret is in the argument list or environment.
func (s *Store) launch(ctx context.Context, o childOptions) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program's own file: %w", err)
	}
	options, err := json.Marshal(o)
	if err != nil {
		return err
	}
	answer, answerEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }() // read to its end
	// The process must outlive ctx, hence no CommandContext.
	cmd := exec.Command(self) //nolint:gosec,noctx // runs this very program
	cmd.Env = append(os.Environ(), childEnv+"=1",
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0") // a race-detecting child would take a second to end
	cmd.Stdout, cmd.Stderr = o.Log, o.Log
	cmd.ExtraFiles = []*os.File{answerEnd}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C must reach us first
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	_ = answerEnd.Close() // the child has its own
	if err != nil {
		return err
	}
	s.process, s.stdin = cmd.Process, stdin
	go func() {
		_ = cmd.Wait() // how it ended is of interest in Close only
		close(s.exited)
	}()
	if _, err := stdin.Write(append(options, '\n')); err != nil {
		s.Kill()
		return fmt.Errorf("hand the options to the store process: %w", err)
	}

	stop := context.AfterFunc(ctx, s.Kill)
	defer stop()
	var a childAnswer
	if err := json.NewDecoder(answer).Decode(&a); err != nil {
		s.Kill()
		return errors.Join(ctx.Err(), fmt.Errorf("the store process ended before it was ready: %w", err))
	}
	if a.Error != "" {
		s.Kill()
		return errors.New(a.Error)
	}
	s.Endpoint = a.Endpoint
	return nil
}

// prepare waits until the store answers and creates the buckets.
func (s *Store) prepare(ctx context.Context, buckets []string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+healthPath, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the store does not answer: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the store is not healthy: %s", resp.Status)
	}
	client := s.Client()
	for _, name := range buckets {
		_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(name)})
		var owned *types.BucketAlreadyOwnedByYou
		if err != nil && !errors.As(err, &owned) {
			return fmt.Errorf("create bucket %q: %w", name, err)
		}
	}
	return nil
}

// Client returns an S3 client with the store's own account.
func (s *Store) Client() *s3.Client {
	return s3.New(s3.Options{
		Region: s.Region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
}

// Close asks the store to end, and kills it if it has not after some seconds.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		_ = s.stdin.Close() // its end tells the child to stop
		select {
		case <-s.exited:
		case <-time.After(closeTimeout):
			s.kill()
			err = fmt.Errorf("the object store did not end within %s and was killed", closeTimeout)
		}
	})
	return err
}

// Kill ends the store at once, as a crash would.
func (s *Store) Kill() {
	s.once.Do(s.kill)
}

func (s *Store) kill() {
	_ = s.process.Kill() // fails only if it has ended already
	_ = s.stdin.Close()
	<-s.exited
}
