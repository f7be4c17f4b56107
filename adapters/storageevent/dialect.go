package storageevent

import (
	"net/url"
	"path"
	"strings"
)

// Dialect reads how a store writes the key of an object and what it holds. It
// gives the name of the object, empty when the key is not in the form of this
// store, and its content type. contentType is nil when the store told none.
type Dialect func(key string, contentType *string) (name, kind string, err error)

// MinIO reads MinIO's records: keys are percent-encoded, and the content type
// is told.
func MinIO(key string, contentType *string) (name, kind string, err error) {
	if contentType == nil {
		return "", "", malformed("a record has no content type")
	}
	name, err = url.QueryUnescape(key)
	if err != nil || strings.Contains(key, "/") || strings.Contains(key, "%2f") {
		name = "" // MinIO writes no bare slash, no lower-case escape and no half one
	}
	return name, *contentType, nil
}

// S3 reads the records of Amazon S3 and of the stores that copy it: keys are
// encoded by some and raw by others, the type follows from the name.
func S3(key string, _ *string) (name, kind string, err error) {
	if key == "" {
		return "", "", malformed("a record has no object key")
	}
	name = key
	if !strings.Contains(key, "%2f") {
		if decoded, err := url.QueryUnescape(key); err == nil {
			name = decoded
		}
	}
	return name, typeByName(name), nil
}

// Auto takes each record for MinIO's if it looks like one of those, else for one
// of S3.
func Auto(key string, contentType *string) (name, kind string, err error) {
	if contentType != nil && strings.Contains(key, "%2F") {
		return MinIO(key, contentType)
	}
	return S3(key, contentType)
}

// raw reads the events of EventBridge, in which keys stand as they are.
func raw(key string, _ *string) (name, kind string, err error) {
	if key == "" {
		return "", "", malformed("a record has no object key")
	}
	return key, typeByName(key), nil
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

// created tells by the name of an event whether an object was written: S3 and
// Ceph call that ObjectCreated:Put and the like, MinIO, versitygw and older
// Cephs put s3: before it, EventBridge says Object Created. An event without a
// name is taken for one, since the contract looks at none.
func created(name string) bool {
	name = strings.TrimPrefix(name, "s3:")
	return name == "" || name == "Object Created" || strings.HasPrefix(name, "ObjectCreated:")
}
