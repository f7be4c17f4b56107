package livekit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	devlivekit "meetd/adapters/devstack/livekit"
	"meetd/adapters/livekit"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/ports"
)

// realServer is LiveKit itself, without anybody in its rooms.
func realServer(t *testing.T) (*devlivekit.Server, *livekit.Client) {
	t.Helper()
	s, err := devlivekit.Start(t.Context(), devlivekit.Options{Dir: t.TempDir(), Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := livekit.New(livekit.Config{URL: s.URL, Key: s.APIKey, Secret: s.APISecret})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want a fault of the kind %q", what, err, kind)
	}
}

func TestAbsentParticipants(t *testing.T) {
	t.Parallel()
	s, c := realServer(t)
	if _, err := s.CreateRoom(t.Context(), "open"); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, name := range []string{"open", "closed"} {
		_, err := c.Connected(ctx, name, "nobody")
		wantKind(t, name+", connected", err, fault.NotFound)
		wantKind(t, name+", remove", c.Remove(ctx, name, "nobody"), fault.NotFound)
		wantKind(t, name+", change", c.Change(ctx, name, "nobody", ports.ParticipantChange{
			Name: "x", Permission: &ports.Permission{Publish: true, Sources: room.AllSources()},
		}), fault.NotFound)
	}
	// It counts bytes.
	wantKind(t, "a long name", c.Change(ctx, "open", "nobody", ports.ParticipantChange{Name: strings.Repeat("é", 200)}), fault.Invalid)
	stranger, err := livekit.New(livekit.Config{URL: s.URL, Key: s.APIKey, Secret: "another secret of at least 32 letters"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.Connected(ctx, "open", "nobody")
	wantKind(t, "wrong secret", err, fault.Upstream)
}

func TestOpenRooms(t *testing.T) {
	t.Parallel()
	s, c := realServer(t)
	made, err := s.CreateRoom(t.Context(), "open")
	if err != nil {
		t.Fatal(err)
	}
	if sid, err := c.Opened(t.Context(), "open"); err != nil || sid != made.GetSid() {
		t.Errorf("open: %q, %v, want %q", sid, err, made.GetSid())
	}
	if sid, err := c.Opened(t.Context(), "closed"); err != nil || sid != "" {
		t.Errorf("closed: %q, %v", sid, err)
	}
	if err := c.Close(t.Context(), "open"); err != nil {
		t.Error(err)
	}
	if sid, err := c.Opened(t.Context(), "open"); err != nil || sid != "" {
		t.Errorf("after closing: %q, %v", sid, err)
	}
	wantKind(t, "close again", c.Close(t.Context(), "open"), fault.NotFound)
}

func TestDialIns(t *testing.T) {
	t.Parallel()
	_, c := realServer(t)
	d := livekit.DialIns{Client: c}
	id, other := uuid.New(), uuid.New()
	for _, want := range []bool{true, false} {
		if made, err := d.Ensure(t.Context(), id, "1234567890"); err != nil || made != want {
			t.Fatalf("ensure: %v, %v, want %v", made, err, want)
		}
	}
	if made, err := d.Ensure(t.Context(), other, "0987654321"); err != nil || !made {
		t.Fatalf("another room: %v, %v", made, err)
	}
	for range 2 {
		if err := d.Delete(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if made, err := d.Ensure(t.Context(), other, "0987654321"); err != nil || made {
		t.Errorf("the rule of another room is gone: %v, %v", made, err)
	}
	if made, err := d.Ensure(t.Context(), id, "1234567890"); err != nil || !made {
		t.Errorf("after deleting: %v, %v", made, err)
	}
}

func TestAgents(t *testing.T) {
	t.Parallel()
	s, c := realServer(t)
	if _, err := s.CreateRoom(t.Context(), "open"); err != nil {
		t.Fatal(err)
	}
	id, err := c.Dispatch(t.Context(), "writer", "open", "what to do")
	if err != nil || id == "" {
		t.Fatalf("dispatch: %q, %v", id, err)
	}
	if err := c.Recall(t.Context(), "open", id); err != nil {
		t.Error(err)
	}
	wantKind(t, "recall again", c.Recall(t.Context(), "open", id), fault.NotFound)
}
