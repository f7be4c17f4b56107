package livekit

import (
	"context"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"
)

// roomCheck is how often an egress looks whether its room still exists: the
// real recorder sits in the room and notices.
const roomCheck = time.Second

// egress is one recording. Only run changes its state.
type egress struct {
	w       *Worker
	failure Failure
	request *livekit.RoomCompositeEgressRequest
	handler rpc.EgressHandlerServer
	asked   chan struct{} // closed by StopEgress
	leaving chan struct{} // closed when that was followed
	once    sync.Once

	mu   sync.Mutex
	info *livekit.EgressInfo
}

// StopEgress is called by the server.
func (e *egress) StopEgress(ctx context.Context, _ *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	if e.failure == RefuseStop {
		return nil, psrpc.NewErrorf(psrpc.Internal, "the development worker was told not to stop")
	}
	e.once.Do(func() { close(e.asked) })
	select {
	case <-e.leaving:
		return e.snapshot(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// UpdateStream is called by the server.
func (e *egress) UpdateStream(context.Context, *livekit.UpdateStreamRequest) (*livekit.EgressInfo, error) {
	return nil, psrpc.NewErrorf(psrpc.InvalidArgument, "the development worker has no streams")
}

// run takes the egress from STARTING to its end, or to the end of ctx.
func (e *egress) run(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-e.asked:
		e.end(ctx, livekit.EgressStatus_EGRESS_ABORTED, "Stopped before started")
		close(e.leaving)
		return
	case <-time.After(e.w.activeDelay):
	}
	switch e.failure {
	case Fail:
		e.end(ctx, livekit.EgressStatus_EGRESS_FAILED, "the development worker was told to fail")
		close(e.leaving)
		return
	case Abort:
		e.end(ctx, livekit.EgressStatus_EGRESS_ABORTED, "the development worker was told to abort")
		close(e.leaving)
		return
	default: // the others come later
	}
	e.update(ctx, func(i *livekit.EgressInfo) {
		i.Status, i.StartedAt = livekit.EgressStatus_EGRESS_ACTIVE, i.GetUpdatedAt()
	})
	final := livekit.EgressStatus_EGRESS_COMPLETE
	if e.failure == ReachLimit {
		final = livekit.EgressStatus_EGRESS_LIMIT_REACHED
	} else if !e.record(ctx) {
		return
	}
	e.update(ctx, func(i *livekit.EgressInfo) { i.Status = livekit.EgressStatus_EGRESS_ENDING })
	close(e.leaving)
	if e.failure != CompleteWithoutUpload {
		if err := e.upload(ctx); err != nil {
			e.end(ctx, livekit.EgressStatus_EGRESS_FAILED, err.Error())
			return
		}
	}
	e.end(ctx, final, "")
}

// record waits until the egress is stopped or its room is gone; it returns
// false at the end of ctx.
func (e *egress) record(ctx context.Context) bool {
	room := e.snapshot()
	tick := time.NewTicker(roomCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-e.asked:
			return true
		case <-tick.C:
			id, err := e.w.rooms.roomID(ctx, room.GetRoomName())
			if err == nil && id != room.GetRoomId() {
				return true
			}
		}
	}
}

// end reports the final state.
func (e *egress) end(ctx context.Context, status livekit.EgressStatus, reason string) {
	e.update(ctx, func(i *livekit.EgressInfo) {
		i.Status, i.Error, i.EndedAt = status, reason, i.GetUpdatedAt()
		for _, f := range i.GetFileResults() {
			f.StartedAt, f.EndedAt, f.Duration = i.GetStartedAt(), i.GetEndedAt(), i.GetEndedAt()-i.GetStartedAt()
		}
	})
}

// update changes the state and reports it to the server, which tells its
// webhooks. If the server does not listen, nobody else is there to be told.
func (e *egress) update(ctx context.Context, change func(*livekit.EgressInfo)) {
	e.mu.Lock()
	e.info.UpdatedAt = time.Now().UnixNano()
	change(e.info)
	report := proto.CloneOf(e.info)
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	_, _ = e.w.io.UpdateEgress(ctx, report)
}

// snapshot returns a copy of the state, since messages are serialised later.
func (e *egress) snapshot() *livekit.EgressInfo {
	e.mu.Lock()
	defer e.mu.Unlock()
	return proto.CloneOf(e.info)
}
