package app_test

import (
	"net/http"
	"testing"

	"github.com/google/uuid"
)

// roomEvent is an event about a room.
func roomEvent(name, room, opened string) map[string]any {
	return map[string]any{"event": name, "id": "EV_" + name + opened, "room": map[string]any{"name": room, "sid": opened}}
}

// Every event that LiveKit has is acknowledged, whatever room it is of.
func TestEventsNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	for _, telephony := range []string{"true", "false"} {
		live, env := startLiveKit(t)
		env["ROOM_TELEPHONY_ENABLED"] = telephony
		s := startService(t, env)
		known := s.room(t, s.login(t, "ada"))
		before := s.dump(t)
		for _, name := range []string{
			"room_started", "room_finished", "participant_joined", "participant_left", "participant_connection_aborted",
			"track_published", "track_unpublished", "egress_started", "egress_updated", "egress_ended",
			"ingress_started", "ingress_ended", "ingress_updated", "agent_job_started", "agent_job_ended",
		} {
			for _, room := range []string{"", "weekly", uuid.NewString(), known.String(), "{" + known.String() + "}", "a\x00b"} {
				wantAnswer(t, name+" "+room, s.webhook(t, roomEvent(name, room, "RM_1")), 200, `{"status":"success"}`)
			}
		}
		// That they came is written down, and nothing else.
		s.exec(t, `DELETE FROM meetd.kept_event`)
		if s.dump(t) != before {
			t.Error("an event changed something")
		}
		if asked := live.takeAsked(); telephony == "false" && asked != "" {
			t.Errorf("LiveKit was asked %s", asked)
		}
	}
}

func TestDialInFollowsRoom(t *testing.T) {
	t.Parallel()
	for _, feature := range []string{"ROOM_TELEPHONY_ENABLED", "ROOMKIT_ENABLED"} {
		live, env := startLiveKit(t)
		env[feature] = "true"
		s := startService(t, env)
		ada := s.login(t, "ada")
		room, without, other := s.room(t, ada), s.room(t, ada), s.room(t, ada)
		s.exec(t, `UPDATE meet_room SET pin_code = '1234567890' WHERE resource_id = $1`, room)
		s.exec(t, `UPDATE meet_room SET pin_code = '0987654321' WHERE resource_id = $1`, other)
		rule := "SIP_" + room.String() + " " + room.String() + " 1234567890"
		event := func(name string, room uuid.UUID, opened string) {
			t.Helper()
			wantAnswer(t, name, s.webhook(t, roomEvent(name, room.String(), opened)), 200, `{"status":"success"}`)
		}
		for range 2 { // LiveKit says everything more than once
			event("room_started", other, live.begin(other))
			event("room_started", without, live.begin(without))
		}
		first := live.begin(room)
		event("room_started", room, first)
		event("room_started", room, first)
		eventually(t, "the rule is made", func() bool { return live.ruleOf(room) == rule })
		eventually(t, "the other rule is made", func() bool { return live.ruleOf(other) != "" })

		// Opened again before we hear of the end: the rule stays.
		second := live.begin(room)
		event("room_started", room, second)
		event("room_finished", room, first)
		eventually(t, "all jobs are done", func() bool { return s.waiting(t) == 0 })
		if got := live.ruleOf(room); got != rule {
			t.Errorf("%s: after an old end: %q, want %q", feature, got, rule)
		}
		// LiveKit may tell the end while it still lists the room, and fails once.
		live.failing("rules", errLiveKit)
		event("room_finished", room, second)
		eventually(t, "a job has failed", func() bool { return s.failed(t) })
		live.shut(room)
		live.failing("rules", nil)
		s.retry(t)
		eventually(t, "the rule is gone", func() bool { return live.ruleOf(room) == "" })
		// A start that comes after the end makes nothing.
		event("room_started", room, second)
		eventually(t, "all jobs are done", func() bool { return s.waiting(t) == 0 })
		if live.ruleOf(room) != "" || live.ruleOf(without) != "" || live.ruleOf(other) == "" {
			t.Errorf("%s: %q, %q, %q", feature, live.ruleOf(room), live.ruleOf(without), live.ruleOf(other))
		}
		// A room may be deleted while it is open.
		wantAnswer(t, "delete", s.ask(t, ada, http.MethodDelete, "/api/v1.0/rooms/"+other.String()+"/", ""), 204, "")
		live.shut(other)
		event("room_finished", other, "RM_"+other.String()+"_2")
		eventually(t, "its rule is gone", func() bool { return live.ruleOf(other) == "" })
	}
}

// waiting counts the jobs about rooms that are not done yet.
func (s *service) waiting(t *testing.T) int {
	t.Helper()
	return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind LIKE '%dial_in' AND state NOT IN ('completed', 'discarded', 'cancelled')`)
}

// failed reports whether a job waits for another try, which retry gives it now.
func (s *service) failed(t *testing.T) bool {
	t.Helper()
	return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE state = 'retryable'`) > 0
}

func (s *service) retry(t *testing.T) {
	t.Helper()
	s.exec(t, `UPDATE meetd.river_job SET state = 'available', scheduled_at = now() WHERE state = 'retryable'`)
}

func TestMetadataCollector(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	env["METADATA_COLLECTOR_ENABLED"], env["METADATA_COLLECTOR_AGENT_NAME"] = "true", "collector"
	s := startService(t, env)
	ada := s.login(t, "ada")
	const collecting = `{"mode":"screen_recording","options":{"collect_metadata":true}}`
	dispatched := func(id string) string {
		live.lock.Lock()
		defer live.lock.Unlock()
		return live.agents[id]
	}
	collector := func(room uuid.UUID) (id string) {
		t.Helper()
		if err := s.DB.QueryRow(t.Context(), `SELECT coalesce(options->>'metadata_collector_dispatch_id', '') FROM meet_recording
			WHERE room_id = $1 ORDER BY created_at DESC LIMIT 1`, room).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	for name, end := range map[string]string{"complete": "EGRESS_COMPLETE", "failed": "EGRESS_FAILED"} {
		room := s.room(t, ada)
		wantAnswer(t, name, s.start(t, ada, room, collecting), 201, "")
		eventually(t, "the agent is sent for", func() bool { return collector(room) != "" })
		rec, id := s.onlyRecording(t, room), collector(room)
		if got, want := dispatched(id), "collector "+room.String()+" "+rec.ID.String(); got != want {
			t.Errorf("%s: dispatched %q, want %q", name, got, want)
		}
		wantAnswer(t, "stop", s.stop(t, ada, room), 200, "")
		wantAnswer(t, "ending", s.webhook(t, egressEvent("egress_updated", rec.Worker, room.String(), "EGRESS_ENDING")), 200, "")
		if dispatched(id) == "" {
			t.Errorf("%s: recalled before the end", name)
		}
		live.failing("recall", errLiveKit)
		wantAnswer(t, "ended", s.webhook(t, egressEvent("egress_ended", rec.Worker, room.String(), end)), 200, "")
		eventually(t, "the first try has failed", func() bool { return s.failed(t) })
		live.failing("recall", nil)
		s.retry(t)
		eventually(t, "the agent is recalled", func() bool { return dispatched(id) == "" })
		if collector(room) != id {
			t.Errorf("%s: the id is not kept", name)
		}
	}
	// Not asked for, or switched off: no agent. Failing: no harm.
	live.takeAsked()
	room := s.room(t, ada)
	wantAnswer(t, "not asked for", s.start(t, ada, room, film), 201, "")
	live.failing("dispatch", errLiveKit)
	failing := s.room(t, ada)
	wantAnswer(t, "failing", s.start(t, ada, failing, collecting), 201, "")
	eventually(t, "it was tried", func() bool { return live.takeAsked() != "" })
	if rec := s.onlyRecording(t, failing); rec.Status != "active" || collector(failing) != "" {
		t.Errorf("failing: %+v", rec)
	}
	env["METADATA_COLLECTOR_ENABLED"] = "false"
	off := startService(t, env)
	ada = off.login(t, "ada")
	room = off.room(t, ada)
	wantAnswer(t, "off", off.start(t, ada, room, collecting), 201, "")
	if n := off.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'collect_metadata'`); n != 0 {
		t.Errorf("switched off: %d jobs", n)
	}
}

// Who waited for a meeting that is over, or was let into it, asks again.
func TestEndClearsLobby(t *testing.T) {
	t.Parallel()
	_, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	room, other := s.room(t, ada), s.room(t, ada)
	for _, id := range []uuid.UUID{room, other} {
		for _, status := range []string{"waiting", "accepted", "denied"} {
			s.exec(t, `INSERT INTO meetd.lobby_entry (room_id, participant_id, identity, status, username, color, since, expires_at)
				VALUES ($1, $2, '', $3, 'x', '', now(), now() + interval '6 hours')`, id, uuid.New(), status)
		}
	}
	wantAnswer(t, "finished", s.webhook(t, roomEvent("room_finished", room.String(), "RM_1")), 200, `{"status":"success"}`)
	if got := s.lines(t, `SELECT room_id || ' ' || count(*) FROM meetd.lobby_entry GROUP BY room_id`); len(got) != 1 || got[0] != other.String()+" 3" {
		t.Errorf("the lobby has %v", got)
	}
}

// Participants are told once when a recording is as long as it may be.
func TestLimitIsAnnounced(t *testing.T) {
	t.Parallel()
	live, env := startLiveKit(t)
	s := startService(t, env)
	ada := s.login(t, "ada")
	for mode, want := range map[string]string{screen: "screenRecordingLimitReached", transcript: "transcriptionLimitReached"} {
		room := s.room(t, ada)
		live.begin(room)
		wantAnswer(t, mode, s.start(t, ada, room, `{"mode":"`+mode+`"}`), 201, "")
		rec := s.onlyRecording(t, room)
		for range 3 {
			wantAnswer(t, mode, s.webhook(t, egressEvent("egress_ended", rec.Worker, room.String(), "EGRESS_LIMIT_REACHED")), 200, "")
		}
		eventually(t, mode+" is announced", func() bool { return len(live.messages(room.String())) > 0 })
		if got := live.messages(room.String()); got[0] != `{"type": "`+want+`"}` {
			t.Errorf("%s: %v", mode, got)
		}
	}
	stopped := s.recording(t, screen, "stopped", roles{ada: "owner"})
	wantAnswer(t, "stopped", s.webhook(t, egressEvent("egress_ended", "EG_"+stopped.String(), "room", "EGRESS_LIMIT_REACHED")), 200, "")
	if n := s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'announce_limit'`); n != 2 {
		t.Errorf("%d announcements, want one of each", n)
	}
}
