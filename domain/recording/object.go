package recording

import (
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// Key is the name of the recording's object in the bucket.
func (r *Recording) Key(folder string) string { return Key(folder, r.ID, r.Mode) }

// Key is the object name of the recording with this id and mode.
func Key(folder string, id uuid.UUID, mode Mode) string {
	return folder + "/" + id.String() + "." + mode.Extension()
}

// ContentType is what the object of a mode holds.
func (m Mode) ContentType() string {
	if m == Transcript {
		return "audio/ogg"
	}
	return "video/mp4"
}

// An Address is what the path of a media URL says: which recording, and with
// which extension it was asked for. The extension proves nothing; the object
// name always comes from the stored recording. Host is set when the URL was
// absolute; whoever asks must check that it is a host of this service.
type Address struct {
	ID        uuid.UUID
	Extension string
	Host      string
}

// MediaPrefix is where all media URLs begin.
const MediaPrefix = "/media/"

// maxAddress bounds what is looked at: no media URL is longer.
const maxAddress = 4096

// ParseAddress reads the URL a browser asked for: a path, or an absolute http
// or https URL, of which the path counts. The path must be exactly
// /media/<folder>/<uuid>.<ext> after decoding it exactly once; the UUID in its
// canonical lower-case form, the extension 1 to 10 ASCII letters or digits.
// Everything else, such as dot segments, empty segments, back slashes, encoded
// separators, or a prefix or suffix, is no address of a recording.
func ParseAddress(folder, target string) (Address, bool) {
	if len(target) > maxAddress {
		return Address{}, false
	}
	for i := range len(target) {
		if target[i] <= ' ' || target[i] >= 0x7f || target[i] == '\\' {
			return Address{}, false
		}
	}
	path, host := target, ""
	if scheme, rest, found := strings.Cut(target, "://"); found && (scheme == "http" || scheme == "https") {
		authority, after, hasPath := strings.Cut(rest, "/")
		if !hasPath || authority == "" {
			return Address{}, false
		}
		path, host = "/"+after, authority
	}
	path, _, _ = strings.Cut(path, "#")
	path, _, _ = strings.Cut(path, "?")
	lower := strings.ToLower(path)
	if strings.Contains(lower, "%2f") || strings.Contains(lower, "%5c") || strings.Contains(lower, "%25") || strings.Contains(lower, "%00") {
		return Address{}, false
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return Address{}, false
	}
	name, found := strings.CutPrefix(path, MediaPrefix+folder+"/")
	if !found {
		return Address{}, false
	}
	text, ext, found := strings.Cut(name, ".")
	if !found || len(ext) < 1 || len(ext) > 10 || strings.ContainsFunc(ext, notAlphanumeric) {
		return Address{}, false
	}
	id, ok := canonical(text)
	return Address{ID: id, Extension: ext, Host: host}, ok
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// canonical reads a UUID in its one canonical form.
func canonical(text string) (uuid.UUID, bool) {
	if len(text) != 36 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil, false
	}
	return id, true
}

// ParseKey reads the name of an object: which recording it is of. Folders may
// stand before the recordings folder. The name must be decoded already.
func ParseKey(folder, key string) (Address, bool) {
	at := strings.LastIndexByte(key, '/')
	if at < 0 {
		return Address{}, false
	}
	dir, name := key[:at], key[at+1:]
	if dir != folder && !strings.HasSuffix(dir, "/"+folder) {
		return Address{}, false
	}
	for _, segment := range strings.Split(dir, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return Address{}, false
		}
	}
	text, ext, found := strings.Cut(name, ".")
	if !found || len(ext) < 1 || len(ext) > 10 || strings.ContainsFunc(ext, notAlphanumeric) {
		return Address{}, false
	}
	id, ok := canonical(strings.ToLower(text))
	return Address{ID: id, Extension: ext}, ok
}
