package livekit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"
)

// Failure is what a Worker is told to do instead of recording well.
type Failure int

// The failures.
const (
	// RefuseStart answers StartEgress with an error.
	RefuseStart Failure = iota + 1
	// Fail starts, and fails instead of becoming active (EGRESS_FAILED).
	Fail
	// Abort starts, and aborts instead of becoming active (EGRESS_ABORTED).
	Abort
	// ReachLimit becomes active and stops by itself at once, with the file
	// (EGRESS_LIMIT_REACHED).
	ReachLimit
	// RefuseStop answers StopEgress with an error and goes on.
	RefuseStop
	// CompleteWithoutUpload ends well (EGRESS_COMPLETE) but there is no file.
	CompleteWithoutUpload
)

const updateTimeout = 10 * time.Second

// Worker stands in for LiveKit's recorder.
type Worker struct {
	rooms       roomFinder
	activeDelay time.Duration
	manifest    bool
	redis       *redis.Client
	bus         psrpc.MessageBus
	io          rpc.IOInfoClient
	server      rpc.EgressInternalServer
	ctx         context.Context //nolint:containedctx // the life of the worker: its egresses outlive their requests
	stop        context.CancelFunc
	running     sync.WaitGroup

	mu       sync.Mutex
	next     []Failure
	requests []*rpc.StartEgressRequest
	egresses map[string]*egress
}

// roomFinder tells which room now has a name.
type roomFinder interface {
	roomID(ctx context.Context, name string) (string, error)
}

func newWorker(redisAddr string, rooms roomFinder, o Options) (*Worker, error) {
	client := redis.NewClient(&redis.Options{Addr: redisAddr})
	w := &Worker{
		rooms: rooms, activeDelay: o.ActiveDelay, manifest: !o.NoManifest,
		redis: client, bus: psrpc.NewRedisMessageBus(client), egresses: map[string]*egress{},
	}
	w.ctx, w.stop = context.WithCancel(context.Background()) // ends with close
	var err error
	if w.io, err = rpc.NewIOInfoClient(w.bus); err != nil {
		return nil, fmt.Errorf("start the egress worker: %w", err)
	}
	if w.server, err = rpc.NewEgressInternalServer(w, w.bus); err != nil {
		return nil, fmt.Errorf("start the egress worker: %w", err)
	}
	if err := w.server.RegisterStartEgressTopic(""); err != nil {
		return nil, fmt.Errorf("start the egress worker: %w", err)
	}
	return w, nil
}

// FailNext makes the next egress fail in the given way; several calls queue up.
func (w *Worker) FailNext(f Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next = append(w.next, f)
}

// Requests returns what the worker was asked to record, refused ones included,
// in order.
func (w *Worker) Requests() []*rpc.StartEgressRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]*rpc.StartEgressRequest, len(w.requests))
	for i, r := range w.requests {
		out[i] = proto.CloneOf(r)
	}
	return out
}

// StartEgress is called by the server.
func (w *Worker) StartEgress(_ context.Context, r *rpc.StartEgressRequest) (*livekit.EgressInfo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, proto.CloneOf(r))
	var failure Failure
	if len(w.next) > 0 {
		failure, w.next = w.next[0], w.next[1:]
	}
	if failure == RefuseStart {
		return nil, psrpc.NewErrorf(psrpc.Internal, "the development worker was told to refuse")
	}
	composite := r.GetRoomComposite()
	if composite == nil {
		return nil, psrpc.NewErrorf(psrpc.InvalidArgument, "the development worker records room composites only")
	}
	e := &egress{
		w: w, failure: failure, request: proto.CloneOf(composite),
		asked: make(chan struct{}), leaving: make(chan struct{}),
		info: &livekit.EgressInfo{
			EgressId: r.GetEgressId(), RoomId: r.GetRoomId(), RoomName: composite.GetRoomName(),
			Status: livekit.EgressStatus_EGRESS_STARTING, UpdatedAt: time.Now().UnixNano(),
			Request: &livekit.EgressInfo_RoomComposite{RoomComposite: redacted(composite)},
		},
	}
	var err error
	if e.handler, err = rpc.NewEgressHandlerServer(e, w.bus); err != nil {
		return nil, err
	}
	if err := e.handler.RegisterStopEgressTopic(r.GetEgressId()); err != nil {
		return nil, err
	}
	w.egresses[r.GetEgressId()] = e
	started := e.snapshot()
	w.running.Go(func() {
		e.run(w.ctx)
		e.handler.Shutdown()
		w.mu.Lock()
		delete(w.egresses, r.GetEgressId())
		w.mu.Unlock()
	})
	return started, nil
}

// StartEgressAffinity is called by the server: 1 takes every egress at once.
func (w *Worker) StartEgressAffinity(context.Context, *rpc.StartEgressRequest) float32 { return 1 }

// ListActiveEgress is called by the server.
func (w *Worker) ListActiveEgress(context.Context, *rpc.ListActiveEgressRequest) (*rpc.ListActiveEgressResponse, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &rpc.ListActiveEgressResponse{}
	for id := range w.egresses {
		out.EgressIds = append(out.EgressIds, id)
	}
	return out, nil
}

func (w *Worker) close() {
	w.stop()
	w.running.Wait()
	w.server.Kill()
	w.io.Close()
	_ = w.redis.Close() // nothing is in flight any more
}

// redacted copies the request without its secrets, as the recorder reports it.
func redacted(r *livekit.RoomCompositeEgressRequest) *livekit.RoomCompositeEgressRequest {
	out := proto.CloneOf(r)
	for _, file := range outputs(out) {
		if s3 := file.GetS3(); s3 != nil {
			s3.AccessKey, s3.Secret = "{access_key}", "{secret}"
		}
	}
	return out
}

// outputs returns the files that are asked for, in the new and the old way.
func outputs(r *livekit.RoomCompositeEgressRequest) []*livekit.EncodedFileOutput {
	files := r.GetFileOutputs()
	if old := r.GetFile(); old != nil { //nolint:staticcheck // older clients use it
		files = append(slices.Clone(files), old)
	}
	return files
}
