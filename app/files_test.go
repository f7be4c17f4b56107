package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"meetd/adapters/devstack/storetest"
	"meetd/app"
)

// A file that goes keeps the time of its last change.
func TestPurgedFileIsNotChanged(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"MEETD_JOB_WORKERS": "0"})
	s.exec(t, `INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, deleted_at)
		VALUES (gen_random_uuid(), now(), '2026-01-02', 'background_image', 'a', 'a.png', 'ready', '2026-01-03')`)
	var said strings.Builder
	if err := app.PurgeDeletedFiles(t.Context(), s.conf, time.Now, &said); err != nil || said.String() != "Purged 1 deleted file(s).\n" {
		t.Fatalf("%q, %v", said.String(), err)
	}
	if got := s1(t, s, `SELECT concat_ws(' ', updated_at::date, deleted_at::date, hard_deleted_at IS NOT NULL) FROM file`); got != "2026-01-02 2026-01-03 t" {
		t.Error(got)
	}
}

// What the daily job finds goes, the objects first; what is wanted stays.
func TestFilesAreClearedDaily(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, bucket storetest.Store) {
		s := startService(t, storeEnv(bucket))
		for title, c := range map[string]struct{ state, deleted string }{
			"never ended": {"pending", ""}, "old trash": {"ready", "8 days"}, "trash": {"ready", "1 day"}, "wanted": {"ready", ""},
		} {
			id := s1(t, s, `INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, deleted_at)
				VALUES (gen_random_uuid(), now() - '10 days'::interval, now(), 'background_image', $1, 'a.png', $2, now() - nullif($3, '')::interval) RETURNING id::text`,
				title, c.state, c.deleted)
			bucket.Put(t, "files/"+id+".png", "image/png", []byte(title))
		}
		s.exec(t, `INSERT INTO meetd.river_job (args, kind, max_attempts) VALUES ('{}', 'purge_files', 1)`)
		eventually(t, "two files are gone", func() bool { return s.count(t, `SELECT count(*) FROM file`) == 2 })
		if got := s1(t, s, `SELECT string_agg(title, ', ' ORDER BY title) FROM file`); got != "trash, wanted" {
			t.Errorf("left: %s", got)
		}
		left, err := bucket.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket.Bucket})
		if err != nil || len(left.Contents) != 2 {
			t.Errorf("%d objects are left, %v", len(left.Contents), err)
		}
	})
}
