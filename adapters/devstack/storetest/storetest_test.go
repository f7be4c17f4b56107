package storetest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"meetd/adapters/devstack/store"
)

func TestMain(m *testing.M) {
	store.Child()
	os.Exit(m.Run())
}

// event has the fields that every store must send alike.
type event struct {
	EventName string
	Key       string
	Records   []struct {
		S3 struct {
			Bucket struct {
				Name string `json:"name"`
			} `json:"bucket"`
			Object object `json:"object"`
		} `json:"s3"`
	}
}

type object struct {
	Key         string `json:"key"`
	Size        int64  `json:"size"`
	ETag        string `json:"eTag"`
	ContentType string `json:"contentType"`
}

func TestStoresSendTheSameEvents(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	events, headers := make(chan event, 10), make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return // MinIO looks whether we are there
		}
		if refuse.Swap(false) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var e event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Errorf("event: %v", err)
		}
		headers <- r.URL.String() + " " + r.Header.Get("Content-Type") + " " + r.Header.Get("Authorization")
		events <- e
	}))
	t.Cleanup(hook.Close)

	Each(t, Hook{URL: hook.URL + "/hook", Token: "tok"}, func(t *testing.T, s Store) {
		refuse.Store(true) // the first attempt must not be the last
		s.Put(t, "recordings/sp ace+plus é.mp4", "video/mp4", []byte("12345"))
		select {
		case header := <-headers:
			if header != "/hook application/json Bearer tok" {
				t.Errorf("request: %s", header)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no event came")
		}
		e := <-events
		want := event{EventName: "s3:ObjectCreated:Put", Key: "meet-media/recordings/sp ace+plus é.mp4", Records: e.Records}
		if diff := cmp.Diff(want, e); diff != "" || len(e.Records) != 1 {
			t.Fatalf("event (-want +got):\n%s", diff)
		}
		if got := e.Records[0].S3.Bucket.Name; got != s.Bucket {
			t.Errorf("bucket %q", got)
		}
		wantObject := object{
			Key: "recordings%2Fsp+ace%2Bplus+%C3%A9.mp4", Size: 5, ETag: "827ccb0eea8a706c4c34a16891f84e7b", ContentType: "video/mp4",
		}
		if diff := cmp.Diff(wantObject, e.Records[0].S3.Object); diff != "" {
			t.Errorf("object (-want +got):\n%s", diff)
		}
		if refuse.Load() {
			t.Error("nothing was refused")
		}
	})
}

func TestStoresVerifySignatures(t *testing.T) {
	t.Parallel()
	Each(t, Hook{}, func(t *testing.T, s Store) {
		s.Put(t, "a", "text/plain", []byte("kept"))
		get := &s3.GetObjectInput{Bucket: aws.String(s.Bucket), Key: aws.String("a")}
		out, err := s.Client().GetObject(t.Context(), get)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(out.Body)
		if err != nil || string(body) != "kept" || aws.ToString(out.ContentType) != "text/plain" {
			t.Errorf("got %q of type %q, %v", body, aws.ToString(out.ContentType), err)
		}
		s.SecretKey = "guess-guess-guess"
		var refused *awshttp.ResponseError
		if _, err := s.Client().GetObject(t.Context(), get); !errors.As(err, &refused) || refused.HTTPStatusCode() != http.StatusForbidden {
			t.Errorf("wrong secret: %v, want 403", err)
		}
	})
}

func TestEachNamesItsStores(t *testing.T) {
	t.Parallel()
	var seen []string
	Each(t, Hook{}, func(t *testing.T, s Store) {
		seen = append(seen, s.Name)
		if !strings.HasSuffix(t.Name(), "/"+s.Name) {
			t.Errorf("store %s in sub-test %s", s.Name, t.Name())
		}
	})
	if len(seen) == 0 || seen[0] != "embedded" {
		t.Errorf("stores %v", seen)
	}
}
