package media

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"meetd/domain/recording"
)

var created = time.Date(2026, 1, 15, 13, 0, 59, 0, time.FixedZone("", 3600))

func TestFileName(t *testing.T) {
	t.Parallel()
	for slug, want := range map[string]string{
		"weekly":                        "weekly-2026-01-15-12-00.mp4",
		"Weekly-2":                      "Weekly-2-2026-01-15-12-00.mp4",
		"":                              "recording-2026-01-15-12-00.mp4",
		"été":                           "t-2026-01-15-12-00.mp4",
		"会議":                            "recording-2026-01-15-12-00.mp4",
		"../../etc/passwd":              "etc-passwd-2026-01-15-12-00.mp4",
		"a\"; filename=\"b.exe\r\nX: y": "a-filename-b-exe-X-y-2026-01-15-12-00.mp4",
		"--":                            "recording-2026-01-15-12-00.mp4",
		strings.Repeat("x", 500):        strings.Repeat("x", longestName) + "-2026-01-15-12-00.mp4",
	} {
		if got := fileName(slug, created, recording.ScreenRecording); got != want {
			t.Errorf("%q: %s, want %s", slug, got, want)
		}
	}
	if got := fileName("a", created, recording.Transcript); got != "a-2026-01-15-12-00.ogg" {
		t.Errorf("sound: %s", got)
	}
}

func FuzzFileName(f *testing.F) {
	f.Add("weekly")
	f.Add("\x00\"\\/é")
	safe := regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]+)*-2026-01-15-12-00\.mp4$`)
	f.Fuzz(func(t *testing.T, slug string) {
		if got := fileName(slug, created, recording.ScreenRecording); !safe.MatchString(got) || len(got) > longestName+21 {
			t.Errorf("%q: %q", slug, got)
		}
	})
}
