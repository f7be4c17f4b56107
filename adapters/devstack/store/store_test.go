package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"
)

const parentEnv = "MEETD_STORE_TEST_PARENT"

func TestMain(m *testing.M) {
	Child()
	if dir := os.Getenv(parentEnv); dir != "" {
		parent(dir)
	}
	os.Exit(m.Run())
}

// parent is the program of TestChildDiesWithItsParent: it starts a store, says
// where, and never closes it.
func parent(dir string) {
	s, err := Start(context.Background(), Options{Dir: dir, AccessKey: "k", SecretKey: "s"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.Endpoint)
	select {}
}

// taken is one request as the hook saw it.
type taken struct {
	authorization, contentType string
	body                       event
}

// hook listens for events; answer gets the number of the call, from 1.
func hook(t *testing.T, answer func(n int64) int) (url string, got <-chan taken) {
	t.Helper()
	events := make(chan taken, 100)
	var calls atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := taken{authorization: r.Header.Get("Authorization"), contentType: r.Header.Get("Content-Type")}
		if err := json.NewDecoder(r.Body).Decode(&e.body); err != nil {
			t.Errorf("event body: %v", err)
		}
		events <- e
		w.WriteHeader(answer(calls.Add(1)))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, events
}

func always(code int) func(int64) int { return func(int64) int { return code } }

func next(t *testing.T, got <-chan taken) taken {
	t.Helper()
	select {
	case e := <-got:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event came")
		return taken{}
	}
}

func run(t *testing.T, o childOptions) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.AccessKey, o.SecretKey, o.Buckets, o.Log = "meetdev", "meetdevsecret", []string{"media"}, t.Output()
	s, err := start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func put(t *testing.T, s *Store, key, contentType, body string) {
	t.Helper()
	_, err := s.Client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("media"), Key: aws.String(key), ContentType: aws.String(contentType),
		Metadata: map[string]string{"owner": "x"}, Body: strings.NewReader(body),
	})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func TestPutAndGet(t *testing.T) {
	t.Parallel()
	for name, sideCar := range map[string]bool{"extended attributes": false, "side-car files": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := run(t, childOptions{SideCar: sideCar})
			put(t, s, "recordings/a.mp4", "video/mp4", "0123456789")
			out, err := s.Client().GetObject(t.Context(), &s3.GetObjectInput{
				Bucket: aws.String("media"), Key: aws.String("recordings/a.mp4"), Range: aws.String("bytes=2-4"),
			})
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(out.Body)
			if err != nil || string(body) != "234" || aws.ToString(out.ContentType) != "video/mp4" {
				t.Errorf("got %q of type %q, %v", body, aws.ToString(out.ContentType), err)
			}
		})
	}
}

func TestWrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	s := run(t, childOptions{})
	put(t, s, "a", "text/plain", "secret")
	stranger := &Store{Endpoint: s.Endpoint, Region: s.Region, AccessKey: s.AccessKey, SecretKey: "guess"}
	_, err := stranger.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("media"), Key: aws.String("a")})
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusForbidden {
		t.Errorf("wrong secret: %v, want 403", err)
	}
	resp := get(t, s.Endpoint+"/media/a")
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("no signature: %s, want 403", resp.Status)
	}
}

func TestEventsHaveTheFormOfMinIO(t *testing.T) {
	t.Parallel()
	url, got := hook(t, always(http.StatusNoContent))
	s := run(t, childOptions{Options: Options{HookURL: url, HookToken: "tok"}})
	put(t, s, "recordings/sp ace+plus é.mp4", "video/mp4", "12345")
	e := next(t, got)
	if e.authorization != "Bearer tok" || e.contentType != "application/json" {
		t.Errorf("headers: %q, %q", e.authorization, e.contentType)
	}
	if len(e.body.Records) != 1 {
		t.Fatalf("%d records", len(e.body.Records))
	}
	rec := &e.body.Records[0]
	for _, changing := range []*string{&rec.EventTime, &rec.S3.Object.Sequencer} {
		if *changing == "" {
			t.Error("time or sequencer is empty")
		}
		*changing = ""
	}
	want := event{EventName: "s3:ObjectCreated:Put", Key: "media/recordings/sp ace+plus é.mp4", Records: []record{{
		EventVersion: "2.0", EventSource: "minio:s3", AWSRegion: "us-east-1", EventName: "s3:ObjectCreated:Put",
		UserIdentity: principal{"meetdev"},
		S3: s3Part{
			SchemaVersion: "1.0", ConfigurationID: "Config",
			Bucket: bucketPart{Name: "media", OwnerIdentity: principal{"meetdev"}, ARN: "arn:aws:s3:::media"},
			Object: objectPart{
				Key: "recordings%2Fsp+ace%2Bplus+%C3%A9.mp4", Size: 5, ETag: "827ccb0eea8a706c4c34a16891f84e7b",
				ContentType:  "video/mp4",
				UserMetadata: map[string]string{"content-type": "video/mp4", "X-Amz-Meta-Owner": "x"},
			},
		},
	}}}
	if diff := cmp.Diff(want, e.body); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

func TestMultipartUploadAndCopyGiveEventsAndDeleteGivesNone(t *testing.T) {
	t.Parallel()
	url, got := hook(t, always(http.StatusOK))
	s := run(t, childOptions{Options: Options{HookURL: url}})
	client, media := s.Client(), aws.String("media")
	const size = 6 << 20
	_, err := manager.NewUploader(client).Upload(t.Context(), &s3.PutObjectInput{ //nolint:staticcheck // as most programs still upload
		Bucket: media, Key: aws.String("big"), ContentType: aws.String("video/mp4"), Body: bytes.NewReader(make([]byte, size)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: media, Key: aws.String("copy"), CopySource: aws.String("media/big"),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: media, Key: aws.String("big")}); err != nil {
		t.Fatal(err)
	}
	put(t, s, "last", "text/plain", "x")
	for _, want := range []string{
		"s3:ObjectCreated:CompleteMultipartUpload media/big 6291456 video/mp4",
		"s3:ObjectCreated:Copy media/copy 6291456 video/mp4",
		"s3:ObjectCreated:Put media/last 1 text/plain",
	} {
		e := next(t, got)
		o := e.body.Records[0].S3.Object
		if got := fmt.Sprint(e.body.EventName, " ", e.body.Key, " ", o.Size, " ", o.ContentType); got != want {
			t.Errorf("event %q, want %q", got, want)
		}
		if e.authorization != "" {
			t.Errorf("without a token the header is %q", e.authorization)
		}
	}
}

func TestEventsAreRetriedInOrder(t *testing.T) {
	t.Parallel()
	url, got := hook(t, func(n int64) int {
		if n <= 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	s := run(t, childOptions{Options: Options{HookURL: url}})
	put(t, s, "first", "text/plain", "1") // returns although the hook refuses
	put(t, s, "second", "text/plain", "2")
	for i, want := range []string{"media/first", "media/first", "media/first", "media/second"} {
		if e := next(t, got); e.body.Key != want {
			t.Errorf("call %d is about %s, want %s", i+1, e.body.Key, want)
		}
	}
}

func TestAnEventNobodyTakesIsDropped(t *testing.T) {
	t.Parallel()
	url, got := hook(t, always(http.StatusInternalServerError))
	s := run(t, childOptions{Options: Options{HookURL: url, HookRetry: 250 * time.Millisecond}})
	put(t, s, "first", "text/plain", "1")
	put(t, s, "second", "text/plain", "2")
	for next(t, got).body.Key != "media/second" {
		continue
	}
}

func TestStartErrorsAreClear(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, err = Start(t.Context(), Options{Dir: t.TempDir(), Addr: l.Addr().String(), AccessKey: "k", SecretKey: "s"})
	want := "start the object store: the address " + l.Addr().String() +
		" is in use: stop the program that listens there or choose another address"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err = Start(t.Context(), Options{Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "secret key") {
		t.Errorf("without keys: %v", err)
	}
	if _, err = Start(t.Context(), Options{Dir: "/dev/null/x", AccessKey: "k", SecretKey: "s"}); err == nil ||
		!strings.Contains(err.Error(), "open the folder /dev/null/x") {
		t.Errorf("impossible folder: %v", err)
	}
}

func TestObjectsSurviveARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := run(t, childOptions{Options: Options{Dir: dir}})
	put(t, first, "a", "text/plain", "kept")
	first.Kill()
	if err := first.Close(); err != nil {
		t.Errorf("close after kill: %v", err)
	}
	second := run(t, childOptions{Options: Options{Dir: dir}}) // the bucket exists
	head, err := second.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("media"), Key: aws.String("a")})
	if err != nil || aws.ToString(head.ContentType) != "text/plain" {
		t.Errorf("after the restart: %v, %v", head, err)
	}
}

func TestChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), parentEnv+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var endpoint string
	if _, err := fmt.Fscanln(out, &endpoint); err != nil {
		t.Fatal(err)
	}
	if resp := get(t, endpoint+healthPath); resp.StatusCode != http.StatusOK {
		t.Fatalf("health: %s", resp.Status)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil { // no chance to clean up
		t.Fatal(err)
	}
	_ = cmd.Wait() // says "killed"
	addr := strings.TrimPrefix(endpoint, "http://")
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the store still listens")
		}
		<-time.After(20 * time.Millisecond)
	}
}

func get(t *testing.T, url string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}
