package storageevent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

const id = "46d1a121-2426-484d-8fb3-09b5d886f7a8"

var (
	minio = Parser{MinIO, slog.New(slog.DiscardHandler)}
	s3    = Parser{S3, slog.New(slog.DiscardHandler)}
	auto  = Parser{Auto, slog.New(slog.DiscardHandler)}
)

func body(key, contentType string) []byte {
	return fmt.Appendf(nil, `{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":%q,"contentType":%q}}}]}`, key, contentType)
}

// The table of recording.md §4, with the differences that docs/differences.md
// names.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key             string
		minio, s3, auto bool
	}{
		{"recordings%2F" + id + ".mp4", true, true, true},
		{"a%2Fb%2Frecordings%2F" + id + ".mp4", true, true, true},
		{"recordings%2F" + strings.ToUpper(id) + ".MP4", true, true, true},
		{"recordings/" + id + ".mp4", false, true, true},
		{"recordings%2f" + id + ".mp4", false, false, false},
		{"xrecordings%2F" + id + ".mp4", false, false, false},
		{"%2Frecordings%2F" + id + ".mp4", false, false, false},
		{"a b%2Frecordings%2F" + id + ".mp4", true, true, true},
		{"a%20b%2Frecordings%2F" + id + ".mp4", true, true, true},
		{"folder+name%2Frecordings%2F" + id + ".mp4", true, true, true},
		{"folder+name/recordings/" + id + ".mp4", false, true, true},
		{"recordings%252F" + id + ".mp4", false, false, false},
		{"recordings%2F" + id + ".mp4.json", false, false, false},
		{"recordings%2F" + id + ".mp4%2Fzzz", false, false, false},
		{"recordings%2F..%2F" + id + ".mp4", false, false, false},
		{"recordings%2F" + id, false, false, false},
		{id + ".mp4", false, false, false},
		{"uploads%2F" + id + ".mp4", false, false, false},
		{"invalid_filepath", false, false, false},
		{"%zz", false, false, false},
	} {
		for name, p := range map[string]struct {
			Parser
			want bool
		}{"minio": {minio, c.minio}, "s3": {s3, c.s3}, "auto": {auto, c.auto}} {
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
		events, err := s3.Parse(body(key, "text/plain"))
		if err != nil || events[0].ContentType != want {
			t.Errorf("S3 %s: %v, %v", key, events, err)
		}
	}
	events, err := minio.Parse(body("a.mp4", "video/mp4; codecs=x"))
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
		`{"Type":"Notification"}`, `{"Type":"Notification","Message":7}`, `{"Type":"Notification","Message":"hello"}`, `{"Type":"Other","Message":"{}"}`,
		`{"Messages":[]}`, `{"Messages":7}`, `{"Messages":null}`, `{"Messages":[7]}`, `{"Messages":[{}]}`, `{"Messages":[{"Body":"{}"}]}`,
		`{"Records":[{"eventSource":"aws:sqs"}]}`, `{"Records":[{"body":7}]}`, `{"Records":[{"body":"hello"}]}`, `{"Records":[{"Sns":{}}]}`,
		`{"source":"aws.s3","detail-type":"Object Created"}`, `{"source":"aws.s3","detail":null}`, `{"source":"aws.s3","detail":{"bucket":{"name":"b"}}}`,
		`{"source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":""}}}`, `{"source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":7}}}`,
		`{"source":"aws.ec2","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`, `{"Event":"s3:Other"}`, `{"Event":7}`,
		strings.Repeat("[", 100000), "\x00", `{"Records":[{"s3":{"bucket":{"name":` + strings.Repeat("9", 100000) + `}}}]}`,
	} {
		for _, p := range []Parser{minio, s3, auto} {
			got, err := p.Parse([]byte(text))
			if !errors.Is(err, fault.Invalid) {
				t.Errorf("%.60q: %v, %v, want a refusal", text, got, err)
			} else if len(err.Error()) > 400 {
				t.Errorf("%.60q: the refusal has %d bytes", text, len(err.Error()))
			}
		}
	}
	if _, err := minio.Parse([]byte(`{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`)); !errors.Is(err, fault.Invalid) {
		t.Errorf("MinIO without content type: %v", err)
	}
	if _, err := s3.Parse(body("", "")); !errors.Is(err, fault.Invalid) {
		t.Errorf("S3 with an empty key: %v", err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// split reads a file of several bodies.
func split(t *testing.T, name string) [][]byte {
	t.Helper()
	var sent []json.RawMessage
	if err := json.Unmarshal(read(t, name), &sent); err != nil {
		t.Fatal(err)
	}
	bodies := make([][]byte, len(sent))
	for i, b := range sent {
		bodies[i] = b
	}
	return bodies
}

// wrap puts a body into the envelope of that file.
func wrap(t *testing.T, file string, body []byte) []byte {
	t.Helper()
	text, err := json.Marshal(string(body))
	if err != nil {
		t.Fatal(err)
	}
	envelope := read(t, file)
	if !bytes.Contains(envelope, []byte(`"%s"`)) {
		t.Fatalf("%s has no place for a message", file)
	}
	return bytes.Replace(envelope, []byte(`"%s"`), text, 1)
}

// Bodies as stores send them.
func TestReal(t *testing.T) {
	t.Parallel()
	const (
		mp4 = "recordings/" + id + ".mp4"
		ogg = "recordings/" + id + ".ogg"
	)
	event := func(key, kind, sequencer string) []ports.StorageEvent {
		return []ports.StorageEvent{{Created: true, Bucket: "meet-media", Key: key, ContentType: kind, Sequencer: sequencer}}
	}
	bucket := func(events []ports.StorageEvent, name string) []ports.StorageEvent {
		events[0].Bucket = name
		return events
	}
	expired := event(mp4, "video/mp4", "")
	expired[0].Created = false
	fromMinIO, fromCeph := split(t, "minio.json"), split(t, "ceph.json")
	const etag = "2bb571599a4180e1d542f76904adc3df"
	for name, c := range map[string]struct {
		body    []byte
		parsers []Parser
		want    []ports.StorageEvent
	}{
		"MinIO":                 {fromMinIO[0], []Parser{minio, auto}, event("recordings/plain.mp4", "video/mp4", "18EA2E9AC691C2D5"+etag)},
		"MinIO, odd name":       {fromMinIO[1], []Parser{minio, auto}, event("recordings/sp ace+plus é.mp4", "video/mp4", "18EA2E9AC73EF1D5"+etag)},
		"MinIO, other folder":   {fromMinIO[2], []Parser{minio, auto}, event("other/x.txt", "video/mp4", "18EA2E9AC7A68184"+etag)},
		"versitygw":             {read(t, "versitygw.json"), []Parser{s3, auto}, bucket(event("recordings/a b c.mp4", "video/mp4", `1"`+etag+`"`), "media")},
		"versitygw, multipart":  {read(t, "versitygw-multipart.json"), []Parser{s3, auto}, bucket(event(mp4, "video/mp4", "2"), "media")},
		"versitygw, test":       {read(t, "versitygw-test.json"), []Parser{minio, s3, auto}, nil},
		"Ceph":                  {fromCeph[0], []Parser{s3, auto}, event(mp4, "video/mp4", "F7E6D75DC742D108"+etag)},
		"Ceph, size as text":    {fromCeph[1], []Parser{s3, auto}, event(ogg, "audio/ogg", "F7E6D75DC742D109")},
		"Ceph, expiry":          {fromCeph[2], []Parser{s3, auto}, expired},
		"AWS":                   {read(t, "aws.json"), []Parser{s3, auto}, event("a b/"+mp4, "video/mp4", "0055AED6DCD90281E5"+etag+"-2")},
		"AWS, test":             {read(t, "aws-test.json"), []Parser{minio, s3, auto}, nil},
		"EventBridge":           {read(t, "eventbridge.json"), []Parser{minio, s3, auto}, event("a+b%/"+mp4, "video/mp4", "0064D3901D00059242"+etag)},
		"EventBridge, deletion": {bytes.Replace(read(t, "eventbridge.json"), []byte("Object Created"), []byte("Object Deleted"), 1), []Parser{s3}, nil},
	} {
		if name == "EventBridge, deletion" {
			c.want = event("a+b%/"+mp4, "video/mp4", "0064D3901D00059242"+etag)
			c.want[0].Created = false
		}
		envelopes := map[string][]byte{
			"bare": c.body, "SNS": wrap(t, "sns.json", c.body), "SQS": wrap(t, "sqs-function.json", c.body), "SQS client": wrap(t, "sqs-client.json", c.body),
			"SNS function": wrap(t, "sns-function.json", c.body), "SNS in SQS": wrap(t, "sqs-function.json", wrap(t, "sns.json", c.body)),
			"four": wrap(t, "sns.json", wrap(t, "sqs-client.json", wrap(t, "sqs-function.json", wrap(t, "sns.json", c.body)))),
		}
		for envelope, body := range envelopes {
			for i, p := range c.parsers {
				got, err := p.Parse(body)
				if err != nil {
					t.Errorf("%s, %s, parser %d: %v", name, envelope, i, err)
				} else if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s, %s, parser %d (-want +got):\n%s", name, envelope, i, diff)
				}
			}
		}
		if _, err := c.parsers[0].Parse(wrap(t, "sns.json", envelopes["four"])); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s in five envelopes: %v", name, err)
		}
	}
}

func TestCreated(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"": true, "ObjectCreated:Put": true, "ObjectCreated:CompleteMultipartUpload": true, "s3:ObjectCreated:Put": true, "s3:ObjectCreated:*": true, "Object Created": true,
		"ObjectRemoved:Delete": false, "s3:ObjectRemoved:DeleteMarkerCreated": false, "s3:ObjectAccessed:Get": false, "s3:LifecycleExpiration:Delete": false,
		"ObjectLifecycle:Expiration:Current": false, "Object Deleted": false, "Object Tags Added": false, "ObjectCreated": false, "objectcreated:put": false,
		"s3:ObjectTagging:Put": false, "xObjectCreated:Put": false, "s3:s3:ObjectCreated:Put": false, "s3:": true,
	} {
		if created(name) != want {
			t.Errorf("%q: %t, want %t", name, created(name), want)
		}
	}
	// Absent, null and of a wrong type are all no name.
	for _, name := range []string{"", `"eventName":null,`, `"eventName":7,`} {
		events, err := s3.Parse([]byte(`{"Records":[{` + name + `"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`))
		if err != nil || !events[0].Created {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}
}

// Stores write sizes wrongly, so that none is read: whatever it is, the event counts.
func TestSize(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`,"size":10`, `,"size":0`, `,"size":"10"`, ``, `,"size":null`, `,"size":-5`, `,"size":"many"`, `,"size":1e400`,
		`,"size":{"a":1}`, `,"size":9223372036854775808`, `,"size":true`, `,"size":1.5`,
	} {
		events, err := s3.Parse([]byte(`{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k"` + text + `}}}]}`))
		if err != nil || len(events) != 1 || events[0].Key != "k" {
			t.Errorf("%s: %v, %v", text, events, err)
		}
	}
}

// Each record of a body is read by itself.
func TestAutoDecidesForEachRecord(t *testing.T) {
	t.Parallel()
	record := func(object string) string { return `{"s3":{"bucket":{"name":"b"},"object":{` + object + `}}}` }
	events, err := auto.Parse([]byte(`{"Records":[` + strings.Join([]string{
		record(`"key":"a%2Fb+c.mp4","contentType":"audio/ogg"`), record(`"key":"a/b.mp4","contentType":"audio/ogg"`), record(`"key":"a%2Fb.mp4"`),
	}, ",") + `]}`))
	var got []string
	for _, e := range events {
		got = append(got, e.Key+" "+e.ContentType)
	}
	if diff := cmp.Diff([]string{"a/b c.mp4 audio/ogg", "a/b.mp4 video/mp4", "a/b.mp4 video/mp4"}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A subscription is confirmed by a person. Nothing is fetched, and the token is
// told to nobody.
func TestSubscription(t *testing.T) {
	t.Parallel()
	ask := read(t, "sns-subscription.json")
	for name, c := range map[string]struct {
		body []byte
		says string
	}{
		"subscription":        {ask, "confirm the subscription by hand"},
		"inside SQS":          {wrap(t, "sqs-client.json", ask), "confirm the subscription by hand"},
		"end of subscription": {bytes.Replace(ask, []byte("SubscriptionConfirmation"), []byte("UnsubscribeConfirmation"), 1), "subscribe again"},
		"long topic":          {bytes.Replace(ask, []byte("arn:"), []byte("arn:aws:sns:eu-west-3:111122223333:meet"+strings.Repeat("x", 5000)), 1), "by hand"},
		"no topic":            {[]byte(`{"Type":"SubscriptionConfirmation","Token":"secret"}`), "by hand"},
	} {
		var log bytes.Buffer
		events, err := Parser{S3, slog.New(slog.NewJSONHandler(&log, nil))}.Parse(c.body)
		if err != nil || len(events) != 0 {
			t.Errorf("%s: %v, %v", name, events, err)
		}
		said := log.String()
		if !strings.Contains(said, c.says) || !strings.Contains(said, `"level":"WARN"`) || strings.Contains(said, "secret") || len(said) > 600 ||
			name != "no topic" && !strings.Contains(said, "arn:aws:sns:eu-west-3:111122223333:meet") {
			t.Errorf("%s: the log says %s", name, said)
		}
	}
}

// many is a body with n times the same member in a list.
func many(list, member string, n int) []byte {
	return []byte(`{"` + list + `":[` + strings.Repeat(member+",", n-1) + member + `]}`)
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	const one = `{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}`
	inside, err := json.Marshal(string(many("Records", one, 501)))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body []byte
		want int
	}{
		"as many as allowed":         {many("Records", one, maxRecords), maxRecords},
		"one more":                   {many("Records", one, maxRecords+1), -1},
		"in one message":             {many("Messages", `{"Body":`+string(inside)+`}`, 1), 501},
		"more in two messages":       {many("Messages", `{"Body":`+string(inside)+`}`, 2), -1},
		"more messages than allowed": {many("Messages", `{"Body":"{\"Event\":\"s3:TestEvent\"}"}`, maxRecords+1), -1},
		"as many tests":              {many("Messages", `{"Body":"{\"Event\":\"s3:TestEvent\"}"}`, maxRecords), 0},
	} {
		events, err := s3.Parse(c.body)
		if c.want < 0 && !errors.Is(err, fault.Invalid) || c.want >= 0 && (err != nil || len(events) != c.want) {
			t.Errorf("%s: %d events, %v, want %d", name, len(events), err, c.want)
		}
	}
}

// What parsing allocates is bounded by the body, however clever that is.
func TestMemory(t *testing.T) { //nolint:paralleltest // it measures the whole process
	const mebibyte = 1 << 20
	nested := []byte("{}")
	for len(nested) < mebibyte { // backslashes double at each level
		text, err := json.Marshal(string(nested))
		if err != nil {
			t.Fatal(err)
		}
		nested = append(append([]byte(`{"Type":"Notification","Message":`), text...), '}')
	}
	for name, body := range map[string][]byte{
		"empty records":  many("Records", "{}", mebibyte/3),
		"empty messages": many("Messages", "{}", mebibyte/3),
		"lists again":    []byte("{" + strings.Repeat(`"Records":[{},{},{},{},{},{},{},{}],`, mebibyte/37) + `"Records":[]}`),
		"nested":         nested,
		"long key":       body(strings.Repeat("%41", mebibyte/3), "t"),
		"sizes":          many("Records", `{"s3":{"bucket":{"name":"b"},"object":{"key":"k","size":`+strings.Repeat("9", 900)+`}}}`, maxRecords),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := auto.Parse(body)
		runtime.ReadMemStats(&after)
		// In all, of which little at a time.
		if spent := int(after.TotalAlloc - before.TotalAlloc); spent > 64*mebibyte {
			t.Errorf("%s: %d KiB for a body of %d KiB (%v)", name, spent>>10, len(body)>>10, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(body("recordings%2F"+id+".mp4", "video/mp4")))
	f.Add(`{"Records":[{"s3":{"object":{"key":7}}}]}`)
	f.Add(`{"Messages":[{"Body":"{\"Type\":\"Notification\",\"Message\":\"{}\"}"}]}`)
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal(err, files)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
		f.Add(`{"Type":"Notification","Message":` + strconv.QuoteToASCII(string(raw)) + `}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, p := range []Parser{minio, s3, auto} {
			events, err := p.Parse([]byte(text))
			if err != nil && (!errors.Is(err, fault.Invalid) || events != nil) {
				t.Fatalf("parser %d %q: %v, %v", i, text, events, err)
			}
			if err == nil && !json.Valid([]byte(text)) {
				t.Fatalf("parser %d %q: is no JSON", i, text)
			}
			length := 0
			for _, e := range events {
				length += len(e.Bucket) + len(e.Key) + len(e.Sequencer)
			}
			// An unknown byte becomes a replacement character of three, once.
			if len(events) > maxRecords || length > 3*len(text) {
				t.Fatalf("parser %d %q: %d events with %d bytes", i, text, len(events), length)
			}
		}
	})
}
