package storageevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

const id = "46d1a121-2426-484d-8fb3-09b5d886f7a8"

func body(key, contentType string) []byte {
	return fmt.Appendf(nil, `{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":%q,"contentType":%q}}}]}`, key, contentType)
}

// The table of recording.md §4, with the differences that docs/differences.md
// names.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key       string
		minio, s3 bool
	}{
		{"recordings%2F" + id + ".mp4", true, true},
		{"a%2Fb%2Frecordings%2F" + id + ".mp4", true, true},
		{"recordings%2F" + strings.ToUpper(id) + ".MP4", true, true},
		{"recordings/" + id + ".mp4", false, true},
		{"recordings%2f" + id + ".mp4", false, false},
		{"xrecordings%2F" + id + ".mp4", false, false},
		{"%2Frecordings%2F" + id + ".mp4", false, false},
		{"a b%2Frecordings%2F" + id + ".mp4", true, true},
		{"a%20b%2Frecordings%2F" + id + ".mp4", true, true},
		{"folder+name%2Frecordings%2F" + id + ".mp4", true, true},
		{"folder+name/recordings/" + id + ".mp4", false, true},
		{"recordings%252F" + id + ".mp4", false, false},
		{"recordings%2F" + id + ".mp4.json", false, false},
		{"recordings%2F" + id + ".mp4%2Fzzz", false, false},
		{"recordings%2F..%2F" + id + ".mp4", false, false},
		{"recordings%2F" + id, false, false},
		{id + ".mp4", false, false},
		{"uploads%2F" + id + ".mp4", false, false},
		{"invalid_filepath", false, false},
		{"%zz", false, false},
	} {
		for name, p := range map[string]struct {
			ports.StorageEvents
			want bool
		}{"minio": {MinIO{}, c.minio}, "s3": {S3{}, c.s3}} {
			events, err := p.Parse(body(c.key, "video/mp4"))
			if err != nil {
				t.Errorf("%s %q: %v", name, c.key, err)
				continue
			}
			addr, ok := recording.ParseKey("recordings", events[0].Key)
			if ok != p.want || (ok && addr.ID.String() != id) {
				t.Errorf("%s %q: taken for %v %v, want %v", name, c.key, addr, ok, p.want)
			}
		}
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"a.ogg": "audio/ogg", "a.oga": "audio/ogg", "a.mp4": "video/mp4", "a.MP4": "video/mp4", "a.weird": "application/octet-stream", "a": "application/octet-stream",
	} {
		events, err := S3{}.Parse(body(key, "text/plain"))
		if err != nil || events[0].ContentType != want {
			t.Errorf("S3 %s: %v, %v", key, events, err)
		}
	}
	events, err := MinIO{}.Parse(body("a.mp4", "video/mp4; codecs=x"))
	if err != nil || events[0].ContentType != "video/mp4; codecs=x" {
		t.Errorf("MinIO: %v, %v", events, err)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "null", "{}", "[]", "7", `"x"`, `{"Records":null}`, `{"Records":[]}`, `{"Records":[7]}`, `{"Records":{}}`,
		`{"Records":[{}]}`, `{"Records":[{"s3":null}]}`, `{"Records":[{"s3":{"bucket":{"name":"b"}}}]}`,
		`{"Records":[{"s3":{"bucket":{"name":null},"object":{"key":"k","contentType":"t"}}}]}`,
		`{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":null,"contentType":"t"}}}]}`,
		`{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":7,"contentType":"t"}}}]}`,
		`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`,
		`{"Type":"SubscriptionConfirmation","SubscribeURL":"http://127.0.0.1/"}`,
		strings.Repeat("[", 100000), "\x00",
	} {
		for _, p := range []ports.StorageEvents{MinIO{}, S3{}} {
			if got, err := p.Parse([]byte(text)); !errors.Is(err, fault.Invalid) {
				t.Errorf("%T %.60q: %v, %v, want a refusal", p, text, got, err)
			}
		}
	}
	if _, err := (MinIO{}).Parse([]byte(`{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`)); !errors.Is(err, fault.Invalid) {
		t.Errorf("MinIO without content type: %v", err)
	}
	if _, err := (S3{}).Parse(body("", "")); !errors.Is(err, fault.Invalid) {
		t.Errorf("S3 with an empty key: %v", err)
	}
}

// Bodies as stores really send them.
func TestReal(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("testdata", "minio.json"))
	if err != nil {
		t.Fatal(err)
	}
	var sent []json.RawMessage
	if err := json.Unmarshal(raw, &sent); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, b := range sent {
		events, err := MinIO{}.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, events[0].Key)
	}
	if got := strings.Join(keys, "|"); got != "recordings/plain.mp4|recordings/sp ace+plus é.mp4|other/x.txt" {
		t.Errorf("keys %q", got)
	}
	raw, err = os.ReadFile(filepath.Join("testdata", "versitygw.json"))
	if err != nil {
		t.Fatal(err)
	}
	events, err := S3{}.Parse(raw)
	if err != nil || events[0].Key != "recordings/a b c.mp4" || events[0].ContentType != "video/mp4" {
		t.Errorf("versitygw: %+v, %v", events, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(body("recordings%2F"+id+".mp4", "video/mp4")))
	f.Add(`{"Records":[{"s3":{"object":{"key":7}}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range []ports.StorageEvents{MinIO{}, S3{}} {
			events, err := p.Parse([]byte(text))
			if err != nil && !errors.Is(err, fault.Invalid) {
				t.Fatalf("%T %q: %v", p, text, err)
			}
			if err == nil && len(events) == 0 {
				t.Fatalf("%T %q: nothing and no error", p, text)
			}
		}
	})
}
