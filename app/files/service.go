package files

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
	"meetd/domain/file"
	"meetd/ports"
)

// page is how many files share a transaction.
const page = 200

// Config is what the installation decides about files.
type Config struct {
	Folders file.Folders
	Grace   time.Duration // that what was deleted stays in the trash: FILE_PURGE_GRACE_DAYS
}

// Service is the capability to clear files away.
type Service struct {
	Store   ports.Store
	Objects ports.Objects
	Config  Config
	Now     func() time.Time
}

// CleanPending deletes the uploads that were begun longer ago than age and never
// ended, and tells how many they were. What the store does not delete is left to
// Purge.
func (s *Service) CleanPending(ctx context.Context, age time.Duration) (cleaned int, err error) {
	before := s.Now().Add(-age)
	for {
		var ids []uuid.UUID
		if err := s.Store.InTx(ctx, func(r ports.Repos) (err error) {
			if ids, err = r.Files.StalePending(ctx, before, page); err != nil {
				return err
			}
			return r.Files.HardDelete(ctx, s.Now(), ids...)
		}); err != nil {
			return cleaned, err
		}
		var errs []error
		for _, id := range ids {
			errs = append(errs, s.Delete(ctx, id))
		}
		cleaned += len(ids)
		if err := errors.Join(errs...); err != nil || len(ids) < page {
			return cleaned, err
		}
	}
}

// Purge notes a job to delete each file that was in the trash for long enough, or is
// deleted for good and still there, and tells how many they are.
func (s *Service) Purge(ctx context.Context) (purged int, err error) {
	before := s.Now().Add(-s.Config.Grace)
	var after uuid.UUID
	for {
		var ids []uuid.UUID
		if err := s.Store.InTx(ctx, func(r ports.Repos) (err error) {
			if ids, err = r.Files.Purgeable(ctx, before, after, page); err != nil {
				return err
			}
			if err := r.Files.HardDelete(ctx, s.Now(), ids...); err != nil {
				return err
			}
			for _, id := range ids {
				if err := r.Jobs.DeleteFile(ctx, id); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return purged, err
		}
		purged += len(ids)
		if len(ids) < page {
			return purged, nil
		}
		after = ids[len(ids)-1]
	}
}

// Delete removes the objects of a file that is deleted for good, and then its row.
// Any other file is left alone.
func (s *Service) Delete(ctx context.Context, id uuid.UUID) error {
	repo := s.Store.Repos().Files
	name, err := repo.HardDeleted(ctx, id)
	if err != nil {
		return fault.IgnoreMissing(err)
	}
	for _, key := range s.Config.Folders.Keys(id, name) {
		if err := s.Objects.Delete(ctx, key); err != nil {
			return err
		}
	}
	return repo.Delete(ctx, id)
}
