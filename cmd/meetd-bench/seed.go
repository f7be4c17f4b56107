package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pg"
)

const (
	users      = 1000
	recordings = 100_000
)

// data is a database with people, sessions and recordings in it.
type data struct {
	server  *pg.Server
	dsn     string
	secrets []string    // of the users' sessions
	ids     []uuid.UUID // of the recordings; recording i belongs to user i modulo users
}

// seed makes a durable database with 100k saved recordings.
func seed(ctx context.Context, b *bench) (*data, error) {
	b.say("filling a database with %d recordings …", recordings)
	dir, err := os.MkdirTemp(b.dir, "postgres-") // another one for each benchmark
	if err != nil {
		return nil, fmt.Errorf("folder of the database: %w", err)
	}
	server, err := pg.Start(ctx, pg.Options{Dir: dir, Durable: true})
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL: %w", err)
	}
	d := &data{server: server, dsn: server.DSN("postgres")}
	if err := migrate(ctx, d.env()); err != nil {
		return d, err
	}
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return d, fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // everything is written
	return d, d.fill(ctx, conn)
}

func (d *data) fill(ctx context.Context, conn *pgx.Conn) error {
	now := time.Now()
	people := make([]uuid.UUID, users)
	var userRows, sessionRows, resourceRows, roomRows, recordingRows, accessRows [][]any
	for i := range people {
		people[i] = uuid.New()
		secret := fmt.Sprintf("benchmarksecret%017d", i)
		d.secrets = append(d.secrets, secret)
		hash := sha256.Sum256([]byte(secret))
		userRows = append(userRows, []any{people[i], "!", false, now, now, "sub-" + people[i].String(), "en-us", "UTC", false, false, true, []byte("{}")})
		sessionRows = append(sessionRows, []any{hash[:], people[i], []byte("{}"), now, now.Add(12 * time.Hour)})
		resourceRows = append(resourceRows, []any{people[i], now, now})
		roomRows = append(roomRows, []any{people[i], fmt.Sprint("room ", i), fmt.Sprint("room-", i), []byte("{}"), "public"})
	}
	for i := range recordings {
		id := uuid.New()
		d.ids = append(d.ids, id)
		owner := people[i%users]
		recordingRows = append(recordingRows, []any{id, now, now, "saved", "EG_" + id.String(), owner, "screen_recording", []byte("{}")})
		accessRows = append(accessRows, []any{uuid.New(), now, now, "", "owner", id, owner})
	}
	for _, t := range []struct {
		table   pgx.Identifier
		columns []string
		rows    [][]any
	}{
		{pgx.Identifier{"meet_user"}, []string{"id", "password", "is_superuser", "created_at", "updated_at", "sub", "language", "timezone", "is_device", "is_staff", "is_active", "default_room_configuration"}, userRows},
		{pgx.Identifier{"meetd", "session"}, []string{"id_hash", "user_id", "data", "created_at", "expires_at"}, sessionRows},
		{pgx.Identifier{"meet_resource"}, []string{"id", "created_at", "updated_at"}, resourceRows},
		{pgx.Identifier{"meet_room"}, []string{"resource_id", "name", "slug", "configuration", "access_level"}, roomRows},
		{pgx.Identifier{"meet_recording"}, []string{"id", "created_at", "updated_at", "status", "worker_id", "room_id", "mode", "options"}, recordingRows},
		{pgx.Identifier{"meet_recording_access"}, []string{"id", "created_at", "updated_at", "team", "role", "recording_id", "user_id"}, accessRows},
	} {
		if _, err := conn.CopyFrom(ctx, t.table, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return fmt.Errorf("fill %v: %w", t.table, err)
		}
	}
	_, err := conn.Exec(ctx, "VACUUM ANALYZE")
	return err //nolint:wrapcheck // names the statement
}

// env configures meetd for the database alone.
func (d *data) env() map[string]string {
	return map[string]string{
		"DJANGO_CONFIGURATION": "Development", "DATABASE_URL": d.dsn,
		"AWS_S3_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_S3_ACCESS_KEY_ID": "meetdev", "AWS_S3_SECRET_ACCESS_KEY": "meetdevsecret",
		"AWS_STORAGE_BUCKET_NAME": "meet-media-storage",
	}
}
