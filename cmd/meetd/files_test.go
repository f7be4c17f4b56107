package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/devstack/storetest"
)

// What the commands leave in the table and in the bucket (database.md §6).
func TestFiles(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, bucket storetest.Store) {
		dsn := pgtest.DSN(t)
		db, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close(context.WithoutCancel(t.Context())) })
		add := func(name, state, age, deleted, hard string) string {
			t.Helper()
			var id string
			if err := db.QueryRow(t.Context(), `INSERT INTO file (id, created_at, updated_at, type, title, filename, upload_state, deleted_at, hard_deleted_at)
				VALUES (gen_random_uuid(), now() - $3::interval, now() - $3::interval, 'background_image', $1::text, $1::text || '.PNG', $2,
					now() - nullif($4, '')::interval, now() - nullif($5, '')::interval) RETURNING id::text`, name, state, age, deleted, hard).Scan(&id); err != nil {
				t.Fatal(err)
			}
			bucket.Put(t, "files/"+id+".PNG", "image/png", []byte(name))
			bucket.Put(t, "tmp/files/"+id+".PNG", "image/png", []byte(name))
			return id
		}
		ids := map[string]string{
			"fresh pending": add("fresh pending", "pending", "23 hours", "", ""), "stale pending": add("stale pending", "pending", "25 hours", "", ""),
			"stale in trash": add("stale in trash", "pending", "25 hours", "1 hour", ""), "hidden": add("hidden", "pending", "25 hours", "1 hour", "1 hour"),
			"analyzing": add("analyzing", "analyzing", "1000 hours", "", ""), "ready": add("ready", "ready", "1000 hours", "", ""),
			"trash": add("trash", "ready", "1000 hours", "6 days", ""), "old trash": add("old trash", "ready", "1000 hours", "7 days 1 second", ""),
		}
		state := func() (rows, gone string) {
			t.Helper()
			if err := db.QueryRow(t.Context(), `SELECT string_agg(title, ', ' ORDER BY title), coalesce(string_agg(title, ', ' ORDER BY title) FILTER (WHERE hard_deleted_at IS NOT NULL AND deleted_at IS NOT NULL), '')
				FROM file`).Scan(&rows, &gone); err != nil {
				t.Fatal(err)
			}
			return rows, gone
		}
		env := map[string]string{
			"DATABASE_URL": dsn, "AWS_S3_ENDPOINT_URL": bucket.Endpoint, "AWS_S3_REGION_NAME": bucket.Region, "AWS_STORAGE_BUCKET_NAME": bucket.Bucket,
			"AWS_S3_ACCESS_KEY_ID": bucket.AccessKey, "AWS_S3_SECRET_ACCESS_KEY": bucket.SecretKey,
		}
		for _, c := range []struct {
			args       string
			code       int
			out, err   string
			rows, gone string
		}{
			{"clean-pending-files --hours -1", 1, "", "Hours must be greater than 0", "analyzing, fresh pending, hidden, old trash, ready, stale in trash, stale pending, trash", "hidden"},
			{"clean_pending_files", 0, "Cleaned 2 stale pending file(s).\n", "", "analyzing, fresh pending, hidden, old trash, ready, trash", "hidden"},
			{"clean-pending-files", 0, "Cleaned 0 stale pending file(s).\n", "", "analyzing, fresh pending, hidden, old trash, ready, trash", "hidden"},
			{"purge-deleted-files", 0, "Purged 2 deleted file(s).\n", "", "analyzing, fresh pending, hidden, old trash, ready, trash", "hidden, old trash"},
			{"purge_deleted_files", 0, "Purged 2 deleted file(s).\n", "", "analyzing, fresh pending, hidden, old trash, ready, trash", "hidden, old trash"},
			{"clean-pending-files --hours 0", 0, "Cleaned 1 stale pending file(s).\n", "", "analyzing, hidden, old trash, ready, trash", "hidden, old trash"},
		} {
			var out, errs bytes.Buffer
			code := run(t.Context(), strings.Fields(c.args), lookup(env), &out, &errs)
			rows, gone := state()
			if code != c.code || out.String() != c.out || !strings.Contains(errs.String(), c.err) || rows != c.rows || gone != c.gone {
				t.Errorf("%s: code %d, %q, %q, rows %s, gone %s", c.args, code, out.String(), errs.String(), rows, gone)
			}
		}
		var jobs int
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM meetd.river_job WHERE kind = 'delete_file'`).Scan(&jobs); err != nil || jobs != 2 {
			t.Errorf("%d jobs, %v", jobs, err) // not noted twice
		}
		left, err := bucket.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket.Bucket})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, o := range left.Contents {
			found[*o.Key] = true
		}
		for name, id := range ids {
			want := !strings.HasPrefix(name, "stale") && name != "fresh pending"
			if found["files/"+id+".PNG"] != want || found["tmp/files/"+id+".PNG"] != want {
				t.Errorf("%s: in the bucket are %v", name, found)
			}
		}
	})
}

func TestCreateDemo(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	key := strings.Repeat("k", 50)
	for _, c := range []struct {
		args string
		env  map[string]string
		code int
		err  string
	}{
		{"create-demo", map[string]string{"DJANGO_CONFIGURATION": "Production", "DJANGO_SECRET_KEY": key}, 1, "This command is not meant to be used in production environment except you know what you are doing, if so use --force parameter"},
		{"create-demo -f", map[string]string{"DJANGO_CONFIGURATION": "Production", "DJANGO_SECRET_KEY": key}, 0, ""},
		{"create_demo", nil, 1, "are there already"},
		{"create-demo --force", nil, 1, "are there already"},
	} {
		env := map[string]string{"DATABASE_URL": dsn}
		for name, value := range c.env {
			env[name] = value
		}
		var out, errs bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), lookup(env), &out, &errs); code != c.code || out.Len() > 0 || !strings.Contains(errs.String(), c.err) || c.err == "" && errs.Len() > 0 {
			t.Errorf("%s: code %d, %q, %q", c.args, code, out.String(), errs.String())
		}
	}
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context()) //nolint:errcheck // read to its end
	var n, languages int
	if err := db.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT language) FROM meet_user
		WHERE email = admin_email AND email ~ '^user\d\d?@example.com$' AND sub IS NULL AND password = '!' AND is_active AND NOT is_staff`).Scan(&n, &languages); err != nil || n != 100 || languages < 2 {
		t.Errorf("%d accounts, %d languages, %v", n, languages, err)
	}
}
