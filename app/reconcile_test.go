package app_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"

	"meetd/adapters/devstack/storetest"
)

// Recordings of which nobody reports the end find it all the same: the process
// died between two steps, or an event was lost (attack-cases R).
func TestReconcile(t *testing.T) {
	t.Parallel()
	storetest.Each(t, storetest.Hook{}, testReconcile)
}

func testReconcile(t *testing.T, st storetest.Store) {
	t.Helper()
	live, env := startLiveKit(t)
	maps.Copy(env, storeEnv(st))
	env["MEETD_RECONCILE_PERIOD"] = "2"

	var mu sync.Mutex
	var known []*lk.EgressInfo
	lists := 0
	live.onList = func() ([]*lk.EgressInfo, error) {
		mu.Lock()
		defer mu.Unlock()
		lists++
		return known, nil
	}
	s, began := startService(t, env), time.Now()
	ada := s.login(t, "ada")

	type left struct {
		status string // as the process left it
		worker bool   // the egress id was committed
		egress lk.EgressStatus
		forgot bool // LiveKit knows nothing of it
		object string
		backup bool
		want   string
	}
	const film, empty, none = "film", "empty", ""
	cases := map[string]left{
		"died before the egress was asked for":    {"initiated", false, 0, true, none, false, "failed_to_start"},
		"died after it was asked for":             {"initiated", false, lk.EgressStatus_EGRESS_ACTIVE, false, none, false, "active"},
		"died, and the egress is done":            {"initiated", false, lk.EgressStatus_EGRESS_COMPLETE, false, film, false, "saved"},
		"died, and the egress failed":             {"initiated", false, lk.EgressStatus_EGRESS_FAILED, false, none, false, "aborted"},
		"still running":                           {"active", true, lk.EgressStatus_EGRESS_ACTIVE, false, none, false, "active"},
		"failed, webhook lost":                    {"active", true, lk.EgressStatus_EGRESS_FAILED, false, none, false, "aborted"},
		"done, every event lost":                  {"active", true, lk.EgressStatus_EGRESS_COMPLETE, false, film, false, "saved"},
		"stopped, every event lost":               {"stopped", true, lk.EgressStatus_EGRESS_COMPLETE, false, film, false, "saved"},
		"limit reached, every event lost":         {"active", true, lk.EgressStatus_EGRESS_LIMIT_REACHED, false, film, false, "saved"},
		"done without an object":                  {"active", true, lk.EgressStatus_EGRESS_COMPLETE, false, none, false, "aborted"},
		"done with an empty object":               {"stopped", true, lk.EgressStatus_EGRESS_COMPLETE, false, empty, false, "aborted"},
		"forgotten, the object is there":          {"active", true, 0, true, film, false, "saved"},
		"forgotten, no object":                    {"stopped", true, 0, true, none, false, "aborted"},
		"the file went to the backup store":       {"active", true, lk.EgressStatus_EGRESS_COMPLETE, false, none, true, "stopped"},
		"the file was brought back from there":    {"stopped", true, lk.EgressStatus_EGRESS_COMPLETE, false, film, true, "saved"},
		"a ghost with an object":                  {"active", true, lk.EgressStatus_EGRESS_ACTIVE, false, film, false, "saved"},
		"a ghost without one":                     {"active", true, lk.EgressStatus_EGRESS_ACTIVE, false, none, false, "aborted"},
		"a ghost that never began":                {"initiated", false, lk.EgressStatus_EGRESS_STARTING, false, none, false, "aborted"},
		"it uploads":                              {"active", true, lk.EgressStatus_EGRESS_ENDING, false, none, false, "stopped"},
		"it did stop, with an object":             {"unsure", true, lk.EgressStatus_EGRESS_COMPLETE, false, film, false, "saved"},
		"it did stop, without one":                {"unsure", true, lk.EgressStatus_EGRESS_COMPLETE, false, none, false, "aborted"},
		"it did stop and is forgotten":            {"unsure", true, 0, true, film, false, "saved"},
		"it failed to stop long ago":              {"failed_to_stop", true, lk.EgressStatus_EGRESS_COMPLETE, false, film, false, "failed_to_stop"},
		"a saved one stays as it is":              {"saved", true, lk.EgressStatus_EGRESS_FAILED, false, none, false, "saved"},
		"an aborted one stays, whatever is there": {"aborted", true, lk.EgressStatus_EGRESS_COMPLETE, false, film, false, "aborted"},
	}
	ids := map[string]uuid.UUID{}
	for name, c := range cases {
		status, unsure := c.status, c.status == "unsure"
		if unsure {
			status = "failed_to_stop"
		}
		id := s.recording(t, screen, status, roles{ada: "owner"})
		ids[name] = id
		if unsure {
			s.exec(t, `INSERT INTO meetd.recording_state (recording_id, unsure, updated_at) VALUES ($1, true, now())`, id)
		}
		s.exec(t, `UPDATE meet_recording SET updated_at = now() + interval '1 hour' WHERE id = $1`, id) // not yet
		var room uuid.UUID
		if err := s.DB.QueryRow(t.Context(), `SELECT room_id FROM meet_recording WHERE id = $1`, id).Scan(&room); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(name, "ghost") && c.egress == lk.EgressStatus_EGRESS_ACTIVE {
			live.open(room.String(), "")
		}
		key := "recordings/" + id.String() + ".mp4"
		if !c.forgot {
			mu.Lock()
			known = append(known,
				&lk.EgressInfo{EgressId: "EG_foreign", RoomName: room.String(), Status: lk.EgressStatus_EGRESS_ACTIVE},
				&lk.EgressInfo{
					EgressId: "EG_" + id.String(), RoomName: room.String(), Status: c.egress, BackupStorageUsed: c.backup,
					Request: &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{
						FileOutputs: []*lk.EncodedFileOutput{{Filepath: key}},
					}},
				})
			mu.Unlock()
		}
		switch c.object {
		case film:
			st.Put(t, key, "video/mp4", []byte("film"))
		case empty:
			st.Put(t, key, "video/mp4", nil)
		}
		// Only now it has been silent for long enough to be looked at; not for longer,
		// or a look that asked LiveKit before it knew this egress would have it forgotten.
		s.exec(t, `UPDATE meet_recording SET updated_at = now() - interval '2 seconds', worker_id = CASE WHEN $2 THEN worker_id END WHERE id = $1`, id, c.worker)
	}
	for name, c := range cases {
		eventually(t, name, func() bool { return s.status(t, ids[name]) == c.want })
	}
	// However many recordings there are, LiveKit is asked once in a period.
	mu.Lock()
	if took := int(time.Since(began)/(2*time.Second)) + 2; lists > took {
		t.Errorf("LiveKit was asked for its egresses %d times in %d periods", lists, took)
	}
	mu.Unlock()
	// Who started what nobody lived to write down is written down once.
	for name, want := range map[string]int{
		"died before the egress was asked for": 0, "died after it was asked for": 1, "died, and the egress is done": 1, "still running": 0,
	} {
		if got := s.count(t, `SELECT count(*) FROM meetd.audit_event WHERE action = 'recording_started' AND subject = $1 AND actor_id = $2`, ids[name].String(), ada.ID); got != want {
			t.Errorf("%s: its start is written down %d times", name, got)
		}
	}
	// A room of which the end was found can be recorded again.
	var room uuid.UUID
	if err := s.DB.QueryRow(t.Context(), `SELECT room_id FROM meet_recording WHERE id = $1`, ids["failed, webhook lost"]).Scan(&room); err != nil {
		t.Fatal(err)
	}
	s.exec(t, `INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
		VALUES (gen_random_uuid(), now(), now(), 'administrator', $1, $2)`, room, ada.ID)
	wantAnswer(t, "start again", s.start(t, ada, room, `{"mode":"screen_recording"}`), 201, "")
}

// What was stopped ends, however long LiveKit lists its egress and people stay in
// its room.
func TestGhostInOpenRoom(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	live, env := startLiveKit(t)
	maps.Copy(env, storeEnv(st))
	env["MEETD_RECONCILE_PERIOD"] = "1"
	s := startService(t, env)
	ada := s.login(t, "ada")
	var known []*lk.EgressInfo
	ids := map[string]uuid.UUID{}
	for name, egress := range map[string]lk.EgressStatus{
		"a film": lk.EgressStatus_EGRESS_ENDING, "none": lk.EgressStatus_EGRESS_ACTIVE, "just stopped": lk.EgressStatus_EGRESS_ENDING, "recording": lk.EgressStatus_EGRESS_ACTIVE,
	} {
		status := "stopped"
		if name == "recording" {
			status = "active"
		}
		id := s.recording(t, screen, status, roles{ada: "administrator"})
		ids[name] = id
		known = append(known, &lk.EgressInfo{EgressId: "EG_" + id.String(), Status: egress})
		for _, room := range s.lines(t, `SELECT room_id::text FROM meet_recording WHERE id = '`+id.String()+`'`) {
			live.open(room, "")
		}
	}
	st.Put(t, "recordings/"+ids["a film"].String()+".mp4", "video/mp4", []byte("film"))
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) { return known, nil }
	live.mu.Unlock()
	s.exec(t, `UPDATE meet_recording SET updated_at = now() - CASE WHEN id = $1 THEN interval '59 minutes' ELSE interval '61 minutes' END`, ids["just stopped"])
	eventually(t, "the film is found", func() bool { return s.status(t, ids["a film"]) == "saved" })
	eventually(t, "where there is none that is found", func() bool { return s.status(t, ids["none"]) == "aborted" })
	if a, b := s.status(t, ids["just stopped"]), s.status(t, ids["recording"]); a != "stopped" || b != "active" {
		t.Errorf("one that uploads is %s, one that records %s", a, b)
	}
}

// A store that does not answer holds up what depends on it, and nothing else.
func TestReconcileWhileStoreHangs(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(srv.Close)
	env["AWS_S3_ENDPOINT_URL"], env["MEETD_RECONCILE_PERIOD"] = srv.URL, "1"
	s := startService(t, env)
	t.Cleanup(func() { close(release) })
	ada := s.login(t, "ada")
	const many = 30 // more than can be looked at one by one before the job is over
	for range many {
		s.recording(t, screen, "stopped", roles{ada: "administrator"})
	}
	s.exec(t, `UPDATE meet_recording SET updated_at = now() + interval '1 hour'`) // not yet
	failed := s.recording(t, screen, "active", roles{ada: "owner"})
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) {
		return []*lk.EgressInfo{{EgressId: "EG_" + failed.String(), Status: lk.EgressStatus_EGRESS_FAILED}}, nil
	}
	live.mu.Unlock()
	s.exec(t, `WITH events AS (
			INSERT INTO meetd.kept_event (source, event_id, subject, payload, received_at)
			SELECT 'storage', id::text, id::text, '{}', now() FROM meet_recording WHERE status = 'stopped'
		) UPDATE meet_recording SET updated_at = now() - interval '1 minute' WHERE status = 'active'`)
	eventually(t, "the room of the failed one is free", func() bool { return s.status(t, failed) == "aborted" })
}

// What is said of a recording while it is looked at counts more than the look.
func TestEndDuringLook(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	asked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		once.Do(func() { close(asked) })
		<-release
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(srv.Close)
	env["AWS_S3_ENDPOINT_URL"], env["MEETD_RECONCILE_PERIOD"] = srv.URL, "1"
	s := startService(t, env)
	id := s.recording(t, screen, "stopped", roles{s.login(t, "ada"): "administrator"})
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) {
		return []*lk.EgressInfo{{EgressId: "EG_" + id.String(), Status: lk.EgressStatus_EGRESS_ENDING}}, nil
	}
	live.mu.Unlock()
	s.exec(t, `UPDATE meet_recording SET updated_at = now() - interval '2 hours' WHERE id = $1`, id)
	<-asked
	wantAnswer(t, "ended", s.webhook(t, egressEvent("egress_ended", "EG_"+id.String(), "room", "EGRESS_COMPLETE")), 200, "")
	s.exec(t, `UPDATE meetd.recording_state SET look_at = now() + interval '1 hour'`) // one look will do
	close(release)
	eventually(t, "the look is over", func() bool {
		return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'reconcile_recordings' AND state = 'completed' AND finalized_at > (
			SELECT updated_at FROM meetd.recording_state WHERE recording_id = '`+id.String()+`')`) > 0
	})
	if got := s.status(t, id); got != "stopped" {
		t.Errorf("by what was true before the end it is %s", got)
	}
}

// A store that cannot be read leaves LiveKit's word alone.
func TestReconcileWithoutStore(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["MEETD_RECORDING_VERIFY_OBJECT"] = "false"
	env["MEETD_RECONCILE_PERIOD"] = "1"
	s := startService(t, env)
	ada := s.login(t, "ada")
	done, forgotten := s.recording(t, screen, "active", roles{ada: "owner"}), s.recording(t, screen, "stopped", roles{ada: "owner"})
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) {
		return []*lk.EgressInfo{{EgressId: "EG_" + done.String(), Status: lk.EgressStatus_EGRESS_COMPLETE}}, nil
	}
	live.mu.Unlock()
	// Due for those looks alone that begin after LiveKit knows the egress.
	s.exec(t, `UPDATE meet_recording SET updated_at = now() - interval '1 second'`)
	eventually(t, "the complete one is saved", func() bool { return s.status(t, done) == "saved" })
	eventually(t, "the forgotten one is given up", func() bool { return s.status(t, forgotten) == "aborted" })
}

// Nobody is recorded without knowing: an egress that runs although its start
// failed for us is ended.
func TestAbandonedEgress(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["MEETD_RECONCILE_PERIOD"] = "1"
	s := startService(t, env)
	ada := s.login(t, "ada")
	abandoned, running := s.recording(t, screen, "failed_to_start", roles{ada: "owner"}), s.recording(t, screen, "active", roles{ada: "owner"})
	// Given up by hand after the process died that had asked for the egress, and by Django.
	given, django := s.recording(t, screen, "failed_to_stop", roles{ada: "owner"}), s.recording(t, screen, "failed_to_stop", roles{ada: "owner"})
	s.exec(t, `UPDATE meet_recording SET worker_id = NULL, updated_at = now() - interval '1 minute' WHERE status = 'failed_to_stop'`)
	s.exec(t, `INSERT INTO meetd.recording_state (recording_id, unsure, updated_at) VALUES ($1, true, now())`, given)
	egress := func(id uuid.UUID) string { return "EG_of_recordings/" + id.String() + ".mp4" }
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) {
		var list []*lk.EgressInfo
		keys := []string{"other/film.mp4"}
		for _, id := range []uuid.UUID{abandoned, running, given, django} {
			keys = append(keys, "recordings/"+id.String()+".mp4")
		}
		for _, key := range keys {
			list = append(list, &lk.EgressInfo{
				EgressId: "EG_of_" + key, Status: lk.EgressStatus_EGRESS_ACTIVE,
				Request: &lk.EgressInfo_RoomComposite{RoomComposite: &lk.RoomCompositeEgressRequest{
					FileOutputs: []*lk.EncodedFileOutput{{Filepath: key}},
				}},
			})
		}
		return list, nil
	}
	live.mu.Unlock()
	for _, id := range []uuid.UUID{abandoned, given} {
		eventually(t, "it is stopped", func() bool {
			live.mu.Lock()
			defer live.mu.Unlock()
			return slices.Contains(live.stops, egress(id))
		})
	}
	// What LiveKit says of it from now on is heard.
	eventually(t, "the egress is known", func() bool {
		return s.count(t, `SELECT count(*) FROM meet_recording WHERE id = $1 AND worker_id = $2`, given, egress(given)) == 1
	})
	live.mu.Lock()
	defer live.mu.Unlock()
	for _, id := range live.stops {
		if id != egress(abandoned) && id != egress(given) {
			t.Errorf("%s was stopped", id)
		}
	}
}

// With neither LiveKit nor an event the bucket alone is looked at: what is there is
// saved, and what is not there is looked for less and less often.
func TestNobodySaysAnything(t *testing.T) {
	t.Parallel()
	st := storetest.Embedded(t, storetest.Hook{})
	env := storeEnv(st)
	env["MEETD_RECONCILE_PERIOD"], env["RECORDING_STORAGE_EVENT_ENABLE"] = "1", "false"
	s := startService(t, env)
	ada := s.login(t, "ada")
	there, late := s.recording(t, screen, "stopped", roles{ada: "administrator"}), s.recording(t, screen, "stopped", roles{ada: "administrator"})
	st.Put(t, "recordings/"+there.String()+".mp4", "video/mp4", []byte("film"))
	s.exec(t, `UPDATE meet_recording SET updated_at = now() - interval '1 hour'`)
	eventually(t, "what is there is saved", func() bool { return s.status(t, there) == "saved" })
	eventually(t, "the other is looked for later", func() bool {
		return s.count(t, `SELECT count(*) FROM meetd.recording_state WHERE recording_id = $1 AND looks >= 2
			AND look_at - updated_at >= interval '2 seconds'`, late) == 1
	})
	if got := s.status(t, late); got != "stopped" {
		t.Errorf("what nobody knows about is %s", got)
	}
	st.Put(t, "recordings/"+late.String()+".mp4", "video/mp4", []byte("film"))
	s.exec(t, `UPDATE meetd.recording_state SET look_at = now()`)
	eventually(t, "it is found", func() bool { return s.status(t, late) == "saved" })
}
