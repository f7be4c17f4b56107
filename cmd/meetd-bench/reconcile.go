package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	lk "github.com/livekit/protocol/livekit"

	"meetd/adapters/devstack/pg"
	"meetd/adapters/devstack/store"
)

const (
	lostRecordings = 10_000
	period         = time.Minute // MEETD_RECONCILE_PERIOD
)

// reconciliation is benchmark h: recordings that still count as active while
// their egresses are over and LiveKit's webhooks were lost. All must have their
// end within one period, and LiveKit be asked for egresses once.
func reconciliation(ctx context.Context, b *bench) error {
	b.say("filling a database and a store with %d recordings …", lostRecordings)
	server, err := pg.Start(ctx, pg.Options{Dir: filepath.Join(b.dir, "reconcile"), Durable: true})
	if err != nil {
		return fmt.Errorf("PostgreSQL: %w", err)
	}
	defer server.Close() //nolint:errcheck // thrown away
	objects, err := store.Start(ctx, store.Options{
		Dir: filepath.Join(b.dir, "reconcile-store"), AccessKey: "meetdev", SecretKey: "meetdevsecret", Buckets: []string{"meet-media-storage"},
	})
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer objects.Close() //nolint:errcheck // thrown away
	d := data{dsn: server.DSN("postgres")}
	env := d.env()
	env["AWS_S3_ENDPOINT_URL"], env["AWS_S3_REGION_NAME"] = objects.Endpoint, objects.Region
	if err := migrate(ctx, env); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, d.dsn)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // read to its end
	live, err := loseRecordings(ctx, conn)
	if err != nil {
		return err
	}
	if err := putObjects(ctx, objects, live.items); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("LiveKit: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(lk.EgressPathPrefix, lk.NewEgressServer(live))
	mux.Handle(lk.RoomServicePathPrefix, lk.NewRoomServiceServer(live))
	web := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = web.Serve(l) }() // until it is closed
	defer web.Close()                //nolint:errcheck // thrown away
	env["LIVEKIT_API_URL"], env["LIVEKIT_API_KEY"], env["LIVEKIT_API_SECRET"] = "http://"+l.Addr().String(), "key", "a-secret-of-at-least-32-characters"
	env["MEETD_RECONCILE_PERIOD"] = strconv.Itoa(int(period.Seconds()))
	start := time.Now()
	p, err := launch(ctx, b.meetd, []string{"serve"}, env)
	if err != nil {
		return err
	}
	defer p.stop()
	for open := lostRecordings; open > 0; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM meet_recording WHERE status IN ('initiated', 'active', 'stopped')`).Scan(&open); err != nil {
			return err //nolint:wrapcheck // names the statement
		}
		if time.Since(start) > 5*period {
			return fmt.Errorf("%d recordings have no end after %s", open, 5*period)
		}
	}
	took := time.Since(start)
	lists := live.lists.Load()
	b.say("h: %d recordings had their end after %s; LiveKit was asked %d time(s) for egresses and %d times for rooms",
		lostRecordings, took.Round(time.Millisecond), lists, live.rooms.Load())
	if most := int64(took/period) + 1; lists > most {
		return fmt.Errorf("LiveKit was asked %d times for egresses, which is more than once in a period", lists)
	}
	ratio := took.Seconds() / period.Seconds()
	b.results = append(b.results, result{
		ID: "h", Name: "reconciliation", Subject: fmt.Sprintf("%d recordings", lostRecordings), Baseline: "one period", Metric: "seconds until all are final",
		Median: ratio, Min: ratio, Max: ratio, subject: took.Seconds(), baseline: period.Seconds(),
	})
	return nil
}

// forgetful is a LiveKit whose webhooks nobody got.
type forgetful struct {
	lk.Egress
	lk.RoomService

	items        []*lk.EgressInfo
	lists, rooms atomic.Int64
}

func (f *forgetful) ListEgress(context.Context, *lk.ListEgressRequest) (*lk.ListEgressResponse, error) {
	f.lists.Add(1)
	return &lk.ListEgressResponse{Items: f.items}, nil
}

func (f *forgetful) ListRooms(context.Context, *lk.ListRoomsRequest) (*lk.ListRoomsResponse, error) {
	f.rooms.Add(1)
	return &lk.ListRoomsResponse{}, nil
}

// loseRecordings makes active recordings, each of a room of its own, silent for an
// hour.
func loseRecordings(ctx context.Context, conn *pgx.Conn) (*forgetful, error) {
	live := &forgetful{}
	then := time.Now().Add(-time.Hour)
	var resourceRows, roomRows, recordingRows [][]any
	for i := range lostRecordings {
		room, id := uuid.New(), uuid.New()
		worker := "EG_" + id.String()
		resourceRows = append(resourceRows, []any{room, then, then})
		roomRows = append(roomRows, []any{room, fmt.Sprint("room ", i), fmt.Sprint("room-", i), []byte("{}"), "restricted"})
		recordingRows = append(recordingRows, []any{id, then, then, "active", worker, room, "screen_recording", []byte("{}")})
		live.items = append(live.items, &lk.EgressInfo{
			EgressId: worker, RoomName: room.String(), Status: lk.EgressStatus_EGRESS_COMPLETE,
			Request: &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{
				FileOutputs: []*lk.EncodedFileOutput{{Filepath: "recordings/" + id.String() + ".mp4"}},
			}},
		})
	}
	for _, t := range []struct {
		table   string
		columns []string
		rows    [][]any
	}{
		{"meet_resource", []string{"id", "created_at", "updated_at"}, resourceRows},
		{"meet_room", []string{"resource_id", "name", "slug", "configuration", "access_level"}, roomRows},
		{"meet_recording", []string{"id", "created_at", "updated_at", "status", "worker_id", "room_id", "mode", "options"}, recordingRows},
	} {
		if _, err := conn.CopyFrom(ctx, pgx.Identifier{t.table}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
			return nil, fmt.Errorf("fill %s: %w", t.table, err)
		}
	}
	_, err := conn.Exec(ctx, "VACUUM ANALYZE")
	return live, err //nolint:wrapcheck // names the statement
}

// putObjects uploads what the egresses recorded.
func putObjects(ctx context.Context, objects *store.Store, items []*lk.EgressInfo) error {
	client := objects.Client()
	work := make(chan string)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for key := range work {
				_, err := client.PutObject(ctx, &s3.PutObjectInput{
					Bucket: aws.String("meet-media-storage"), Key: aws.String(key), ContentType: aws.String("video/mp4"), Body: bytes.NewReader([]byte("film")),
				})
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	for _, e := range items {
		work <- e.GetRoomComposite().GetFileOutputs()[0].GetFilepath()
	}
	close(work)
	wg.Wait()
	return errors.Join(errs...)
}
