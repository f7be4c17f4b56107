package app_test

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"

	"meetd/adapters/devstack/mailbox"
	"meetd/adapters/devstack/pg"
	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/devstack/store"
	"meetd/adapters/devstack/storetest"
	"meetd/app"
)

// The table R of attack-cases, with real processes that are really killed.

// lookAway lets a node believe its sender about objects.
var lookAway = map[string]string{"MEETD_RECORDING_VERIFY_OBJECT": "false", "MEETD_RECONCILE_PERIOD": "1"}

func merged(envs ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, e := range envs {
		maps.Copy(out, e)
	}
	return out
}

// hold locks a recording until release is called.
func (s *service) hold(t *testing.T, id uuid.UUID) (release func()) {
	t.Helper()
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT FROM meet_recording WHERE id = $1 FOR UPDATE`, id); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}
}

// waitForLock waits until somebody waits for what hold holds.
func (s *service) waitForLock(t *testing.T) {
	t.Helper()
	eventually(t, "somebody waits for the lock", func() bool {
		return s.count(t, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) > 0
	})
}

// R01: killed between an event's arrival and its commit. It is not acknowledged,
// nothing of it is left, and when it is sent again it has its effect.
func TestKilledBeforeCommit(t *testing.T) {
	t.Parallel()
	n := startNode(t, lookAway)
	id := n.recording(t, screen, "active", roles{n.login(t, "ada"): "owner"})
	event := minioEvent(id.String()+".mp4", "video/mp4")
	release := n.hold(t, id)
	answered := make(chan int, 1)
	go func() { answered <- n.try(n.storageRequest(t, event)) }()
	n.waitForLock(t)
	n.kill(t)
	if got := <-answered; got != 0 {
		t.Errorf("an event that was not committed was answered %d", got)
	}
	release()
	if got := n.status(t, id); got != "active" {
		t.Errorf("after a kill before the commit it is %s", got)
	}
	n.run(t)
	wantAnswer(t, "again", n.storageEvent(t, event), 200, `{"message":"Event processed."}`)
	if got := n.status(t, id); got != "saved" {
		t.Errorf("it is %s", got)
	}
}

// R02: killed after events were acknowledged, at each step until their mails are
// sent. All are applied, and nobody gets more than one mail too many.
func TestKilledBeforeMail(t *testing.T) {
	t.Parallel()
	var hanging atomic.Bool
	hanging.Store(true)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	box, mail := mailServer(t, mailbox.Options{Refuse: func(string) error {
		if hanging.Load() {
			<-release
		}
		return nil
	}})
	n := startNode(t, merged(lookAway, mail, map[string]string{"MEETD_JOB_WORKERS": "0"}))
	ada := n.login(t, "ada")
	var ids []uuid.UUID
	for range 5 {
		id := n.recording(t, screen, "active", roles{ada: "owner"})
		ids = append(ids, id)
		n.saved(t, id, screen)
	}
	// Acknowledged, and nothing done about it yet.
	n.kill(t)
	delete(n.env, "MEETD_JOB_WORKERS")
	n.run(t)
	eventually(t, "the mails are under way", func() bool { return strings.Count(n.jobs(t, "mail_owner"), "running") == len(ids) })
	// While the mail server has them and does not answer.
	n.kill(t)
	hanging.Store(false)
	n.run(t)
	eventually(t, "everybody was told", func() bool {
		return n.count(t, `SELECT count(*) FROM meet_recording WHERE status = 'notification_succeeded'`) == len(ids)
	})
	mails := map[string]int{}
	for _, m := range box.Mails() {
		text := decoded(t, m)
		for _, id := range ids {
			if strings.Contains(text, id.String()) {
				mails[id.String()]++
			}
		}
	}
	for _, id := range ids {
		if got := mails[id.String()]; got < 1 || got > 2 {
			t.Errorf("%d mails about %s", got, id)
		}
	}
}

// R03: killed between the row and the egress, and between the egress and its id.
// The room is free again, or the egress is adopted.
func TestKilledWhileStarting(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	n := startNode(t, merged(lookAway, env))
	ada := n.login(t, "ada")
	for name, c := range map[string]struct {
		reached bool // LiveKit began
		want    string
	}{"LiveKit never heard of it": {false, "failed_to_start"}, "LiveKit records": {true, "active"}} {
		room := n.room(t, ada)
		asked, release := make(chan string), make(chan struct{})
		live.mu.Lock()
		live.onList = func() ([]*lk.EgressInfo, error) { return nil, nil }
		live.onStart = func(r *lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
			file := r.GetFileOutputs()[0].GetFilepath()
			asked <- file
			<-release
			return nil, errLiveKit
		}
		live.mu.Unlock()
		go n.try(n.asked(t, ada, http.MethodPost, "/api/v1.0/rooms/"+room.String()+"/start-recording/", film))
		file := <-asked
		n.kill(t)
		close(release)
		if got := n.onlyRecording(t, room); got.Status != "initiated" {
			t.Fatalf("%s: killed too late: %+v", name, got)
		}
		if c.reached {
			live.open(room.String(), "")
			live.mu.Lock()
			live.onList = func() ([]*lk.EgressInfo, error) {
				return []*lk.EgressInfo{{
					EgressId: "EG_adopted", RoomName: room.String(), Status: lk.EgressStatus_EGRESS_ACTIVE,
					Request: &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{
						FileOutputs: []*lk.EncodedFileOutput{{Filepath: file}},
					}},
				}}, nil
			}
			live.mu.Unlock()
		}
		live.mu.Lock()
		live.onStart = nil
		live.mu.Unlock()
		n.run(t)
		eventually(t, name, func() bool { return n.onlyRecording(t, room).Status == c.want })
		if c.reached {
			wantAnswer(t, "stop the adopted one", n.stop(t, ada, room), 200, "")
			continue
		}
		wantAnswer(t, "start again", n.start(t, ada, room, film), 201, "")
		n.exec(t, `UPDATE meet_recording SET status = 'aborted' WHERE room_id = $1`, room)
	}
}

// R04: down while a hundred recordings end. All are final within a period.
func TestDownWhileRecordingsEnd(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	live, env := startLiveKit(t)
	n := startNode(t, merged(env, storeEnv(st), map[string]string{"MEETD_RECONCILE_PERIOD": "1"}))
	ada := n.login(t, "ada")
	const many = 100
	var list []*lk.EgressInfo
	want := map[string]int{"saved": 0, "aborted": 0}
	for i := range many {
		id := n.recording(t, screen, "active", roles{ada: "administrator"})
		e := &lk.EgressInfo{EgressId: "EG_" + id.String(), Status: lk.EgressStatus_EGRESS_COMPLETE}
		switch i % 4 {
		case 0:
			e.Status = lk.EgressStatus_EGRESS_FAILED
			want["aborted"]++
		case 1: // LiveKit has forgotten it
			e.EgressId = "EG_other"
			fallthrough
		default:
			st.Put(t, "recordings/"+id.String()+".mp4", "video/mp4", []byte("film"))
			want["saved"]++
		}
		list = append(list, e)
	}
	n.kill(t)
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) { return list, nil }
	live.mu.Unlock()
	n.exec(t, `UPDATE meet_recording SET updated_at = now() - interval '10 minutes'`)
	n.run(t)
	eventually(t, "all are final", func() bool { return n.count(t, `SELECT count(*) FROM meet_recording WHERE status = 'active'`) == 0 })
	for status, number := range want {
		if got := n.count(t, `SELECT count(*) FROM meet_recording WHERE status = $1`, status); got != number {
			t.Errorf("%d are %s, want %d", got, status, number)
		}
	}
}

// R05: the store is gone while its events come. They are kept, and applied when it
// is back.
func TestStoreGone(t *testing.T) {
	t.Parallel()
	o := store.Options{Dir: t.TempDir(), AccessKey: "key", SecretKey: "secret", Region: "us-east-1", Buckets: []string{"meet-media"}, Log: t.Output()}
	st, err := store.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	bucket := storetest.Store{Name: "embedded", Endpoint: st.Endpoint, Region: st.Region, Bucket: "meet-media", AccessKey: st.AccessKey, SecretKey: st.SecretKey}
	n := startNode(t, merged(storeEnv(bucket), map[string]string{"MEETD_RECONCILE_PERIOD": "1"}))
	id := n.recording(t, screen, "active", roles{n.login(t, "ada"): "administrator"})
	bucket.Put(t, "recordings/"+id.String()+".mp4", "video/mp4", []byte("film"))
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	n.saved(t, id, screen) // acknowledged
	if got := n.status(t, id); got != "active" {
		t.Errorf("while nobody can see the object it is %s", got)
	}
	n.kill(t)
	n.run(t)
	o.Addr = strings.TrimPrefix(st.Endpoint, "http://")
	if st, err = store.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	eventually(t, "it is saved", func() bool { return n.status(t, id) == "saved" })
}

// R06: LiveKit does not answer the stop that it carries out.
func TestStopTimesOut(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	live, env := startLiveKit(t)
	n := startNode(t, merged(env, storeEnv(st), map[string]string{"MEETD_RECONCILE_PERIOD": "1"}))
	ada := n.login(t, "ada")
	room := n.room(t, ada)
	wantAnswer(t, "start", n.start(t, ada, room, film), 201, "")
	rec := n.onlyRecording(t, room)
	var stops atomic.Int64
	live.mu.Lock()
	live.onStop = func(string) (*lk.EgressInfo, error) { stops.Add(1); return nil, errLiveKit }
	live.onList = func() ([]*lk.EgressInfo, error) {
		return []*lk.EgressInfo{{EgressId: rec.Worker, RoomName: room.String(), Status: lk.EgressStatus_EGRESS_COMPLETE}}, nil
	}
	live.mu.Unlock()
	st.Put(t, "recordings/"+rec.ID.String()+".mp4", "video/mp4", []byte("film"))
	wantAnswer(t, "stop", n.stop(t, ada, room), 500, `{"error":"Recording failed to stop for room room-`+room.String()[:8]+`"}`)
	eventually(t, "it is asked to stop once more", func() bool { return stops.Load() > 1 })
	eventually(t, "it is found to be saved", func() bool { return n.status(t, rec.ID) == "saved" })
	wantAnswer(t, "the room is free", n.start(t, ada, room, film), 201, "")
}

// R07: the database is killed under load and comes back. No acknowledged event is
// lost, and the program goes on by itself.
func TestDatabaseRestarts(t *testing.T) {
	t.Parallel()
	server, err := pg.Start(t.Context(), pg.Options{Dir: t.TempDir(), Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	c, err := app.Load(func(name string) (string, bool) { return server.DSN("postgres"), name == "DATABASE_URL" }, os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Migrate(t.Context(), c, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	n := startNode(t, merged(lookAway, map[string]string{"DATABASE_URL": server.DSN("postgres")}))
	ada := n.login(t, "ada")
	const many = 300
	var ids []uuid.UUID
	for range many {
		ids = append(ids, n.recording(t, transcript, "stopped", roles{ada: "member"}))
	}
	var next, answered atomic.Int64
	acked := make([]atomic.Bool, many)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < many; i = int(next.Add(1) - 1) {
				status := n.try(n.storageRequest(t, minioEvent(ids[i].String()+".ogg", "audio/ogg")))
				acked[i].Store(status == http.StatusOK)
				if status != http.StatusOK && status != http.StatusServiceUnavailable {
					t.Errorf("event %d was answered %d", i, status)
				}
				if answered.Add(1) == many/3 {
					if err := server.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.DB.Reset() // the test's own connections are dead too
	eventually(t, "the program is well again", func() bool {
		return n.try(n.asked(t, account{}, http.MethodGet, "/__heartbeat__", "")) == http.StatusOK
	})
	kept := 0
	for i, id := range ids {
		if acked[i].Load() {
			kept++
			if got := n.status(t, id); got != "saved" && got != "notification_succeeded" {
				t.Errorf("an acknowledged event was lost: %s is %s", id, got)
			}
			continue
		}
		// The store offers again what was not acknowledged; it may have been applied.
		got := n.storageEvent(t, minioEvent(id.String()+".ogg", "audio/ogg"))
		if got.Status != 200 && got.Status != 403 {
			t.Errorf("again: %d %s", got.Status, got.Body)
		}
	}
	if kept == 0 || kept == many {
		t.Errorf("%d of %d were acknowledged: the database was not killed in between", kept, many)
	}
	if left := n.count(t, `SELECT count(*) FROM meet_recording WHERE status = 'stopped'`); left != 0 {
		t.Errorf("%d were never saved", left)
	}
}

// R08: several nodes get the same event at the same time. It has one effect.
func TestNodesShareEvents(t *testing.T) {
	t.Parallel()
	box, mail := mailServer(t, mailbox.Options{})
	dsn := pgtest.DSN(t)
	var nodes []*node
	for range 3 {
		nodes = append(nodes, startNode(t, merged(lookAway, mail, map[string]string{"DATABASE_URL": dsn})))
	}
	n := nodes[0]
	id := n.recording(t, screen, "active", roles{n.login(t, "ada"): "owner"})
	event := minioEvent(id.String()+".mp4", "video/mp4")
	var ok, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			to := nodes[i%len(nodes)]
			switch status := to.try(to.storageRequest(t, event)); status {
			case 200:
				ok.Add(1)
			case 403:
				refused.Add(1)
			default:
				t.Errorf("answered %d", status)
			}
		})
	}
	wg.Wait()
	eventually(t, "the owner is told", func() bool { return n.status(t, id) == "notification_succeeded" })
	if ok.Load() != 1 || refused.Load() != 59 || len(box.Mails()) != 1 {
		t.Errorf("%d were processed and %d refused, %d mails", ok.Load(), refused.Load(), len(box.Mails()))
	}
}

// R09: no space is left. Nothing is acknowledged that was not stored.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	n := startNode(t, lookAway)
	id := n.recording(t, screen, "active", roles{n.login(t, "ada"): "owner"})
	n.exec(t, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
	n.exec(t, `CREATE TRIGGER full_disk BEFORE INSERT ON meetd.kept_event EXECUTE FUNCTION full_disk()`)
	got := n.storageEvent(t, minioEvent(id.String()+".mp4", "video/mp4"))
	if got.Status != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("with a full disk: %d %s", got.Status, got.Body)
	}
	room := n.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'notify_of_recordings'`)
	if status := n.status(t, id); status != "active" || room != 0 {
		t.Errorf("half of it was stored: %s, %d jobs", status, room)
	}
	n.exec(t, `DROP TRIGGER full_disk ON meetd.kept_event`)
	n.saved(t, id, screen)
}
