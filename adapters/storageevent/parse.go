package storageevent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"strings"

	"meetd/domain/fault"
	"meetd/ports"
)

// notification is the part of an S3 event that is read. Pointers tell null and
// absent from empty.
type notification struct {
	Records []struct {
		EventName string `json:"eventName"`
		S3        *struct {
			Bucket *struct {
				Name *string `json:"name"`
			} `json:"bucket"`
			Object *struct {
				Key         *string `json:"key"`
				ContentType *string `json:"contentType"`
				Sequencer   string  `json:"sequencer"`
				ETag        string  `json:"eTag"`
			} `json:"object"`
		} `json:"s3"`
	} `json:"Records"`
}

// MinIO reads MinIO's notifications: keys are percent-encoded, and the content
// type is told.
type MinIO struct{}

var _ ports.StorageEvents = MinIO{}

// Parse reads all records.
func (MinIO) Parse(body []byte) ([]ports.StorageEvent, error) {
	return parse(body, func(key string, contentType *string) (string, string, error) {
		if contentType == nil {
			return "", "", malformed("a record has no content type")
		}
		name, err := url.QueryUnescape(key)
		if err != nil || strings.Contains(key, "/") || strings.Contains(key, "%2f") {
			name = "" // MinIO writes no bare slash, no lower-case escape and no half one
		}
		return name, *contentType, nil
	})
}

// S3 reads the notifications of Amazon S3 and of the stores that copy them:
// keys are encoded by some and raw by others, the type follows from the name.
type S3 struct{}

var _ ports.StorageEvents = S3{}

// Parse reads all records.
func (S3) Parse(body []byte) ([]ports.StorageEvent, error) {
	return parse(body, func(key string, _ *string) (string, string, error) {
		if key == "" {
			return "", "", malformed("a record has no object key")
		}
		name := key
		if !strings.Contains(key, "%2f") {
			if decoded, err := url.QueryUnescape(key); err == nil {
				name = decoded
			}
		}
		return name, typeByName(name), nil
	})
}

// typeByName guesses what an object holds.
func typeByName(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".mp4":
		return "video/mp4"
	case ".ogg", ".oga":
		return "audio/ogg"
	}
	return "application/octet-stream"
}

func parse(body []byte, object func(key string, contentType *string) (name, kind string, err error)) ([]ports.StorageEvent, error) {
	if bytes.IndexByte(body, 0) >= 0 {
		return nil, malformed("the body holds a NUL byte")
	}
	var n notification
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, malformed(err.Error())
	}
	if len(n.Records) == 0 {
		return nil, malformed("the body has no records")
	}
	out := make([]ports.StorageEvent, len(n.Records))
	for i, r := range n.Records {
		if r.S3 == nil || r.S3.Bucket == nil || r.S3.Bucket.Name == nil || r.S3.Object == nil || r.S3.Object.Key == nil {
			return nil, malformed(fmt.Sprintf("record %d lacks the bucket or the object", i))
		}
		o := r.S3.Object
		name, kind, err := object(*o.Key, o.ContentType)
		if err != nil {
			return nil, err
		}
		out[i] = ports.StorageEvent{
			Name: r.EventName, Bucket: *r.S3.Bucket.Name, Key: name, ContentType: kind, Sequencer: o.Sequencer + o.ETag,
		}
	}
	return out, nil
}

func malformed(why string) error {
	return fault.Wrap(fault.Invalid, "storage_event", fmt.Errorf("malformed storage event: %s", why))
}
