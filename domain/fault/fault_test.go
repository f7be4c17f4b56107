package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestKinds(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := fmt.Errorf("wrapped: %w", Wrap(Upstream, "livekit", cause))
	if !errors.Is(err, Upstream) || !errors.Is(err, cause) || errors.Is(err, NotFound) {
		t.Errorf("%v is of the wrong kind", err)
	}
	var f *Error
	if !errors.As(err, &f) || f.Code != "livekit" {
		t.Errorf("%v lost its code", err)
	}
	for want, e := range map[string]*Error{
		"livekit: cause":             Wrap(Upstream, "livekit", cause),
		"recording_open (weekly)":    About(Conflict, "recording_open", "weekly"),
		"field; slug: taken":         Field("slug", "taken"),
		"not found":                  New(NotFound, ""),
		"recording_transition (a b)": About(Conflict, "recording_transition", "a b"),
	} {
		if e.Error() != want {
			t.Errorf("%q, want %q", e.Error(), want)
		}
	}
}
