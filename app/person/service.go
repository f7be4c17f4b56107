package person

import (
	"context"
	"time"

	"meetd/domain/file"
	"meetd/domain/recording"
	"meetd/domain/user"
	"meetd/ports"
)

// Config is what the installation decides about objects.
type Config struct {
	Folder         string // RECORDING_OUTPUT_FOLDER
	MetadataFolder string // METADATA_COLLECTOR_OUTPUT_FOLDER
	Files          file.Folders
}

// Service exports and erases people.
type Service struct {
	Store   ports.Store
	Objects ports.Objects
	Config  Config
	Now     func() time.Time
	// RemoveRecordings deletes locked recordings in a transaction: their rows, and
	// their objects by jobs. Their rooms must still be there.
	RemoveRecordings func(ctx context.Context, r ports.Repos, recs ...*recording.Recording) error
}

// Find finds the account that is meant, by its id, subject or e-mail. fault.NotFound
// for nobody, fault.Conflict when several share the e-mail.
func (s *Service) Find(ctx context.Context, who string) (*user.User, error) {
	return ports.FindUser(ctx, s.Store.Repos().Users, who)
}

// keys are the names of the objects that a recording may have.
func (s *Service) keys(rec *recording.Recording) []string {
	return rec.Remains(s.Now()).Keys(s.Config.Folder, s.Config.MetadataFolder)
}
