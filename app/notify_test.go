package app_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/uuid"
	lk "github.com/livekit/protocol/livekit"

	"meetd/adapters/devstack/mailbox"
	"meetd/app"
)

// summaryService is a summary service that answers what it is told to.
type summaryService struct {
	mu      sync.Mutex
	asked   []map[string]any
	keys    []string // with which it was asked not to do the same twice
	answers []string // one after the other, the last one for ever; empty: 503
	onAsk   func()
}

func startSummary(t *testing.T, answers ...string) (*summaryService, map[string]string) {
	t.Helper()
	l := &summaryService{answers: answers}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var asked map[string]any
		if err := json.Unmarshal(body, &asked); err != nil || r.Header.Get("Authorization") != "Bearer summary-token" {
			t.Errorf("asked with %q: %s", r.Header.Get("Authorization"), body)
		}
		l.mu.Lock()
		l.asked, l.keys = append(l.asked, asked), append(l.keys, r.Header.Get("Idempotency-Key"))
		answer, onAsk := l.answers[0], l.onAsk
		if len(l.answers) > 1 {
			l.answers = l.answers[1:]
		}
		l.mu.Unlock()
		if onAsk != nil {
			onAsk()
		}
		if answer == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return l, map[string]string{
		"SUMMARY_SERVICE_VERSION": "2", "SUMMARY_SERVICE_ENDPOINT": srv.URL + "/api/v2/async-jobs/transcribe/",
		"SUMMARY_SERVICE_API_TOKEN": "summary-token", "SUMMARY_SERVICE_WEBHOOK_API_TOKEN": "process-token",
	}
}

func (l *summaryService) calls() []map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.asked)
}

// processEvent is a call-back of the summary service.
func (s *service) processEvent(t *testing.T, body string) answer {
	t.Helper()
	return s.request(t, account{}, http.MethodPost, "/api/v1.0/recordings/external-process-hook/", body, http.Header{
		"Content-Type": {"application/json"}, "Authorization": {"Bearer process-token"},
	})
}

// saved has the store report the object of a recording.
func (s *service) saved(t *testing.T, id uuid.UUID, mode string) {
	t.Helper()
	name, kind := id.String()+".mp4", "video/mp4"
	if mode == transcript {
		name, kind = id.String()+".ogg", "audio/ogg"
	}
	wantAnswer(t, "storage event", s.storageEvent(t, minioEvent(name, kind)), 200, `{"message":"Event processed."}`)
}

// notifying starts a service whose objects are not looked at.
func notifying(t *testing.T, envs ...map[string]string) *service {
	t.Helper()
	env := map[string]string{
		"MEETD_RECORDING_VERIFY_OBJECT": "false", "RECORDING_DOWNLOAD_BASE_URL": "https://meet.example.org/recording",
		"DJANGO_EMAIL_SUPPORT_EMAIL": "help@example.org",
	}
	for _, e := range envs {
		maps.Copy(env, e)
	}
	return startService(t, env)
}

// jobs lists the jobs of a kind: how each ended.
func (s *service) jobs(t *testing.T, kind string) string {
	t.Helper()
	var list string
	if err := s.DB.QueryRow(t.Context(), `SELECT coalesce(string_agg(state::text, ' ' ORDER BY id), '') FROM meetd.river_job WHERE kind = $1`, kind).
		Scan(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

func subjectOf(t *testing.T, m mailbox.Mail) string {
	t.Helper()
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return subject
}

// decoded is the plain text of a mail.
func decoded(t *testing.T, m mailbox.Mail) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	part, err := multipart.NewReader(bytes.NewReader(m.Body), params["boundary"]).NextPart() // the plain one; decodes it too
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each owner is written to, and nobody else, in his language and zone.
func TestNotifyOwners(t *testing.T) {
	t.Parallel()
	box, env := mailServer(t, mailbox.Options{})
	s := notifying(t, env)
	ada, bob, eve, moe := s.login(t, "ada"), s.login(t, "bob"), s.login(t, "eve"), s.login(t, "moe")
	s.exec(t, `UPDATE meet_user SET language = 'fr-fr', timezone = 'Europe/Paris' WHERE id = $1`, bob.ID)
	id := s.recording(t, screen, "stopped", roles{ada: "owner", bob: "owner", eve: "administrator", moe: "member"})
	s.exec(t, `UPDATE meet_recording SET created_at = '2026-01-15T14:30:00Z' WHERE id = $1`, id)
	s.exec(t, `UPDATE meet_room SET name = 'Weekly <1>' WHERE resource_id = (SELECT room_id FROM meet_recording WHERE id = $1)`, id)
	s.saved(t, id, screen)
	eventually(t, "everybody was told", func() bool { return s.status(t, id) == "notification_succeeded" })
	mails := box.Mails()
	slices.SortFunc(mails, func(a, b mailbox.Mail) int { return strings.Compare(a.To[0], b.To[0]) })
	if len(mails) != 2 || mails[0].To[0] != "ada@example.org" || mails[1].To[0] != "bob@example.org" {
		t.Fatalf("written to %+v", mails)
	}
	if a, b := subjectOf(t, mails[0]), subjectOf(t, mails[1]); a != "Your recording is ready" || b != "Votre enregistrement est prêt" {
		t.Errorf("subjects %q and %q", a, b)
	}
	for i, want := range [][]string{{"Weekly <1>", "14:30", "2026-01-15", "help@example.org"}, {"Weekly <1>", "15:30", "2026-01-15", "help@example.org"}} {
		text := decoded(t, mails[i])
		for _, w := range append(want, "https://meet.example.org/recording/"+id.String()) {
			if !strings.Contains(text, w) {
				t.Errorf("the mail to %s lacks %q: %s", mails[i].To[0], w, text)
			}
		}
	}
}

// One who cannot be told keeps nobody else waiting, and nothing is lost.
func TestNotifyFails(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	code := 550
	box, env := mailServer(t, mailbox.Options{Refuse: func(to string) error {
		mu.Lock()
		defer mu.Unlock()
		if to == "bob@example.org" && code != 0 {
			return &smtp.SMTPError{Code: code, Message: "no"}
		}
		return nil
	}})
	s := notifying(t, env)
	ada, bob, nemo := s.login(t, "ada"), s.login(t, "bob"), s.login(t, "nemo")
	s.exec(t, `UPDATE meet_user SET email = NULL WHERE id = $1`, nemo.ID)
	refused := s.recording(t, screen, "active", roles{ada: "owner", bob: "owner"})
	s.saved(t, refused, screen)
	eventually(t, "the other owner is told", func() bool { return len(box.Mails()) == 1 })
	eventually(t, "the refused one is given up", func() bool { return strings.Contains(s.jobs(t, "mail_owner"), "cancelled") })
	if got := s.status(t, refused); got != "saved" {
		t.Errorf("with an owner who was not told it is %s", got)
	}
	// Whoever runs the service can have it tried again.
	mu.Lock()
	code = 0
	mu.Unlock()
	var said strings.Builder
	if err := app.ListJobs(t.Context(), s.conf, app.JobOptions{Kind: "mail_owner", Limit: 10}, &said); err != nil {
		t.Fatal(err)
	}
	if got := said.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "mail_owner  cancelled  1/17      -     {") ||
		!strings.Contains(got, refused.String()) || !strings.Contains(got, "550") {
		t.Errorf("listed as\n%s", got)
	}
	said.Reset()
	if err := app.RetryJobs(t.Context(), s.conf, "mail_owner", nil, &said); err != nil || !strings.HasSuffix(said.String(), " is available\n") {
		t.Errorf("retried: %q, %v", said.String(), err)
	}
	eventually(t, "now all are told", func() bool { return s.status(t, refused) == "notification_succeeded" })
	if n := len(box.Mails()); n != 2 {
		t.Errorf("%d mails, want one for each", n)
	}
	nobody := s.recording(t, screen, "active", roles{ada: "administrator"})
	s.saved(t, nobody, screen)
	unreachable := s.recording(t, screen, "active", roles{nemo: "owner"})
	s.saved(t, unreachable, screen)
	eventually(t, "an owner without e-mail counts as told", func() bool { return s.status(t, unreachable) == "notification_succeeded" })
	eventually(t, "somebody hears that there is no owner", func() bool {
		return strings.Contains(s.logs.String(), "No owner found for recording "+nobody.String())
	})
	if got := s.status(t, nobody); got != "saved" || len(box.Mails()) != 2 {
		t.Errorf("without an owner it is %s, %d mails", got, len(box.Mails()))
	}
}

// An owner who went before he could be told keeps no recording open, and those to
// whom he left it are told.
func TestNotifyOwnerWhoWent(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	box, env := mailServer(t, mailbox.Options{Refuse: func(to string) error {
		if down.Load() && strings.HasPrefix(to, "zed") {
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}})
	s := notifying(t, env)
	ada, bob, zed := s.login(t, "ada"), s.login(t, "bob"), s.login(t, "zed")
	for name, c := range map[string]struct {
		went  string
		mails []string
	}{
		"demoted":     {`UPDATE meet_recording_access SET role = 'member' WHERE recording_id = $1 AND user_id = $2`, nil},
		"removed":     {`DELETE FROM meet_recording_access WHERE recording_id = $1 AND user_id = $2`, nil},
		"erased":      {`WITH n AS (DELETE FROM meetd.notice WHERE recording_id = $1 AND recipient = $2) DELETE FROM meet_recording_access WHERE recording_id = $1 AND user_id = $2`, nil},
		"handed over": {`UPDATE meet_recording_access SET user_id = '` + bob.ID.String() + `' WHERE recording_id = $1 AND user_id = $2`, []string{"bob@example.org"}},
	} {
		before := len(box.Mails())
		down.Store(true)
		id := s.recording(t, screen, "active", roles{ada: "owner", zed: "owner"})
		s.saved(t, id, screen)
		eventually(t, name+": one is told, the other is not", func() bool {
			return len(box.Mails()) == before+1 && s.count(t, `SELECT count(*) FROM meetd.river_job WHERE args->>'recording' = $1 AND errors IS NOT NULL`, id) == 1
		})
		s.exec(t, c.went, id, zed.ID)
		down.Store(false)
		eventually(t, name+": all are told", func() bool { return s.status(t, id) == "notification_succeeded" })
		var got []string
		for _, m := range box.Mails()[before+1:] {
			got = append(got, m.To...)
		}
		if !slices.Equal(got, c.mails) {
			t.Errorf("%s: mails to %v, want %v", name, got, c.mails)
		}
	}
}

// While the mail server hangs every event is answered, and nothing is lost: 200
// events of one egress, then those of the store.
func TestNotifyWhileMailHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	box, env := mailServer(t, mailbox.Options{Refuse: func(string) error { <-release; return nil }})
	live, liveEnv := startLiveKit(t)
	s := notifying(t, env, liveEnv)
	ada := s.login(t, "ada")
	room := s.room(t, ada)
	live.open(room.String(), "")
	wantAnswer(t, "start", s.start(t, ada, room, film), 201, "")
	id := s.onlyRecording(t, room).ID
	s.saved(t, id, screen)
	eventually(t, "the mail is under way", func() bool { return strings.Contains(s.jobs(t, "mail_owner"), "running") })
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			e := egressEvent("egress_updated", "EG_"+room.String(), room.String(), "EGRESS_ACTIVE")
			e["id"] = fmt.Sprintf("EV_%d", i)
			wantAnswer(t, "webhook", s.webhook(t, e), 200, "")
		})
	}
	wg.Wait()
	if n := s.count(t, `SELECT count(*) FROM meetd.kept_event WHERE subject = $1 AND applied_at IS NOT NULL`, "EG_"+room.String()); n != 200 {
		t.Errorf("%d of 200 events are written down", n)
	}
	if len(box.Mails()) != 0 {
		t.Error("the mail server did not hang")
	}
	close(release)
	eventually(t, "the owner is told", func() bool { return s.status(t, id) == "notification_succeeded" })
	if n := len(box.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// A transcript goes to the summary service, which tells later how it went.
func TestSummary(t *testing.T) {
	t.Parallel()
	box, mailEnv := mailServer(t, mailbox.Options{})
	sum, env := startSummary(t, "", `{"job_id":"job-1","type":"transcript","status":"pending"}`, `{"job_id":"job-2"}`, `{"job_id":"job-3"}`)
	live, liveEnv := startLiveKit(t)
	liveEnv["METADATA_COLLECTOR_ENABLED"] = "true"
	s := notifying(t, mailEnv, env, liveEnv)
	ada, bob := s.login(t, "ada"), s.login(t, "bob")
	s.exec(t, `UPDATE meet_user SET timezone = 'Europe/Paris', language = 'fr-fr' WHERE id = $1`, bob.ID)
	id := s.recording(t, transcript, "active", roles{ada: "owner"})
	s.exec(t, `INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
		VALUES (gen_random_uuid(), now() + interval '1 minute', now(), '', 'owner', $1, $2)`, id, bob.ID)
	s.exec(t, `UPDATE meet_recording SET options = '{"language":"fr","collect_metadata":true}' WHERE id = $1`, id)
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) {
		return []*lk.EgressInfo{{
			EgressId: "EG_" + id.String(), Status: lk.EgressStatus_EGRESS_COMPLETE,
			FileResults: []*lk.FileInfo{{StartedAt: 1768487400000000000, EndedAt: 1768491000000000000}},
		}}, nil
	}
	live.mu.Unlock()
	s.saved(t, id, transcript)
	// It was away at first, and is asked again.
	eventually(t, "it is handed in", func() bool { return s.status(t, id) == "notification_succeeded" })
	if n := len(sum.calls()); n != 2 {
		t.Fatalf("it was asked %d times", n)
	}
	asked := sum.calls()[1]
	url, _ := asked["cloud_storage_url"].(string)
	docs, _ := asked["push_to_docs_config"].(map[string]any)
	metadata, _ := asked["metadata"].(map[string]any)
	metadataURL, _ := metadata["cloud_storage_url"].(string)
	if asked["user_sub"] != "sub-bob" || asked["user_email"] != "bob@example.org" || asked["language"] != "fr" || asked["context_language"] != "fr-fr" ||
		!strings.HasPrefix(url, nowhere+"/meet-media/recordings/"+id.String()+".ogg?") || !strings.Contains(url, "X-Amz-Expires=86400&") ||
		docs["download_link"] != "https://meet.example.org/recording/"+id.String() || !strings.HasPrefix(fmt.Sprint(docs["title"]), "Réunion") ||
		!strings.Contains(fmt.Sprint(docs["title"]), "2026-01-15 à 15:30") ||
		!strings.HasPrefix(metadataURL, nowhere+"/meet-media/metadata/"+id.String()+"-metadata.json?") || metadata["started_at"] == nil {
		t.Errorf("asked %v", asked)
	}
	if len(box.Mails()) != 0 {
		t.Error("a transcript was mailed")
	}
	for _, c := range []struct{ body, want string }{
		{`{"job_id":"job-1","type":"thumbnail","status":"success"}`, "notification_succeeded"},
		{`{"job_id":"job-1","type":"transcript","status":"pending"}`, "notification_succeeded"},
		{`{"job_id":"job-9","type":"transcript","status":"success"}`, "notification_succeeded"},
		{`{"job_id":"job-1"}`, "notification_succeeded"},
		{`{"job_id":" job-1 ","type":"transcript","status":"failure"}`, "external_process_failed"},
		{`{"job_id":"job-1","type":"transcript","status":"success"}`, "external_process_successful"},
		{`{"job_id":"job-1","type":"transcript","status":"failure","error_code":"unknown_error"}`, "external_process_successful"},
	} {
		wantAnswer(t, c.body, s.processEvent(t, c.body), 200, `{"message":"Event processed."}`)
		if got := s.status(t, id); got != c.want {
			t.Errorf("after %s it is %s, want %s", c.body, got, c.want)
		}
	}
	// The service may tell the end before we have written down what it called the job.
	early := s.recording(t, transcript, "active", roles{ada: "owner"})
	sum.mu.Lock()
	sum.onAsk = func() {
		wantAnswer(t, "early", s.processEvent(t, `{"job_id":"job-2","type":"transcript","status":"success"}`), 200, "")
	}
	sum.mu.Unlock()
	s.saved(t, early, transcript)
	eventually(t, "an early word is kept", func() bool { return s.status(t, early) == "external_process_successful" })
	sum.mu.Lock()
	sum.onAsk = nil
	sum.mu.Unlock()
	// A film goes there too if that was asked for, and is mailed.
	both := s.recording(t, screen, "active", roles{ada: "owner"})
	s.exec(t, `UPDATE meet_recording SET options = '{"transcribe":true}' WHERE id = $1`, both)
	s.saved(t, both, screen)
	eventually(t, "both are told", func() bool { return s.status(t, both) == "notification_succeeded" })
	if len(box.Mails()) != 1 || len(sum.calls()) != 4 {
		t.Errorf("%d mails, %d calls", len(box.Mails()), len(sum.calls()))
	}
	// No call-back makes a recording downloadable.
	s.exec(t, `UPDATE meet_recording SET status = 'aborted', external_process_id = 'job-4' WHERE id = $1`, both)
	wantAnswer(t, "aborted", s.processEvent(t, `{"job_id":"job-4","type":"transcript","status":"success"}`), 200, "")
	if got := s.status(t, both); got != "aborted" {
		t.Errorf("an aborted one became %s", got)
	}
}

// A recording whose egress nobody lived to write down has no times, rather than
// those of another.
func TestSummaryWithoutEgress(t *testing.T) {
	t.Parallel()
	sum, env := startSummary(t, `{"job_id":"job-1"}`)
	live, liveEnv := startLiveKit(t)
	s := notifying(t, env, liveEnv)
	id := s.recording(t, transcript, "active", roles{s.login(t, "ada"): "owner"})
	s.exec(t, `UPDATE meet_recording SET worker_id = NULL WHERE id = $1`, id)
	live.mu.Lock()
	live.onList = func() ([]*lk.EgressInfo, error) {
		return []*lk.EgressInfo{{
			EgressId: "EG_other", Status: lk.EgressStatus_EGRESS_COMPLETE,
			FileResults: []*lk.FileInfo{{StartedAt: 1768487400000000000, EndedAt: 1768491000000000000}},
		}}, nil
	}
	live.mu.Unlock()
	s.saved(t, id, transcript)
	eventually(t, "it is handed in", func() bool { return s.status(t, id) == "notification_succeeded" })
	docs, _ := sum.calls()[0]["push_to_docs_config"].(map[string]any)
	if docs["title"] != "Transcription" {
		t.Errorf("the title is %v", docs["title"])
	}
}

// Without a service a transcript stays saved; with one that never will take it too.
func TestSummaryRefuses(t *testing.T) {
	t.Parallel()
	_, refusing := startSummary(t, `{"status":"no job"}`)
	for name, env := range map[string]map[string]string{"not configured": {}, "no job": refusing} {
		s := notifying(t, env)
		id := s.recording(t, transcript, "active", roles{s.login(t, "ada"): "owner"})
		s.saved(t, id, transcript)
		eventually(t, name, func() bool { return s.jobs(t, "summarize") == "cancelled" })
		if got := s.status(t, id); got != "saved" {
			t.Errorf("%s: it is %s", name, got)
		}
	}
}

// The service can tell that it is asked once more from another try.
func TestSummaryOnceMore(t *testing.T) {
	t.Parallel()
	sum, env := startSummary(t, "", `{"job_id":"job-1"}`, "", `{"job_id":"job-2"}`)
	s := notifying(t, env)
	root := s.root(t, "root")
	id := s.recording(t, transcript, "active", roles{s.login(t, "ada"): "owner"})
	s.saved(t, id, transcript)
	handedIn := func(job string) {
		t.Helper()
		eventually(t, "it is handed in as "+job, func() bool {
			return s.count(t, `SELECT count(*) FROM meet_recording WHERE id = $1 AND external_process_id = $2 AND status = 'notification_succeeded'`, id, job) == 1
		})
	}
	handedIn("job-1")
	got := s.told(t, root, s.submit(t, root, "/admin/core/recording/", url.Values{"action": {"resend_notification"}, "_selected_action": {id.String()}}))
	if !slices.Equal(got, []string{"success: Successfully sent notifications for 1 recording(s)."}) {
		t.Fatalf("resend: %q", got)
	}
	handedIn("job-2")
	sum.mu.Lock()
	defer sum.mu.Unlock()
	if k := sum.keys; len(k) != 4 || k[0] != k[1] || k[1] == k[2] || k[2] != k[3] || !strings.HasPrefix(k[0], id.String()) || !strings.HasPrefix(k[2], id.String()) {
		t.Errorf("keys %q", k)
	}
}

// A job that belongs to another recording is none: it is asked once, and said.
func TestSummaryNamesAnothersJob(t *testing.T) {
	t.Parallel()
	sum, env := startSummary(t, `{"job_id":"job-1"}`)
	s := notifying(t, env)
	ada := s.login(t, "ada")
	first, second := s.recording(t, transcript, "active", roles{ada: "owner"}), s.recording(t, transcript, "active", roles{ada: "owner"})
	s.saved(t, first, transcript)
	eventually(t, "the first is handed in", func() bool { return s.status(t, first) == "notification_succeeded" })
	s.saved(t, second, transcript)
	eventually(t, "the second is given up", func() bool { return s.jobs(t, "summarize") == "completed cancelled" })
	if got := s.status(t, second); got != "saved" || len(sum.calls()) != 2 {
		t.Errorf("it is %s, after %d calls", got, len(sum.calls()))
	}
	if got := s.lines(t, `SELECT errors::text FROM meetd.river_job WHERE kind = 'summarize' AND state = 'cancelled'`); !strings.Contains(got[0], "belongs to another recording") {
		t.Errorf("it says %s", got)
	}
	wantAnswer(t, "call-back", s.processEvent(t, `{"job_id":"job-1","type":"transcript","status":"success"}`), 200, "")
	if a, b := s.status(t, first), s.status(t, second); a != "external_process_successful" || b != "saved" {
		t.Errorf("they are %s and %s", a, b)
	}
}

// longName is the name of nothing: longer than can be stored, or indexed, however
// well it is compressed.
var longName = func() (name string) {
	for range 200 {
		name += rand.Text()
	}
	return name
}()

func TestProcessHookRefusals(t *testing.T) {
	t.Parallel()
	_, env := startSummary(t, "")
	s := notifying(t, env)
	for name, c := range map[string]struct {
		auth, body string
		status     int
		answer     string
	}{
		"no header":    {"", `{}`, 401, `{"detail":"Authorization header is required"}`},
		"wrong token":  {"Bearer x", `{}`, 401, `{"detail":"Invalid token"}`},
		"other hook's": {"Bearer storage-hook-token", `{}`, 401, `{"detail":"Invalid token"}`},
		"no job":       {"Bearer process-token", `{}`, 400, `{"job_id":["This field is required."]}`},
		"null job":     {"Bearer process-token", `{"job_id":null}`, 400, `{"job_id":["This field may not be null."]}`},
		"blank job":    {"Bearer process-token", `{"job_id":" "}`, 400, `{"job_id":["This field may not be blank."]}`},
		"no text":      {"Bearer process-token", `{"job_id":"a","type":[],"status":{}}`, 400, `{"type":["Not a valid string."],"status":["Not a valid string."]}`},
		"long":         {"Bearer process-token", `{"job_id":"` + longName + `","type":"transcript","status":"success"}`, 200, `{"message":"Event processed."}`},
		"NUL":          {"Bearer process-token", `{"job_id":"a\u0000b","type":"transcript","status":"success"}`, 400, `{"job_id":["Null characters are not allowed."]}`},
		"number":       {"Bearer process-token", `{"job_id":7,"type":null,"status":"","more":1}`, 200, `{"message":"Event processed."}`},
	} {
		header := http.Header{"Content-Type": {"application/json"}}
		if c.auth != "" {
			header.Set("Authorization", c.auth)
		}
		got := s.request(t, account{}, http.MethodPost, "/api/v1.0/recordings/external-process-hook/", c.body, header)
		wantAnswer(t, name, got, c.status, c.answer)
		if c.status == 401 && got.Header.Get("Www-Authenticate") != "Bearer realm='External process webhook API'" {
			t.Errorf("%s: challenge %q", name, got.Header.Get("Www-Authenticate"))
		}
	}
	unset := notifying(t, nil)
	wantAnswer(t, "no token configured", unset.processEvent(t, `{}`), 401, `{"detail":"Authentication is enabled but token is not configured."}`)
}

// A store that keeps what is refused offers it for ever, unless it is told to go on.
func TestTolerantStorageHook(t *testing.T) {
	t.Parallel()
	s := notifying(t, map[string]string{"MEETD_STORAGE_EVENT_TOLERANT": "true"})
	ada := s.login(t, "ada")
	id := s.recording(t, screen, "active", roles{ada: "owner"})
	s.saved(t, id, screen)
	const ignored = `{"message":"Notification ignored."}`
	wantAnswer(t, "again", s.storageEvent(t, minioEvent(id.String()+".mp4", "video/mp4")), 200, ignored)
	wantAnswer(t, "unknown", s.storageEvent(t, minioEvent(uuid.NewString()+".mp4", "video/mp4")), 200, ignored)
	aborted := s.recording(t, screen, "aborted", roles{ada: "owner"})
	wantAnswer(t, "aborted", s.storageEvent(t, minioEvent(aborted.String()+".mp4", "video/mp4")), 200, ignored)
	wantAnswer(t, "other bucket", s.storageEvent(t, storageBody("s3:ObjectCreated:Put", "other", "recordings%2F"+id.String()+".mp4", "video/mp4")), 403, "")
	if got := s.status(t, aborted); got != "aborted" {
		t.Errorf("an aborted one became %s", got)
	}
}
