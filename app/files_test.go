package app_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"meetd/adapters/devstack/storetest"
)

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
