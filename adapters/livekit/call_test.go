package livekit_test

import (
	"errors"
	"testing"

	server "meetd/adapters/devstack/livekit"
	"meetd/adapters/livekit"
	"meetd/domain/fault"
)

// A real server takes a message for a room that is open, and no other.
func TestCall(t *testing.T) {
	t.Parallel()
	s, err := server.Start(t.Context(), server.Options{Dir: t.TempDir(), Log: t.Output(), NoWorker: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	c, err := livekit.New(livekit.Config{URL: s.URL, Key: s.APIKey, Secret: s.APISecret})
	if err != nil {
		t.Fatal(err)
	}
	message := []byte(`{"type": "participantWaiting"}`)
	if err := c.Call(t.Context(), "weekly", message); !errors.Is(err, fault.NotFound) {
		t.Errorf("nobody is there: %v", err)
	}
	if _, err := s.CreateRoom(t.Context(), "weekly"); err != nil {
		t.Fatal(err)
	}
	if err := c.Call(t.Context(), "weekly", message); err != nil {
		t.Errorf("open: %v", err)
	}
	stranger, err := livekit.New(livekit.Config{URL: s.URL, Key: s.APIKey, Secret: "another-secret-of-at-least-32-characters"})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Call(t.Context(), "weekly", message); !errors.Is(err, fault.Upstream) {
		t.Errorf("with another secret: %v", err)
	}
}
