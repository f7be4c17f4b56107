package s3

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"meetd/ports"
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

// The golden URLs of recording.md §7, and what else is signed into one.
func TestPresignGolden(t *testing.T) {
	t.Parallel()
	static := credentials.NewStaticCredentialsProvider("meet", "password", "")
	const film = "recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8.mp4"
	scope := url.QueryEscape("meet/20260102/us-east-1/s3/aws4_request")
	for _, c := range []struct {
		name string
		p    ports.PresignRequest
		want string
	}{
		{
			"upload",
			ports.PresignRequest{
				Method: http.MethodPut, Key: "tmp/files/29f8c257-fdfb-430c-9579-081bb3dc6e8b.png", Expires: time.Minute,
				Header: map[string]string{"x-amz-acl": "private"},
			},
			"http://minio:9000/meet-media-storage/tmp/files/29f8c257-fdfb-430c-9579-081bb3dc6e8b.png?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" +
				scope + "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-amz-acl" +
				"&X-Amz-Signature=61e0febe0acbe0b74fa7f63f0bd93ef041609f81881e8d6eded8a450e584004a",
		},
		{
			"download",
			ports.PresignRequest{Method: http.MethodGet, Key: film, Expires: 24 * time.Hour},
			"http://minio:9000/meet-media-storage/" + film + "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + scope +
				"&X-Amz-Date=20260102T030405Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
				"&X-Amz-Signature=1d78e5e12e9508e6e3d95bac47d8c9145466c33fe425cbd1e643c6039316efe6",
		},
	} {
		c.p.At = signedAt
		got, err := bucket(t, "http://minio:9000", "", static).Presign(t.Context(), c.p)
		if err != nil || got != c.want {
			t.Errorf("%s:\n%s, %v\nwant\n%s", c.name, got, err, c.want)
		}
	}
}

func TestPresign(t *testing.T) {
	t.Parallel()
	b := bucket(t, "http://minio:9000", "", credentials.NewStaticCredentialsProvider("meet", "password", "session token"))
	public, err := url.Parse("https://media.example.org:443")
	if err != nil {
		t.Fatal(err)
	}
	b.c.Public = public
	p := ports.PresignRequest{
		Method: http.MethodGet, Key: "recordings/a b+.mp4", Expires: time.Minute, At: signedAt, Public: true,
		FileName: "weekly 2026.mp4", ContentType: "video/mp4",
	}
	get, err := b.Presign(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(get)
	if err != nil {
		t.Fatal(err)
	}
	if at := u.Scheme + "://" + u.Host + u.EscapedPath(); at != "https://media.example.org/meet-media-storage/recordings/a%20b%2B.mp4" {
		t.Errorf("address %s", at)
	}
	for name, want := range map[string]string{
		"X-Amz-Security-Token": "session token", "response-content-type": "video/mp4", "X-Amz-Expires": "60", "X-Amz-SignedHeaders": "host",
		"response-content-disposition": `attachment; filename="weekly 2026.mp4"`,
	} {
		if v := u.Query()[name]; len(v) != 1 || v[0] != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	p.Public, p.Method = false, http.MethodHead
	if head, err := b.Presign(t.Context(), p); err != nil || !strings.HasPrefix(head, "http://minio:9000/") {
		t.Errorf("%s, %v", head, err)
	}
	p.Header = map[string]string{"x-amz-expected-bucket-owner": "weekly"}
	if put, err := b.Presign(t.Context(), p); err != nil || !strings.Contains(put, "X-Amz-SignedHeaders=host%3Bx-amz-expected-bucket-owner&") || strings.Contains(put, "weekly&") {
		t.Errorf("with a header: %s, %v", put, err)
	}
	for _, wrong := range []time.Duration{0, -time.Second, time.Second - 1, 7*24*time.Hour + 1} {
		p.Expires = wrong
		if got, err := b.Presign(t.Context(), p); err == nil {
			t.Errorf("for %v: %s", wrong, got)
		}
	}
}
