package storetest

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"meetd/adapters/devstack/programs"
	"meetd/adapters/devstack/store"
)

const (
	region    = "us-east-1"
	bucket    = "meet-media"
	accessKey = "meetd-test"
	secretKey = "meetd-test-secret"
)

// Hook receives the storage events of created objects; the zero Hook means that
// there are none.
type Hook struct {
	// URL may be one on 127.0.0.1, even for a store in a container.
	URL string
	// Token is sent as "Authorization: Bearer <token>".
	Token string
}

// Store is a running store with an empty bucket, for path-style requests.
type Store struct {
	Name                 string // "embedded" or "minio"
	Endpoint             string
	Region, Bucket       string
	AccessKey, SecretKey string
}

// Each runs fn as a sub-test on every store that can be had, one after another.
func Each(t *testing.T, hook Hook, fn func(t *testing.T, s Store)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { fn(t, Embedded(t, hook)) })
	t.Run("minio", func(t *testing.T) {
		if os.Getenv("MEETD_TEST_SERVERS") == "docker" {
			fn(t, container(t, hook))
			return
		}
		program, ok := programs.FindMinIO()
		switch {
		case ok:
			fn(t, process(t, hook, program))
		case slices.Contains(strings.Split(os.Getenv("MEETD_TEST_REQUIRE"), ","), "minio"):
			t.Fatal("MEETD_TEST_REQUIRE asks for MinIO but there is no program: " +
				"put minio on PATH, name it in MEETD_MINIO, or set MEETD_TEST_SERVERS=docker")
		default:
			t.Skip("there is no minio program: tested on the embedded store only")
		}
	})
}

// Embedded starts the embedded store for the length of the test.
func Embedded(t *testing.T, hook Hook) Store {
	t.Helper()
	s, err := store.Start(t.Context(), store.Options{
		Dir: t.TempDir(), AccessKey: accessKey, SecretKey: secretKey, Region: region, Buckets: []string{bucket},
		HookURL: hook.URL, HookToken: hook.Token, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return at("embedded", s.Endpoint)
}

func at(name, endpoint string) Store {
	return Store{
		Name: name, Endpoint: endpoint, Region: region, Bucket: bucket, AccessKey: accessKey, SecretKey: secretKey,
	}
}

// Put stores an object in the bucket.
func (s Store) Put(t *testing.T, key, contentType string, body []byte) {
	t.Helper()
	_, err := s.Client().PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(s.Bucket), Key: aws.String(key), ContentType: aws.String(contentType), Body: bytes.NewReader(body),
	})
	if err != nil {
		t.Fatalf("put %s into the %s store: %v", key, s.Name, err)
	}
}

// Client returns a client with the store's account.
func (s Store) Client() *s3.Client {
	return s3.New(s3.Options{
		Region: s.Region, BaseEndpoint: aws.String(s.Endpoint), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
}
