package recordings

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"meetd/domain/recording"
)

// One recording that breaks the program's assumptions keeps no other from being
// looked at, and does not end the program.
func TestFinishPageSurvivesPanics(t *testing.T) {
	t.Parallel()
	s := &Service{Config: Config{VerifyObject: true}, Now: time.Now} // without a store to look into
	list := make([]*recording.Recording, 3*sideBySide)
	for i := range list {
		list[i] = recording.New(uuid.New(), uuid.New(), recording.ScreenRecording, recording.Options{}, time.Now())
	}
	err := s.finishPage(t.Context(), world{}, list)
	if err == nil || strings.Count(err.Error(), "panic: ") != len(list) {
		t.Errorf("%v, want a panic of each of %d", err, len(list))
	}
}
