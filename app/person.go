package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/postgres"
	"meetd/adapters/s3"
	"meetd/app/person"
	"meetd/app/recordings"
	"meetd/domain/fault"
)

// EraseOptions say what becomes of what is not the person's alone.
type EraseOptions = person.Options

// ErasePerson removes an account with all that is stored about its owner, or tells
// what that would do, and writes a report: for people, or as JSON. It is an error
// when something prevented it; then nothing was changed.
func ErasePerson(ctx context.Context, c *Config, who string, o EraseOptions, asJSON bool, now func() time.Time, w io.Writer) error {
	return withPeople(ctx, c, now, func(s *person.Service) error {
		report, err := s.Erase(ctx, who, o)
		if err != nil {
			return personFault(err, who)
		}
		if asJSON {
			err = writeJSON(w, report)
		} else {
			err = tell(w, nil, "%s", eraseText(report))
		}
		if len(report.Blocked) > 0 && !o.DryRun {
			err = errors.Join(err, fmt.Errorf("nothing was changed: %d thing(s) prevent it", len(report.Blocked)))
		}
		return err
	})
}

// eraseText is a report for people.
func eraseText(r person.Erasure) string {
	var b strings.Builder
	switch {
	case r.Done:
		fmt.Fprintf(&b, "Account %s was erased.\n", r.Person)
	case len(r.Blocked) > 0:
		fmt.Fprintf(&b, "Account %s cannot be erased so. Nothing was changed.\n", r.Person)
	default:
		fmt.Fprintf(&b, "Account %s would be erased. Nothing was changed.\n", r.Person)
	}
	things := func(title string, list []person.Thing) {
		if len(list) > 0 {
			fmt.Fprintf(&b, "\n%s:\n", title)
		}
		for _, t := range list {
			fmt.Fprintf(&b, "  %s %s: %s\n", t.Kind, t.ID, t.Why)
		}
	}
	list := func(title string, list []string) {
		if len(list) > 0 {
			fmt.Fprintf(&b, "\n%s:\n  %s\n", title, strings.Join(list, "\n  "))
		}
	}
	things("What prevents it", r.Blocked)
	things("Deleted", r.Deleted)
	things("Changed for others", r.Changed)
	things("Kept", r.Kept)
	list("Objects that jobs remove from the bucket", r.Objects)
	rows := make([]string, 0, len(r.Rows))
	for _, kind := range r.Kinds() {
		rows = append(rows, fmt.Sprintf("%s: %d", kind, r.Rows[kind]))
	}
	list("Rows that were removed or made nameless", rows)
	list("What an erasure does not reach", r.Remains)
	return b.String()
}

// ExportPerson writes all that is stored about the owner of an account into a new
// folder; empty: one in the current folder, called by the account's id. It tells
// the name of the folder.
func ExportPerson(ctx context.Context, c *Config, who, folder string, objects bool, now func() time.Time, w io.Writer) error {
	return withPeople(ctx, c, now, func(s *person.Service) error {
		if folder == "" {
			u, err := s.Find(ctx, who)
			if err != nil {
				return personFault(err, who)
			}
			folder = "person-" + u.ID.String()
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			return fmt.Errorf("make the folder of the export: %w; name a new one with --out", err)
		}
		root, err := os.OpenRoot(folder) // nothing is written outside, whatever a name says
		if err != nil {
			return fmt.Errorf("open the folder of the export: %w", err)
		}
		defer root.Close() //nolint:errcheck // nothing is written through it
		create := func(name string) (io.WriteCloser, error) {
			if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
				return nil, fmt.Errorf("make a folder of the export: %w", err)
			}
			f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return nil, fmt.Errorf("make a file of the export: %w", err)
			}
			return f, nil
		}
		report, err := s.Export(ctx, who, objects, create)
		if err != nil {
			return errors.Join(personFault(err, who), os.RemoveAll(folder))
		}
		out, err := create("report.json")
		if err != nil {
			return err
		}
		if err := errors.Join(writeJSON(out, report), out.Close()); err != nil {
			return err
		}
		return tell(w, nil, "Account %s: %d file(s) in %s; report.json says what is in them, and what is not.\n", report.Person, len(report.Files), folder)
	})
}

func writeJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// personFault explains what kept somebody from being found or erased.
func personFault(err error, who string) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Code == "person_busy" {
		return errors.New("others keep changing what the account has; try again in a moment")
	}
	return whoFault(err, who)
}

func withPeople(ctx context.Context, c *Config, now func() time.Time, do func(*person.Service) error) error {
	return withStore(ctx, c, now, func(store *postgres.Store, bucket *s3.Bucket) error {
		recordingSvc := &recordings.Service{
			Store: store, Now: now, NewID: uuid.New, Log: slog.New(slog.DiscardHandler),
			Config: recordings.Config{Folder: c.Recording.OutputFolder, Announce: c.Outgoing.Wanted()},
		}
		return do(&person.Service{
			Store: store, Objects: bucket, Now: now, RemoveRecordings: recordingSvc.RemoveErased,
			Config: person.Config{Folder: c.Recording.OutputFolder, MetadataFolder: c.Recording.MetadataFolder, Files: c.Files.Folders},
		})
	})
}
