package s3

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

var signedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func bucket(t testing.TB, endpoint, region string, creds aws.CredentialsProvider) *Bucket {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{
		Endpoint: u, Region: region, Bucket: "meet-media-storage", Credentials: creds,
		Now: func() time.Time { return signedAt }, Client: http.DefaultClient,
	})
}

// The golden signatures of recording.md §7.
func TestSignGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ endpoint, region, scope, signature string }{
		{"http://minio:9000", "", "us-east-1", "88ff88236aa3efdd611b6decb91445a38070bdad30d0b95dc41e251f33ad50d2"},
		{"https://s3.fr-par.scw.cloud", "fr-par", "fr-par", "c7fabe96edffc44376986f88c1083855ac7645a03549d75c9655d6eeebd5a6dc"},
		{"https://s3.fr-par.scw.cloud:443", "fr-par", "fr-par", "c7fabe96edffc44376986f88c1083855ac7645a03549d75c9655d6eeebd5a6dc"},
		{"https://s3.eu-west-3.amazonaws.com", "eu-west-3", "eu-west-3", "86daabc052940604baee7620ead73d722d198cf4d8d958dc5db5e0de9efd9489"},
	} {
		b := bucket(t, c.endpoint, c.region, credentials.NewStaticCredentialsProvider("meet", "password", ""))
		got, err := b.Sign(t.Context(), http.MethodGet, "recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4", signedAt)
		if err != nil {
			t.Fatal(err)
		}
		want := "AWS4-HMAC-SHA256 Credential=meet/20260102/" + c.scope +
			"/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" + c.signature
		if got.Authorization != want || got.Date != "20260102T030405Z" || got.ContentSHA256 != emptySHA256 || got.SecurityToken != "" {
			t.Errorf("%s: %+v, want %s", c.endpoint, got, want)
		}
	}
}

func TestSignTemporary(t *testing.T) {
	t.Parallel()
	b := bucket(t, "http://minio:9000", "", credentials.NewStaticCredentialsProvider("meet", "password", "token"))
	get, err := b.Sign(t.Context(), http.MethodGet, "k", signedAt)
	if err != nil {
		t.Fatal(err)
	}
	if get.SecurityToken != "token" || !strings.Contains(get.Authorization, "x-amz-security-token") {
		t.Errorf("the session token is not signed: %+v", get)
	}
	head, err := b.Sign(t.Context(), http.MethodHead, "k", signedAt)
	if err != nil {
		t.Fatal(err)
	}
	if head.Authorization == get.Authorization {
		t.Error("HEAD has the signature of GET")
	}
}

// Whatever the SDK signs, we sign alike: for every key, method, day and secret.
func TestSignLikeSDK(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "session-token"} {
		b := bucket(t, "https://store.example:8443", "eu-west-3", credentials.NewStaticCredentialsProvider("key", "secret", token))
		for i, key := range []string{"recordings/a.mp4", "a b/ü+%.ogg", "x/~_-!*'().mp4", "deep/er/and/deeper"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				at := signedAt.Add(time.Duration(i) * 17 * time.Hour)
				r, err := b.request(t.Context(), method, key, at)
				if err != nil {
					t.Fatal(err)
				}
				got, err := b.Sign(t.Context(), method, key, at)
				if err != nil {
					t.Fatal(err)
				}
				if got.Authorization != r.Header.Get("Authorization") || got.Date != r.Header.Get("X-Amz-Date") ||
					got.SecurityToken != r.Header.Get("X-Amz-Security-Token") {
					t.Errorf("%s %s at %v:\n%+v\nthe SDK: %v", method, key, at, got, r.Header)
				}
			}
		}
	}
}

func BenchmarkSign(b *testing.B) {
	bk := bucket(b, "http://minio:9000", "", credentials.NewStaticCredentialsProvider("meet", "password", ""))
	for b.Loop() {
		if _, err := bk.Sign(b.Context(), http.MethodGet, "recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4", signedAt); err != nil {
			b.Fatal(err)
		}
	}
}
