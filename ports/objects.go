package ports

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Object is what the store says of an object.
type Object struct {
	Size        int64
	ContentType string
}

// Objects is the bucket.
type Objects interface {
	// Stat returns fault.NotFound when there is no such object and
	// fault.Unavailable when the store cannot tell.
	Stat(ctx context.Context, key string) (Object, error)
	// Fetch opens an object for a browser: method GET or HEAD, header the
	// conditional and range headers of its request. Answers 200, 206, 304 and
	// 416 are returned; fault.NotFound and fault.Unavailable as in Stat.
	Fetch(ctx context.Context, method, key string, header http.Header) (*Fetched, error)
	// Delete removes an object; one that is not there is no error. Where the
	// bucket keeps versions, the older ones stay. fault.Unavailable as in Stat.
	Delete(ctx context.Context, key string) error
}

// Fetched is an object on its way.
type Fetched struct {
	Status int
	Header http.Header
	Body   io.ReadCloser
}

// SignedHeaders let their bearer fetch one object once, for some minutes.
type SignedHeaders struct {
	Authorization string
	Date          string // X-Amz-Date
	ContentSHA256 string // X-Amz-Content-SHA256
	SecurityToken string // X-Amz-Security-Token; empty with permanent keys
}

// ObjectSigner signs requests to the bucket (recording.md §7).
type ObjectSigner interface {
	// Sign signs a request with this method for the object.
	Sign(ctx context.Context, method, key string, now time.Time) (SignedHeaders, error)
}

// PresignRequest is a request to the bucket that a URL alone will stand for.
type PresignRequest struct {
	Method  string
	Key     string
	Expires time.Duration // how long the URL works: 1 second to 7 days
	At      time.Time     // since when
	Public  bool          // for a browser: at the address that browsers know
	// FileName and ContentType are what the answer to a GET or HEAD says the
	// object is, as an attachment. Empty: what is stored.
	FileName    string
	ContentType string
	// Header are further headers that whoever uses the URL must send like this.
	Header map[string]string
}

// ObjectPresigner makes URLs that let whoever holds them do one thing with one
// object, until they expire (recording.md §7).
type ObjectPresigner interface {
	Presign(ctx context.Context, p PresignRequest) (string, error)
}
