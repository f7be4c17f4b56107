package file

import (
	"path"

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
	name := id.String() + path.Ext(filename)
	return []string{f.Final + "/" + name, f.Upload + "/" + name}
}
