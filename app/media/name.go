package media

import (
	"time"

	"meetd/domain/recording"
)

// longestName bounds what of a room's slug is in the name of a file.
const longestName = 80

// fileName is what a browser saves a recording as, such as
// weekly-2026-01-15-12-00.mp4: the room and when, in UTC, the recording began.
// Whatever the slug is, the name can stand in a header and in any folder.
func fileName(slug string, created time.Time, mode recording.Mode) string {
	name := make([]byte, 0, longestName+len("-2006-01-02-15-04.mp4"))
	for i := 0; i < len(slug) && len(name) < longestName; i++ {
		switch c := slug[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			name = append(name, c)
		case len(name) > 0 && name[len(name)-1] != '-':
			name = append(name, '-')
		}
	}
	for len(name) > 0 && name[len(name)-1] == '-' {
		name = name[:len(name)-1]
	}
	if len(name) == 0 {
		name = append(name, "recording"...)
	}
	name = created.UTC().AppendFormat(name, "-2006-01-02-15-04.")
	return string(append(name, mode.Extension()...))
}
