package file

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("46d1a121-2426-484d-8fb3-09b5d886f7a8")
	for name, extension := range map[string]string{
		"beach.PNG": ".PNG", "a.tar.gz": ".gz", "none": "", "": "", "dot.": ".", "dir.x/name": "", ".png": "", "..png": "", "d/.png": "", ".a.png": ".png", "a..png": ".png", ".a/b.png": ".png", ".": "", "a/": "", `a"b.jp g`: ".jp g",
	} {
		want := []string{"files/" + id.String() + extension, "tmp/files/" + id.String() + extension}
		if got := (Folders{"files", "tmp/files"}).Keys(id, name); !slices.Equal(got, want) {
			t.Errorf("%q: %v", name, got)
		}
	}
}
