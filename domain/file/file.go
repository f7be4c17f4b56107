package file

import (
	"strings"

	"github.com/google/uuid"
)

// Folders are where objects are in the bucket (settings.md, Object storage and
// files).
type Folders struct {
	Final  string // FILE_UPLOAD_PATH
	Upload string // FILE_UPLOAD_TMP_PATH, while they are uploaded
}

// Keys are the names of all objects that a file may have (database.md §1, file):
// the extension is that of the name it was uploaded with.
func (f Folders) Keys(id uuid.UUID, filename string) []string {
	name := id.String() + extension(filename)
	return []string{f.Final + "/" + name, f.Upload + "/" + name}
}

// extension is what a name ends in, with its dot. As in Python's os.path.splitext
// a name that begins with dots does not end in them: .png has none.
func extension(filename string) string {
	base := filename[strings.LastIndexByte(filename, '/')+1:]
	dot := max(strings.LastIndexByte(base, '.'), 0)
	if strings.Trim(base[:dot], ".") == "" {
		return ""
	}
	return base[dot:]
}
