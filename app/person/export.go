package person

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"meetd/domain/audit"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// Copied is a file of an export.
type Copied struct {
	Name   string `json:"name"` // in the export
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Export tells what is in an export, and what is not.
type Export struct {
	Person  uuid.UUID      `json:"person"`
	At      time.Time      `json:"at"`
	Rows    map[string]int `json:"rows"` // by the heading in person.json
	Files   []Copied       `json:"files"`
	Missing []string       `json:"missing"` // objects that might be in the bucket and are not
	Without []Thing        `json:"without"` // what was not copied
	Remains []string       `json:"not_included"`
}

// notIncluded is what is never in an export.
var notIncluded = []string{
	"passwords, and what sessions are known by and hold: they open the account",
	"what other people said, wrote or uploaded, and other people's roles",
	"logs, backups, and what other services know: the OpenID provider, LiveKit, the summary service, marketing, analytics, the mail server",
}

// Create makes a file of an export; its name may have slashes.
type Create func(name string) (io.WriteCloser, error)

// Export writes all that is stored about a person: person.json, and, with objects,
// the recordings that are his alone and the files he uploaded. Faults as in Erase.
func (s *Service) Export(ctx context.Context, who string, objects bool, create Create) (Export, error) {
	out := Export{At: s.Now().UTC(), Rows: map[string]int{}, Files: []Copied{}, Missing: []string{}, Without: []Thing{}, Remains: notIncluded}
	var (
		u     *user.User
		data  []ports.PersonData
		recs  []ports.PersonRecording
		files []ports.PersonFile
		keys  []string
	)
	err := s.Store.InTx(ctx, func(r ports.Repos) (err error) {
		if u, err = ports.FindUser(ctx, r.Users, who); err != nil {
			return err
		}
		if data, err = r.People.Data(ctx, u); err != nil {
			return err
		}
		if recs, err = r.People.Recordings(ctx, u.ID); err != nil {
			return err
		}
		if files, err = r.People.Files(ctx, u.ID); err != nil {
			return err
		}
		for _, rec := range recs {
			switch full, err := r.Recordings.Get(ctx, rec.ID); {
			case err != nil:
				return err
			case !rec.Alone():
				out.Without = append(out.Without, Thing{"recording", rec.ID, "others own it too, or the person does not own it"})
			case !full.Status().Final():
				out.Without = append(out.Without, Thing{"recording", rec.ID, "it is still being made"})
			case !objects:
				out.Without = append(out.Without, Thing{"recording", rec.ID, "objects were not asked for"})
			default:
				keys = append(keys, s.keys(full)...)
			}
		}
		return r.Audit.Record(ctx, audit.Event{At: s.Now(), Action: audit.PersonExported, Subject: u.ID.String()})
	})
	if err != nil {
		return out, err
	}
	out.Person = u.ID
	for _, f := range files {
		if !objects {
			out.Without = append(out.Without, Thing{"file", f.ID, "objects were not asked for"})
			continue
		}
		keys = append(keys, s.Config.Files.Keys(f.ID, f.Name)...)
	}
	if err := s.writeData(data, create, &out); err != nil {
		return out, err
	}
	for _, key := range keys {
		if err := s.copyObject(ctx, key, create, &out); err != nil {
			return out, err
		}
	}
	return out, nil
}

// writeData writes person.json.
func (s *Service) writeData(data []ports.PersonData, create Create, out *Export) error {
	all := make(map[string][]json.RawMessage, len(data))
	for _, d := range data {
		all[d.Name] = d.Rows
		out.Rows[d.Name] = len(d.Rows)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write person.json: %w", err)
	}
	return write(create, "person.json", append(text, '\n'), out)
}

func write(create Create, name string, content []byte, out *Export) error {
	w, err := create(name)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	sum := sha256.Sum256(content)
	out.Files = append(out.Files, Copied{name, int64(len(content)), hex.EncodeToString(sum[:])})
	return nil
}

// copyObject copies one object, if it is there: not each recording leaves all that
// it may leave.
func (s *Service) copyObject(ctx context.Context, key string, create Create, out *Export) error {
	object, err := s.Objects.Fetch(ctx, http.MethodGet, key, nil)
	if errors.Is(err, fault.NotFound) {
		out.Missing = append(out.Missing, key)
		return nil
	} else if err != nil {
		return fmt.Errorf("fetch %s: %w", key, err)
	}
	defer object.Body.Close() //nolint:errcheck // read to its end
	name := "objects/" + key
	w, err := create(name)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), object.Body)
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", key, err)
	}
	out.Files = append(out.Files, Copied{name, n, hex.EncodeToString(sum.Sum(nil))})
	return nil
}
