package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/postgres/internal/db"
)

type files struct{ c conn }

func (r files) StalePending(ctx context.Context, before time.Time, limit int) ([]uuid.UUID, error) {
	ids, err := q.FilesStalePending(ctx, r.c, db.FilesStalePendingParams{Before: before, Page: int32(limit)}) //nolint:gosec // a page is small
	return ids, translate(err, "file")
}

func (r files) Purgeable(ctx context.Context, before time.Time, after uuid.UUID, limit int) ([]uuid.UUID, error) {
	ids, err := q.FilesPurgeable(ctx, r.c, db.FilesPurgeableParams{Before: &before, After: after, Page: int32(limit)}) //nolint:gosec // a page is small
	return ids, translate(err, "file")
}

func (r files) HardDelete(ctx context.Context, now time.Time, ids ...uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	return translate(q.FilesHardDelete(ctx, later(r.c), db.FilesHardDeleteParams{Now: &now, Ids: ids}), "file")
}

func (r files) HardDeleted(ctx context.Context, id uuid.UUID) (string, error) {
	name, err := q.FileHardDeleted(ctx, r.c, id)
	return name, translate(err, "file")
}

func (r files) Delete(ctx context.Context, id uuid.UUID) error {
	return translate(q.FileDelete(ctx, r.c, id), "file")
}
