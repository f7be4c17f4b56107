package livekit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
	"github.com/twitchtv/twirp"

	"meetd/adapters/devstack/store"
)

func TestMain(m *testing.M) {
	store.Child()
	os.Exit(m.Run())
}

const bucket = "media"

// bench is a server with its webhooks, a store, and a client.
type bench struct {
	*Server
	store  *store.Store
	egress livekit.Egress
	events chan *livekit.WebhookEvent
}

func newBench(t *testing.T, o Options) bench {
	t.Helper()
	b := bench{events: make(chan *livekit.WebhookEvent, 100)}
	o.APIKey, o.APISecret = "key", "secret-secret-secret-secret-secret"
	keys := auth.NewSimpleKeyProvider(o.APIKey, o.APISecret)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		e, err := webhook.ReceiveWebhookEvent(r, keys)
		if err != nil {
			t.Errorf("webhook: %v", err)
			return
		}
		b.events <- e
	}))
	t.Cleanup(hook.Close)
	o.Dir, o.Log, o.WebhookURLs = t.TempDir(), t.Output(), []string{hook.URL}
	o.ActiveDelay = max(o.ActiveDelay, 20*time.Millisecond)
	var err error
	if b.Server, err = Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Server.Close(); err != nil {
			t.Error(err)
		}
	})
	b.store, err = store.Start(t.Context(), store.Options{
		Dir: t.TempDir(), AccessKey: "ak", SecretKey: "sk", Buckets: []string{bucket},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	b.egress = livekit.NewEgressProtobufClient(b.URL, http.DefaultClient)
	return b
}

// as returns a context with the rights to record.
func (b bench) as(ctx context.Context, t *testing.T) context.Context {
	t.Helper()
	ctx, err := b.authorize(ctx, &auth.VideoGrant{RoomRecord: true, RoomCreate: true})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

func (b bench) room(t *testing.T, name string) *livekit.Room {
	t.Helper()
	room, err := b.CreateRoom(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

func (b bench) request(room, key string) *livekit.RoomCompositeEgressRequest {
	return &livekit.RoomCompositeEgressRequest{RoomName: room, FileOutputs: []*livekit.EncodedFileOutput{{
		Filepath: key,
		Output: &livekit.EncodedFileOutput_S3{S3: &livekit.S3Upload{
			Endpoint: b.store.Endpoint, AccessKey: "ak", Secret: "sk", Region: "us-east-1", Bucket: bucket, ForcePathStyle: true,
		}},
	}}}
}

func (b bench) record(t *testing.T, r *livekit.RoomCompositeEgressRequest) string {
	t.Helper()
	info, err := b.egress.StartRoomCompositeEgress(b.as(t.Context(), t), r)
	if err != nil {
		t.Fatal(err)
	}
	if info.GetStatus() != livekit.EgressStatus_EGRESS_STARTING {
		t.Errorf("started as %s", info.GetStatus())
	}
	return info.GetEgressId()
}

// await returns the next event about the egress, which must have the status.
func (b bench) await(t *testing.T, id string, want livekit.EgressStatus) *livekit.WebhookEvent {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e := <-b.events:
			if e.GetEgressInfo().GetEgressId() != id {
				continue // rooms, and other egresses
			}
			if got := e.GetEgressInfo().GetStatus(); got != want {
				t.Fatalf("event %s with status %s (%s), want %s", e.GetEvent(), got, e.GetEgressInfo().GetError(), want)
			}
			return e
		case <-late:
			t.Fatalf("no event with status %s", want)
		}
	}
}

func (b bench) object(t *testing.T, key string) (*s3.GetObjectOutput, []byte) {
	t.Helper()
	out, err := b.store.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		t.Fatalf("object %s: %v", key, err)
	}
	body, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out, body
}

func (b bench) hasObject(t *testing.T, key string) bool {
	t.Helper()
	_, err := b.store.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	var absent *types.NotFound
	if err != nil && !errors.As(err, &absent) {
		t.Fatal(err)
	}
	return err == nil
}

const (
	starting = livekit.EgressStatus_EGRESS_STARTING
	active   = livekit.EgressStatus_EGRESS_ACTIVE
	ending   = livekit.EgressStatus_EGRESS_ENDING
	complete = livekit.EgressStatus_EGRESS_COMPLETE
	failed   = livekit.EgressStatus_EGRESS_FAILED
	aborted  = livekit.EgressStatus_EGRESS_ABORTED
	limited  = livekit.EgressStatus_EGRESS_LIMIT_REACHED
)

func TestRecording(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{})
	b.room(t, "r1")
	for _, tt := range []struct {
		name, key, want, contentType string
		change                       func(*livekit.RoomCompositeEgressRequest)
	}{
		{"video", "recordings/a.mp4", "recordings/a.mp4", "video/mp4", func(*livekit.RoomCompositeEgressRequest) {}},
		{"audio only", "recordings/b.ogg", "recordings/b.ogg", "audio/ogg", func(r *livekit.RoomCompositeEgressRequest) { r.AudioOnly = true }},
		{"file type OGG, no extension", "recordings/c", "recordings/c.ogg", "audio/ogg", func(r *livekit.RoomCompositeEgressRequest) {
			r.FileOutputs[0].FileType = livekit.EncodedFileType_OGG
		}},
		{"old output", "recordings/d", "recordings/d.mp4", "video/mp4", func(r *livekit.RoomCompositeEgressRequest) {
			r.Output = &livekit.RoomCompositeEgressRequest_File{File: r.GetFileOutputs()[0]} //nolint:staticcheck // older clients use it
			r.FileOutputs = nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) { // one after another: the events are read in order
			r := b.request("r1", tt.key)
			tt.change(r)
			id := b.record(t, r)
			if e := b.await(t, id, starting); e.GetEvent() != webhook.EventEgressStarted {
				t.Errorf("first event is %s", e.GetEvent())
			}
			if e := b.await(t, id, active); e.GetEvent() != webhook.EventEgressUpdated {
				t.Errorf("event when active is %s", e.GetEvent())
			}
			if b.hasObject(t, tt.want) {
				t.Error("the file is there before the end")
			}
			info, err := b.egress.StopEgress(b.as(t.Context(), t), &livekit.StopEgressRequest{EgressId: id})
			if err != nil || info.GetStatus() != ending {
				t.Fatalf("stop: %v, %v", info.GetStatus(), err)
			}
			b.await(t, id, ending)
			e := b.await(t, id, complete)
			if e.GetEvent() != webhook.EventEgressEnded {
				t.Errorf("last event is %s", e.GetEvent())
			}

			out, body := b.object(t, tt.want)
			want, _ := Media(tt.contentType == "audio/ogg")
			if !bytes.Equal(body, want) {
				t.Errorf("the file has %d bytes, not the expected %d", len(body), len(want))
			}
			if got := aws.ToString(out.ContentType) + " " + aws.ToString(out.ContentDisposition); got != tt.contentType+" inline" {
				t.Errorf("the file is %q", got)
			}
			result := e.GetEgressInfo().GetFileResults()[0]
			if result.GetFilename() != tt.want || result.GetSize() != int64(len(want)) ||
				result.GetLocation() != b.store.Endpoint+"/media/"+tt.want ||
				result.GetStartedAt() == 0 || result.GetDuration() <= 0 || result.GetEndedAt()-result.GetStartedAt() != result.GetDuration() {
				t.Errorf("result: %v", result)
			}
			if strings.Contains(e.String(), `"sk"`) {
				t.Error("the event shows the secret")
			}
			manifest, text := b.object(t, "recordings/"+id+".json")
			if aws.ToString(manifest.ContentType) != "application/json" || !bytes.Contains(text, []byte(result.GetLocation())) {
				t.Errorf("manifest: %s", text)
			}
		})
	}
	asked := b.Worker().Requests()
	got := make([]string, 0, len(asked))
	for _, r := range asked {
		got = append(got, outputs(r.GetRoomComposite())[0].GetFilepath())
	}
	want := []string{"recordings/a.mp4", "recordings/b.ogg", "recordings/c", "recordings/d"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if s3 := outputs(asked[0].GetRoomComposite())[0].GetS3(); s3.GetSecret() != "sk" {
		t.Error("the recorded request has not the secret it was sent with")
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{NoManifest: true})
	b.room(t, "r1")
	stop := func(t *testing.T, id string) error {
		t.Helper()
		_, err := b.egress.StopEgress(b.as(t.Context(), t), &livekit.StopEgressRequest{EgressId: id})
		return err
	}
	// One after another: the events are read in order.
	for name, test := range map[string]func(t *testing.T, key string){
		"refuse start": func(t *testing.T, key string) {
			b.Worker().FailNext(RefuseStart)
			_, err := b.egress.StartRoomCompositeEgress(b.as(t.Context(), t), b.request("r1", key))
			var refused twirp.Error
			if !errors.As(err, &refused) || refused.Code() != twirp.Internal {
				t.Errorf("error %v, want internal", err)
			}
		},
		"absent room": func(t *testing.T, key string) {
			_, err := b.egress.StartRoomCompositeEgress(b.as(t.Context(), t), b.request("absent", key))
			var refused twirp.Error
			if !errors.As(err, &refused) || refused.Code() != twirp.NotFound {
				t.Errorf("error %v, want not found", err)
			}
		},
		"fail": func(t *testing.T, key string) {
			b.Worker().FailNext(Fail)
			id := b.record(t, b.request("r1", key))
			b.await(t, id, starting)
			if e := b.await(t, id, failed); e.GetEvent() != webhook.EventEgressEnded || e.GetEgressInfo().GetError() == "" {
				t.Errorf("event %v", e)
			}
		},
		"abort": func(t *testing.T, key string) {
			b.Worker().FailNext(Abort)
			id := b.record(t, b.request("r1", key))
			b.await(t, id, starting)
			b.await(t, id, aborted)
		},
		"reach limit": func(t *testing.T, key string) {
			b.Worker().FailNext(ReachLimit)
			id := b.record(t, b.request("r1", key))
			for _, s := range []livekit.EgressStatus{starting, active, ending, limited} {
				b.await(t, id, s)
			}
			if !b.hasObject(t, key) {
				t.Error("no file")
			}
		},
		"complete without upload": func(t *testing.T, key string) {
			b.Worker().FailNext(CompleteWithoutUpload)
			id := b.record(t, b.request("r1", key))
			b.await(t, id, starting)
			b.await(t, id, active)
			if err := stop(t, id); err != nil {
				t.Fatal(err)
			}
			b.await(t, id, ending)
			if e := b.await(t, id, complete); len(e.GetEgressInfo().GetFileResults()) != 0 {
				t.Errorf("results %v", e.GetEgressInfo().GetFileResults())
			}
			if b.hasObject(t, key) {
				t.Error("there is a file")
			}
		},
		"refuse stop, then the room ends": func(t *testing.T, key string) {
			b.Worker().FailNext(RefuseStop)
			b.room(t, "short")
			id := b.record(t, b.request("short", key))
			b.await(t, id, starting)
			b.await(t, id, active)
			if err := stop(t, id); err == nil {
				t.Error("stopped")
			}
			if _, err := b.rooms.DeleteRoom(b.as(t.Context(), t), &livekit.DeleteRoomRequest{Room: "short"}); err != nil {
				t.Fatal(err)
			}
			b.await(t, id, ending)
			b.await(t, id, complete)
			if !b.hasObject(t, key) {
				t.Error("no file")
			}
			if b.hasObject(t, "recordings/"+id+".json") {
				t.Error("there is a manifest")
			}
		},
		"wrong secret for the store": func(t *testing.T, key string) {
			r := b.request("r1", key)
			r.GetFileOutputs()[0].GetS3().Secret = "wrong"
			id := b.record(t, r)
			b.await(t, id, starting)
			b.await(t, id, active)
			if err := stop(t, id); err != nil {
				t.Fatal(err)
			}
			b.await(t, id, ending)
			if e := b.await(t, id, failed); !strings.Contains(e.GetEgressInfo().GetError(), "403") {
				t.Errorf("error %q", e.GetEgressInfo().GetError())
			}
		},
	} {
		t.Run(name, func(t *testing.T) { test(t, "recordings/"+strings.ReplaceAll(name, " ", "-")+".mp4") })
	}
	// The failures are used up.
	id := b.record(t, b.request("r1", "recordings/good.mp4"))
	b.await(t, id, starting)
	b.await(t, id, active)
	running, err := b.Worker().ListActiveEgress(t.Context(), nil)
	if err != nil || !slices.Contains(running.GetEgressIds(), id) {
		t.Errorf("active: %v, %v", running, err)
	}
}

func TestStopBeforeActiveAborts(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{ActiveDelay: time.Hour})
	b.room(t, "r1")
	id := b.record(t, b.request("r1", "recordings/a.mp4"))
	info, err := b.egress.StopEgress(b.as(t.Context(), t), &livekit.StopEgressRequest{EgressId: id})
	if err != nil || info.GetStatus() != aborted {
		t.Errorf("stop: %v, %v", info.GetStatus(), err)
	}
	b.await(t, id, starting)
	b.await(t, id, aborted)
	if b.hasObject(t, "recordings/a.mp4") {
		t.Error("there is a file")
	}
}

func TestNoWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{NoWorker: true})
	if b.Worker() != nil {
		t.Error("there is a worker")
	}
	b.room(t, "r1")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // LiveKit itself gives up after 22 s
	defer cancel()
	if info, err := b.egress.StartRoomCompositeEgress(b.as(ctx, t), b.request("r1", "a.mp4")); err == nil {
		t.Errorf("somebody records: %v", info)
	}
}

func TestRoomEventsComeSigned(t *testing.T) {
	t.Parallel()
	b := newBench(t, Options{NoWorker: true})
	room := b.room(t, "r1")
	select {
	case e := <-b.events:
		if e.GetEvent() != webhook.EventRoomStarted || e.GetRoom().GetSid() != room.GetSid() {
			t.Errorf("event %v", e)
		}
	case <-time.After(20 * time.Second):
		t.Error("no event")
	}
	if _, err := b.rooms.ListRooms(t.Context(), &livekit.ListRoomsRequest{}); err == nil {
		t.Error("rooms are listed without a token")
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for addr, want := range map[string]string{
		l.Addr().String(): "is in use: stop the program that listens there",
		"nonsense":        `address "nonsense"`,
		"127.0.0.1:http":  "the port is not a number",
	} {
		_, err := Start(t.Context(), Options{Dir: t.TempDir(), Addr: addr})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("address %s: %v, want %q", addr, err, want)
		}
	}
}

func TestMediaIsWhatItSays(t *testing.T) {
	t.Parallel()
	for audio, want := range map[bool]string{false: "....ftyp", true: "OggS"} {
		data, contentType := Media(audio)
		head := fmt.Sprintf("%.8s", data)
		if !audio {
			head = "...." + string(data[4:8])
		}
		if !strings.HasPrefix(head, want) || len(data) > 60_000 {
			t.Errorf("%s: %d bytes beginning with %q", contentType, len(data), head)
		}
	}
}
