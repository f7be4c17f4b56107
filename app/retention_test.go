package app_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"

	"meetd/adapters/devstack/storetest"
)

// has reports whether the store has an object.
func has(t *testing.T, st storetest.Store, key string) bool {
	t.Helper()
	_, err := st.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(st.Bucket), Key: aws.String(key)})
	var api smithy.APIError
	if err != nil && (!errors.As(err, &api) || api.ErrorCode() != "NotFound") {
		t.Fatal(err)
	}
	return err == nil
}

// objects puts what a recording leaves in the bucket, and returns the names.
func objects(t *testing.T, st storetest.Store, id uuid.UUID) []string {
	t.Helper()
	keys := []string{"recordings/" + id.String() + ".mp4", "recordings/EG_" + id.String() + ".json", "metadata/" + id.String() + "-metadata.json"}
	for _, key := range keys {
		st.Put(t, key, "video/mp4", []byte(content))
	}
	return keys
}

func (s *service) erase(t *testing.T, as account, id uuid.UUID) answer {
	t.Helper()
	return s.ask(t, as, http.MethodDelete, "/api/v1.0/recordings/"+id.String()+"/", "")
}

func (s *service) gone(t *testing.T, st storetest.Store, keys []string) {
	t.Helper()
	for _, key := range keys {
		eventually(t, key+" is gone", func() bool { return !has(t, st, key) })
	}
}

// purge has what has expired deleted now.
func (s *service) purge(t *testing.T) {
	t.Helper()
	var id int64
	if err := s.DB.QueryRow(t.Context(), `INSERT INTO meetd.river_job (kind, args, max_attempts) VALUES ('purge_recordings', '{}', 1) RETURNING id`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job is done", func() bool {
		var done bool
		if err := s.DB.QueryRow(t.Context(), `SELECT state = 'completed' FROM meetd.river_job WHERE id = $1`, id).Scan(&done); err != nil {
			t.Fatal(err)
		}
		return done
	})
}

// hurry has postponed jobs done now.
func (s *service) hurry(t *testing.T) {
	t.Helper()
	s.exec(t, `UPDATE meetd.river_job SET state = 'available', scheduled_at = now() WHERE state IN ('scheduled', 'retryable')`)
}

// With a recording everything goes that was stored of it, in the database and in
// the bucket, and nothing else; and it is written down who did that.
func TestRecordingDelete(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, func(t *testing.T, st storetest.Store) {
		env := storeEnv(st)
		env["METADATA_COLLECTOR_OUTPUT_FOLDER"] = "metadata"
		s := startService(t, env)
		ada := s.login(t, "ada")
		other := s.recording(t, screen, "saved", roles{ada: "owner"})
		kept := objects(t, st, other)
		s.exec(t, `INSERT INTO meetd.recording_state (recording_id, egress, updated_at) VALUES ($1, 'complete', now())`, other)
		for _, status := range []string{"saved", "notification_succeeded", "external_process_successful", "external_process_failed", "aborted", "failed_to_start"} {
			id := s.recording(t, screen, status, roles{})
			before := s.dump(t)
			s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
				VALUES (gen_random_uuid(), now(), now(), '', 'owner', $1, $2)`, id, ada.ID)
			s.inTeam(t, id, "red", "member")
			s.exec(t, `UPDATE meet_recording SET options = '{"collect_metadata": true}', external_process_id = 'job-' || id WHERE id = $1`, id)
			s.exec(t, `INSERT INTO meetd.recording_state (recording_id, egress, updated_at) VALUES ($1, 'complete', now())`, id)
			s.exec(t, `INSERT INTO meetd.notice (recording_id, kind, recipient, created_at) VALUES ($1, 'mail', $2, now())`, id, ada.ID)
			s.exec(t, `INSERT INTO meetd.kept_event (source, event_id, subject, payload, received_at) VALUES
				('storage', $1::uuid::text, $1::uuid::text, '{}', now()), ('livekit', $1::uuid::text, 'EG_' || $1::uuid::text, '{}', now()),
				('summary', $1::uuid::text, 'job-' || $1::uuid::text, '{}', now())`, id)
			keys := objects(t, st, id)
			wantAnswer(t, status, s.erase(t, ada, id), 204, "")
			s.gone(t, st, keys)
			s.exec(t, `UPDATE meet_recording SET options = '{}' WHERE id = $1`, id)
			if n := s.count(t, `SELECT (SELECT count(*) FROM meetd.notice) + (SELECT count(*) FROM meetd.kept_event WHERE applied_at IS NULL)
				+ (SELECT count(*) FROM meet_recording_access) + (SELECT count(*) FROM meetd.recording_state) + (SELECT count(*) FROM meet_recording)`); n != 3 {
				t.Errorf("%s: %d rows are left, want those of the other recording", status, n)
			}
			if s.dump(t) == before {
				t.Errorf("%s: nothing is gone", status)
			}
			wantAnswer(t, status+", again", s.erase(t, ada, id), 404, `{"detail":"No Recording matches the given query."}`)
			var actor uuid.UUID
			var reason string
			if err := s.DB.QueryRow(t.Context(), `SELECT actor_id, details->>'reason' FROM meetd.audit_event WHERE action = 'recording_deleted' AND subject = $1`, id.String()).
				Scan(&actor, &reason); err != nil || actor != ada.ID || reason != "request" {
				t.Errorf("%s: written down: %s %s, %v", status, actor, reason, err)
			}
		}
		for _, key := range kept {
			if !has(t, st, key) {
				t.Errorf("%s of another recording is gone", key)
			}
		}
		for _, status := range []string{"initiated", "active"} {
			id := s.recording(t, screen, status, roles{ada: "owner"})
			wantAnswer(t, status, s.erase(t, ada, id), 403, `{"detail":"You do not have permission to perform this action."}`)
			if s.status(t, id) != status {
				t.Errorf("%s: it changed", status)
			}
		}
	})
}

// faultyStore is a store that can be switched off, and made to say that it has
// deleted what it has not.
func faultyStore(t *testing.T, st storetest.Store) (front storetest.Store, down, lies *atomic.Bool) {
	t.Helper()
	target, err := url.Parse(st.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	down, lies = &atomic.Bool{}, &atomic.Bool{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		if lies.Load() && r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	st.Endpoint = srv.URL
	return st, down, lies
}

// A store that is down holds nobody up: what is deleted is gone for everybody at
// once, and from the store when that works again.
func TestRecordingDeleteWithoutStore(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	front, down, lies := faultyStore(t, st)
	s := startService(t, storeEnv(front))
	ada := s.login(t, "ada")
	id := s.recording(t, screen, "saved", roles{ada: "owner"})
	keys := objects(t, st, id)[:2]
	down.Store(true)
	wantAnswer(t, "delete", s.erase(t, ada, id), 204, "")
	wantAnswer(t, "read", s.request(t, ada, http.MethodGet, "/api/v1.0/recordings/"+id.String()+"/", "", nil), 404, "")
	tries := func(n int) func() bool {
		return func() bool {
			return s.count(t, `SELECT coalesce(sum(attempt), 0) FROM meetd.river_job WHERE kind = 'delete_objects' AND state = 'retryable' AND max_attempts > 20`) >= n
		}
	}
	eventually(t, "a try failed", tries(1))
	lies.Store(true)
	down.Store(false)
	before := s.count(t, `SELECT attempt FROM meetd.river_job WHERE kind = 'delete_objects'`)
	s.hurry(t)
	eventually(t, "it is seen that the object is still there", func() bool { return strings.Contains(s.logs.String(), "was deleted, but the store still has it") })
	eventually(t, "that counts as failed", tries(before+1))
	if !has(t, st, keys[0]) {
		t.Fatal("the store did delete it")
	}
	lies.Store(false)
	s.hurry(t)
	s.gone(t, st, keys)
}

// What is still being uploaded when its recording is deleted goes after that.
func TestRecordingDeleteBeforeUpload(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	live, env := startLiveKit(t)
	maps.Copy(env, storeEnv(st))
	env["METADATA_COLLECTOR_OUTPUT_FOLDER"] = "metadata"
	env["METADATA_COLLECTOR_ENABLED"] = "true"
	env["MEETD_RECONCILE_PERIOD"] = "3600"
	s := startService(t, env)
	ada := s.login(t, "ada")

	var mu sync.Mutex
	egress := map[string]*lk.EgressInfo{}
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) {
		mu.Lock()
		defer mu.Unlock()
		out := make([]*lk.EgressInfo, 0, len(egress))
		for _, e := range egress {
			out = append(out, e)
		}
		return out, nil
	}
	live.mu.Unlock()
	say := func(worker, key string, status lk.EgressStatus) {
		mu.Lock()
		defer mu.Unlock()
		egress[worker] = &lk.EgressInfo{EgressId: worker, Status: status, Request: &lk.EgressInfo_RoomComposite{
			RoomComposite: &lk.RoomCompositeEgressRequest{FileOutputs: []*lk.EncodedFileOutput{{Filepath: key}}},
		}}
	}
	for name, c := range map[string]struct {
		status string
		worker bool // it was written down
		room   bool // deleted with its room
		stops  bool
	}{
		"stopped, deleted":             {"stopped", true, false, false},
		"recording, room deleted":      {"active", true, true, true},
		"starting, room deleted":       {"initiated", false, true, true},
		"failed to stop, then deleted": {"failed_to_stop", true, false, true},
	} {
		id := s.recording(t, screen, c.status, roles{ada: "owner"})
		worker, key := "EG_"+id.String(), "recordings/"+id.String()+".mp4"
		if !c.worker {
			s.exec(t, `UPDATE meet_recording SET worker_id = NULL WHERE id = $1`, id)
		}
		s.exec(t, `UPDATE meet_recording SET options = '{"collect_metadata": true}' WHERE id = $1`, id)
		is := lk.EgressStatus_EGRESS_ENDING
		if c.stops {
			is = lk.EgressStatus_EGRESS_ACTIVE
		}
		say(worker, key, is)
		if c.room {
			var room uuid.UUID
			if err := s.DB.QueryRow(t.Context(), `SELECT room_id FROM meet_recording WHERE id = $1`, id).Scan(&room); err != nil {
				t.Fatal(err)
			}
			s.give(t, room, ada, "owner")
			wantAnswer(t, name, s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room.String()+"/", ""), 204, "")
		} else {
			wantAnswer(t, name, s.erase(t, ada, id), 204, "")
		}
		postponed := func() bool {
			return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'delete_objects' AND state = 'scheduled' AND args->>'recording' = '`+id.String()+`'`) == 1
		}
		eventually(t, name+": it is looked at again later", postponed)
		if c.stops {
			eventually(t, name+": the egress is stopped", func() bool {
				live.mu.Lock()
				defer live.mu.Unlock()
				for _, stopped := range live.stops {
					if stopped == worker {
						return true
					}
				}
				return false
			})
		}
		keys := objects(t, st, id) // the upload
		say(worker, key, lk.EgressStatus_EGRESS_COMPLETE)
		s.hurry(t)
		s.gone(t, st, keys)
		eventually(t, name+": that is all", func() bool {
			return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'delete_objects' AND state <> 'completed'`) == 0
		})
	}
}

// A room that is deleted while LiveKit is asked to record it is not recorded.
func TestRoomDeleteDuringStart(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	live.mu.Lock()
	live.onStart = func(*lk.RoomCompositeEgressRequest) (*lk.EgressInfo, error) {
		wantAnswer(t, "delete", s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room.String()+"/", ""), 204, "")
		return &lk.EgressInfo{EgressId: "EG_late"}, nil
	}
	live.mu.Unlock()
	wantAnswer(t, "start", s.start(t, ada, room, film), 404, "")
	eventually(t, "the egress is stopped", func() bool {
		live.mu.Lock()
		defer live.mu.Unlock()
		return len(live.stops) > 0 && live.stops[0] == "EG_late"
	})
}

// putOnHold places a hold as the command does.
func (s *service) putOnHold(t *testing.T, id uuid.UUID) {
	t.Helper()
	s.exec(t, `INSERT INTO meetd.recording_hold (recording_id, reason, placed_at, placed_by) VALUES ($1, 'a trial', now(), 'root')`, id)
}

// What has expired is deleted with its objects: not before, not while it is open,
// not while it is on hold, and never where nothing expires.
func TestRetention(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	env := storeEnv(st)
	env["METADATA_COLLECTOR_OUTPUT_FOLDER"] = "metadata"
	env["MEETD_RECONCILE_PERIOD"] = "36000"
	never := startService(t, env)
	env["RECORDING_EXPIRATION_DAYS"] = "7"
	s := startService(t, env)
	ada := s.login(t, "ada")
	ids, keys := map[string]uuid.UUID{}, map[string][]string{}
	for _, status := range []string{"saved", "notification_succeeded", "aborted", "stopped", "active", "initiated", "held"} {
		stored := status
		if status == "held" {
			stored = "saved"
		}
		ids[status] = s.recording(t, screen, stored, roles{ada: "owner"})
		s.exec(t, `UPDATE meet_recording SET options = '{"collect_metadata": true}' WHERE id = $1`, ids[status])
		keys[status] = objects(t, st, ids[status])
	}
	s.putOnHold(t, ids["held"])
	left := func() int { return s.count(t, `SELECT count(*) FROM meet_recording`) }

	s.purge(t)
	if n := left(); n != 7 {
		t.Fatalf("%d of 7 are left before anything has expired", n)
	}
	const almost = 7*24*time.Hour - time.Minute
	s.shiftClock(almost)
	s.purge(t)
	if n := left(); n != 7 {
		t.Fatalf("%d of 7 are left a minute before", n)
	}
	s.shiftClock(2 * time.Minute)
	young := s.recording(t, screen, "saved", roles{ada: "owner"})
	s.exec(t, `UPDATE meet_recording SET created_at = now() + interval '2 days' WHERE id = $1`, young)
	s.purge(t)
	s.shiftClock(-almost - 2*time.Minute) // or the store takes no signature
	s.hurry(t)
	for status, id := range ids {
		stays := status == "active" || status == "initiated" || status == "held"
		var there bool
		if err := s.DB.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM meet_recording WHERE id = $1)`, id).Scan(&there); err != nil || there != stays {
			t.Errorf("%s: it is there: %v, %v", status, there, err)
		}
		if !stays {
			s.gone(t, st, keys[status])
		}
	}
	if n := left(); n != 4 {
		t.Errorf("%d are left, want 4", n)
	}
	if n := s.count(t, `SELECT count(*) FROM meetd.audit_event WHERE action = 'recording_deleted' AND actor_id IS NULL AND details->>'reason' = 'expired'`); n != 4 {
		t.Errorf("%d deletions are written down, want 4", n)
	}
	for _, status := range []string{"held", "active"} {
		for _, key := range keys[status] {
			if !has(t, st, key) {
				t.Errorf("%s: %s is gone", status, key)
			}
		}
	}
	// A hold keeps the file; it does not open it.
	s.exec(t, `UPDATE meet_recording SET created_at = now() - interval '8 days' WHERE id <> $1`, young)
	bea := s.login(t, "bea") // ada's session is over
	s.exec(t, `UPDATE meet_recording_access SET user_id = $2 WHERE recording_id = $1`, ids["held"], bea.ID)
	wantAnswer(t, "an expired recording on hold", s.request(t, bea, http.MethodGet, filmPath(ids["held"]), "", nil), 403, "")
	s.exec(t, `DELETE FROM meetd.recording_hold`)
	s.exec(t, `UPDATE meet_recording SET status = 'aborted' WHERE status <> 'saved'`) // as the reconciler does
	s.purge(t)
	if n := left(); n != 1 {
		t.Errorf("%d are left after all, want the young one", n)
	}
	s.gone(t, st, append(keys["held"], keys["active"]...))

	old := never.recording(t, screen, "saved", roles{})
	never.exec(t, `UPDATE meet_recording SET created_at = '2001-01-01'`)
	never.purge(t)
	if never.status(t, old) != "saved" {
		t.Error("it was deleted where nothing expires")
	}
}

// More than fit into a page are deleted too, past those that cannot be.
func TestRetentionInPages(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{"RECORDING_EXPIRATION_DAYS": "1"})
	room := s.room(t, s.login(t, "ada"))
	s.exec(t, `INSERT INTO meet_recording (id, created_at, updated_at, status, room_id, mode, options)
		SELECT gen_random_uuid(), '2020-01-01'::timestamptz + make_interval(mins => i / 2), now(), 'failed_to_start', $1, 'transcript', '{}'
		FROM generate_series(1, 700) i`, room)
	s.exec(t, `UPDATE meet_recording SET options = '[]' WHERE id IN (SELECT id FROM meet_recording ORDER BY created_at, id LIMIT 250)`) // cannot be read
	s.exec(t, `INSERT INTO meetd.river_job (kind, args, max_attempts) VALUES ('purge_recordings', '{}', 1)`)
	eventually(t, "all others are gone", func() bool { return s.count(t, `SELECT count(*) FROM meet_recording`) == 250 })
	eventually(t, "it ends", func() bool {
		return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'purge_recordings' AND state NOT IN ('discarded', 'completed', 'scheduled')`) == 0
	})
}

// What is on hold cannot be deleted by anybody, nor with its room.
func TestHold(t *testing.T) {
	t.Parallel()
	s := startService(t, nil)
	ada := s.login(t, "ada")
	id := s.recording(t, screen, "saved", roles{ada: "owner"})
	var room uuid.UUID
	if err := s.DB.QueryRow(t.Context(), `SELECT room_id FROM meet_recording WHERE id = $1`, id).Scan(&room); err != nil {
		t.Fatal(err)
	}
	s.give(t, room, ada, "owner")
	s.putOnHold(t, id)
	before := s.everything(t)
	wantAnswer(t, "the recording", s.erase(t, ada, id), 403, `{"detail":"This recording is on legal hold and cannot be deleted."}`)
	wantAnswer(t, "its room", s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room.String()+"/", ""), 403,
		`{"detail":"A recording of this room is on legal hold: the room cannot be deleted."}`)
	if s.everything(t) != before {
		t.Error("something changed")
	}
	s.exec(t, `DELETE FROM meetd.recording_hold`)
	wantAnswer(t, "released", s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+room.String()+"/", ""), 204, "")
}
