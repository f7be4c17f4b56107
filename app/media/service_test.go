package media_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/app/media"
	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/ports"
)

var (
	now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	id  = uuid.MustParse("46d1a121-2426-484d-8fb3-09b5d886f7a8")
	key = ports.SessionKey{1, 2, 3}
)

const address = "/media/recordings/46d1a121-2426-484d-8fb3-09b5d886f7a8."

// facts answers as told, and remembers what was asked.
type facts struct {
	known ports.MediaFacts
	err   error
	key   ports.SessionKey
	id    uuid.UUID
	at    time.Time
	asked int
}

func (f *facts) MediaFacts(_ context.Context, key ports.SessionKey, id uuid.UUID, now time.Time) (ports.MediaFacts, error) {
	f.key, f.id, f.at = key, id, now
	f.asked++
	return f.known, f.err
}

// bucket remembers what was signed and fetched.
type bucket struct {
	ports.Objects
	signed, fetched []string
	linked          []ports.PresignRequest
}

func (b *bucket) Sign(_ context.Context, method, key string, at time.Time) (ports.SignedHeaders, error) {
	b.signed = append(b.signed, method+" "+key+" "+at.Format(time.RFC3339))
	return ports.SignedHeaders{Authorization: "signed"}, nil
}

func (b *bucket) Fetch(_ context.Context, method, key string, _ http.Header) (*ports.Fetched, error) {
	b.fetched = append(b.fetched, method+" "+key)
	return &ports.Fetched{Status: http.StatusOK}, nil
}

func (b *bucket) Presign(_ context.Context, p ports.PresignRequest) (string, error) {
	b.linked = append(b.linked, p)
	return "https://store.example/link", nil
}

func newService(f *facts, b *bucket) *media.Service {
	return &media.Service{
		Checks: f, Signer: b, Presigner: b, Objects: b,
		Config:  media.Config{Folder: "recordings", ExpirationDays: 7, LinkExpiry: time.Minute},
		OwnHost: func(host string) bool { return host == "meet.example.org" }, Now: func() time.Time { return now },
	}
}

// account is who asks.
var account = uuid.UUID{7}

// good are the facts of a film that its owner may have.
func good() ports.MediaFacts {
	return ports.MediaFacts{
		Found: true, Status: recording.Saved, Mode: recording.ScreenRecording, CreatedAt: now.Add(-time.Hour), Role: access.Owner,
		Room: "weekly", Account: account,
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	down := fault.New(fault.Unavailable, "database")
	for _, c := range []struct {
		name   string
		change func(f *facts, r *media.Request)
		code   string // empty: allowed
	}{
		{"owner", func(*facts, *media.Request) {}, ""},
		{"administrator", func(f *facts, _ *media.Request) { f.known.Role = access.Administrator }, ""},
		{"HEAD", func(_ *facts, r *media.Request) { r.Method = http.MethodHead }, ""},
		{"own host", func(_ *facts, r *media.Request) { r.Target = "https://meet.example.org" + r.Target }, ""},
		{"own host apart", func(_ *facts, r *media.Request) { r.Host = "meet.example.org" }, ""},
		{"on the last day", func(f *facts, _ *media.Request) { f.known.CreatedAt = now.Add(-7*24*time.Hour + time.Second) }, ""},

		{"nobody", func(f *facts, _ *media.Request) { f.err = fault.New(fault.Unauthenticated, "session") }, "session"},
		{"nobody, bad address", func(f *facts, r *media.Request) { f.err, r.Target = fault.New(fault.Unauthenticated, "session"), "/x" }, "session"},
		{"database down", func(f *facts, _ *media.Request) { f.err = down }, "database"},
		{"database down, bad address", func(f *facts, r *media.Request) { f.err, r.Target = down, "" }, "database"},

		{"bad address", func(_ *facts, r *media.Request) { r.Target = "/media/recordings/x.mp4" }, "permission"},
		{"no address", func(_ *facts, r *media.Request) { r.Target = "" }, "permission"},
		{"other folder", func(_ *facts, r *media.Request) { r.Target = strings.ReplaceAll(r.Target, "recordings", "files") }, "permission"},
		{"foreign host", func(_ *facts, r *media.Request) { r.Target = "https://evil.example" + r.Target }, "permission"},
		{"foreign host apart", func(_ *facts, r *media.Request) { r.Host = "evil.example" }, "permission"},
		{"write", func(_ *facts, r *media.Request) { r.Method = http.MethodPut }, "permission"},
		{"no method", func(_ *facts, r *media.Request) { r.Method = "" }, "permission"},
		{"member", func(f *facts, _ *media.Request) { f.known.Role = access.Member }, "permission"},
		{"no role", func(f *facts, _ *media.Request) { f.known.Role = "" }, "permission"},
		{"unknown role", func(f *facts, _ *media.Request) { f.known.Role = "superuser" }, "permission"},
		{"not saved", func(f *facts, _ *media.Request) { f.known.Status = recording.Active }, "permission"},
		{"unknown state", func(f *facts, _ *media.Request) { f.known.Status = "new" }, "permission"},
		{"expired", func(f *facts, _ *media.Request) { f.known.CreatedAt = now.Add(-7*24*time.Hour - time.Second) }, "permission"},

		{"unsupported extension", func(_ *facts, r *media.Request) { r.Target = address + "webm" }, "media_extension"},
		{"unknown", func(f *facts, _ *media.Request) { f.known = ports.MediaFacts{} }, "storage_recording"},
		{"wrong extension", func(_ *facts, r *media.Request) { r.Target = address + "ogg" }, "media_mode"},
		{"wrong mode", func(f *facts, _ *media.Request) { f.known.Mode = recording.Transcript }, "media_mode"},

		// Which refusal wins.
		{"bad method, unsupported extension", func(_ *facts, r *media.Request) { r.Method, r.Target = "PUT", address+"webm" }, "permission"},
		{"unknown, unsupported extension", func(f *facts, r *media.Request) { f.known, r.Target = ports.MediaFacts{}, address+"webm" }, "media_extension"},
		{"unknown, wrong extension", func(f *facts, r *media.Request) { f.known, r.Target = ports.MediaFacts{}, address+"ogg" }, "storage_recording"},
		{"member, wrong extension", func(f *facts, r *media.Request) { f.known.Role, r.Target = access.Member, address+"ogg" }, "media_mode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, b := &facts{known: good()}, &bucket{}
			r := media.Request{Session: key, Method: http.MethodGet, Target: address + "mp4"}
			c.change(f, &r)
			s := newService(f, b)
			_, _, signErr := s.Authorize(t.Context(), r)
			_, _, openErr := s.Open(t.Context(), r, nil)
			_, linkErr := s.Link(t.Context(), r)
			for _, err := range []error{signErr, openErr, linkErr} {
				var got *fault.Error
				switch errors.As(err, &got); {
				case c.code == "" && err != nil:
					t.Errorf("refused: %v", err)
				case c.code != "" && (got == nil || got.Code != c.code):
					t.Errorf("%v, want %s", err, c.code)
				}
			}
			if c.code != "" && len(b.signed)+len(b.fetched)+len(b.linked) > 0 {
				t.Errorf("refused, but signed %v, fetched %v and linked %v", b.signed, b.fetched, b.linked)
			}
			if f.asked != 3 || f.key != key || f.at != now {
				t.Errorf("asked %d times for session %v at %v", f.asked, f.key, f.at)
			}
		})
	}
}

// The name of the object comes from what is stored, and the method is the
// browser's.
func TestWhatIsSigned(t *testing.T) {
	t.Parallel()
	f, b := &facts{known: good()}, &bucket{}
	f.known.Mode = recording.Transcript
	s := newService(f, b)
	r := media.Request{Session: key, Method: http.MethodHead, Target: "/media/%72ecordings/" + id.String() + ".%6fgg?versionId=1"}
	want := media.Download{
		Key: "recordings/" + id.String() + ".ogg", Name: "weekly-2026-03-01-11-00.ogg", ContentType: "audio/ogg", RequestedAt: now,
		Account: account, Recording: id,
	}
	if d, signed, err := s.Authorize(t.Context(), r); err != nil || d != want || signed.Authorization != "signed" {
		t.Fatalf("%+v, %+v, %v", d, signed, err)
	}
	if d, file, err := s.Open(t.Context(), r, nil); err != nil || d != want || file.Status != http.StatusOK {
		t.Fatalf("%+v, %+v, %v", d, file, err)
	}
	if link, err := s.Link(t.Context(), r); err != nil || link != "https://store.example/link" {
		t.Fatalf("%s, %v", link, err)
	}
	wantLink := ports.PresignRequest{
		Method: http.MethodHead, Key: want.Key, Expires: time.Minute, At: now, Public: true, FileName: want.Name, ContentType: "audio/ogg",
	}
	if len(b.linked) != 1 || !reflect.DeepEqual(b.linked[0], wantLink) {
		t.Errorf("linked %+v, want %+v", b.linked, wantLink)
	}
	object := "HEAD recordings/" + id.String() + ".ogg"
	if f.id != id || len(b.signed) != 1 || b.signed[0] != object+" 2026-03-01T12:00:00Z" || len(b.fetched) != 1 || b.fetched[0] != object {
		t.Errorf("asked about %s, signed %v, fetched %v", f.id, b.signed, b.fetched)
	}
}
