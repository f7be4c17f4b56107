package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3event"
)

const (
	firstDelay  = 100 * time.Millisecond
	longDelay   = 5 * time.Second
	postTimeout = 10 * time.Second
)

// sender is the gateway's event sender. SendEvent only queues, since it is
// called inside the upload; one goroutine delivers in order.
type sender struct {
	backend    *posix.Posix
	url, token string
	region     string
	principal  string
	retry      time.Duration
	log        *slog.Logger
	stop       context.CancelFunc
	done       chan struct{}
	wake       chan struct{}

	mu    sync.Mutex
	queue []event
}

// event is MinIO's form of a storage event.
type event struct {
	EventName string
	Key       string // bucket/key, not escaped
	Records   []record
}

type record struct {
	EventVersion string    `json:"eventVersion"`
	EventSource  string    `json:"eventSource"`
	AWSRegion    string    `json:"awsRegion"`
	EventTime    string    `json:"eventTime"`
	EventName    string    `json:"eventName"`
	UserIdentity principal `json:"userIdentity"`
	S3           s3Part    `json:"s3"`
}

type principal struct {
	PrincipalID string `json:"principalId"`
}

type s3Part struct {
	SchemaVersion   string     `json:"s3SchemaVersion"`
	ConfigurationID string     `json:"configurationId"`
	Bucket          bucketPart `json:"bucket"`
	Object          objectPart `json:"object"`
}

type bucketPart struct {
	Name          string    `json:"name"`
	OwnerIdentity principal `json:"ownerIdentity"`
	ARN           string    `json:"arn"`
}

type objectPart struct {
	Key          string            `json:"key"` // query-escaped
	Size         int64             `json:"size"`
	ETag         string            `json:"eTag"`
	ContentType  string            `json:"contentType"`
	UserMetadata map[string]string `json:"userMetadata"`
	Sequencer    string            `json:"sequencer"`
}

func newSender(o Options, backend *posix.Posix) *sender {
	ctx, stop := context.WithCancel(context.Background()) // the life of the process
	s := &sender{
		backend: backend, url: o.HookURL, token: o.HookToken, region: o.Region, principal: o.AccessKey,
		retry: o.HookRetry, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	go s.run(ctx)
	return s
}

// SendEvent queues the event of a created object.
func (s *sender) SendEvent(c fiber.Ctx, m s3event.EventMeta) {
	if !strings.HasPrefix(string(m.EventName), "s3:ObjectCreated:") {
		return
	}
	// The gateway reuses the memory of the request: keep copies.
	bucket, key, ok := strings.Cut(strings.Clone(strings.TrimPrefix(c.Path(), "/")), "/")
	if !ok {
		return
	}
	e, err := s.describe(c, string(m.EventName), bucket, key)
	if err != nil {
		s.log.Error("storage event dropped: the object cannot be read", "key", bucket+"/"+key, "error", err)
		return
	}
	s.mu.Lock()
	s.queue = append(s.queue, e)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close stops delivery; what is still queued is lost.
func (s *sender) Close() error {
	s.stop()
	<-s.done
	return nil
}

func (s *sender) describe(ctx context.Context, name, bucket, key string) (event, error) {
	head, err := s.backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return event{}, err
	}
	contentType := aws.ToString(head.ContentType)
	metadata := map[string]string{"content-type": contentType}
	for k, v := range head.Metadata {
		metadata[http.CanonicalHeaderKey("X-Amz-Meta-"+k)] = v
	}
	now := time.Now().UTC()
	who := principal{PrincipalID: s.principal}
	return event{EventName: name, Key: bucket + "/" + key, Records: []record{{
		EventVersion: "2.0", EventSource: "minio:s3", AWSRegion: s.region,
		EventTime: now.Format("2006-01-02T15:04:05.000Z"), EventName: name, UserIdentity: who,
		S3: s3Part{
			SchemaVersion: "1.0", ConfigurationID: "Config",
			Bucket: bucketPart{Name: bucket, OwnerIdentity: who, ARN: "arn:aws:s3:::" + bucket},
			Object: objectPart{
				Key: url.QueryEscape(key), Size: aws.ToInt64(head.ContentLength),
				ETag: strings.Trim(aws.ToString(head.ETag), `"`), ContentType: contentType,
				UserMetadata: metadata, Sequencer: fmt.Sprintf("%016X", now.UnixNano()),
			},
		},
	}}}, nil
}

func (s *sender) run(ctx context.Context) {
	defer close(s.done)
	for {
		s.mu.Lock()
		queue := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, e := range queue {
			s.deliver(ctx, e)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
	}
}

// deliver offers the event until the hook answers 2xx, for a bounded time.
func (s *sender) deliver(ctx context.Context, e event) {
	body, err := json.Marshal(e)
	if err != nil {
		s.log.Error("storage event dropped", "key", e.Key, "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.retry)
	defer cancel()
	for delay := firstDelay; ; delay = min(2*delay, longDelay) {
		err := s.post(ctx, body)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			s.log.Error("storage event dropped: the hook never took it", "key", e.Key, "error", err)
			return
		case <-time.After(delay):
		}
	}
}

func (s *sender) post(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the hook answered %s", resp.Status)
	}
	return nil
}
