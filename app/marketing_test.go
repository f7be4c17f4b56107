package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/jobs"
)

// brevoAPI stands in for the marketing service: it answers as told, address by
// address, and remembers what it was asked.
type brevoAPI struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // the last one stays; 0 hangs until the caller gives up
	asked   []string
}

func newBrevo(t *testing.T, answers ...int) (*brevoAPI, map[string]string) {
	t.Helper()
	b := &brevoAPI{answers: answers}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		b.asked = append(b.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Api-Key")+" "+string(body))
		status := b.answers[0]
		if len(b.answers) > 1 {
			b.answers = b.answers[1:]
		}
		b.mu.Unlock()
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"code": "some_reason", "message": "about ada@example.org"}`))
	}))
	t.Cleanup(b.Close)
	return b, map[string]string{
		"SIGNUP_NEW_USER_TO_MARKETING_EMAIL": "true", "BREVO_API_KEY": "brevo-key", "BREVO_API_CONTACT_LIST_IDS": "3, 12",
		"MEETD_BREVO_URL": b.URL + "/v3/", "DJANGO_BREVO_API_CONTACT_ATTRIBUTES": "{'VISIO_USER': True, 'nested': {'a': [1, None]}}",
	}
}

func (b *brevoAPI) calls() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

// signUp notes the job the way a login does.
func (s *service) signUp(t *testing.T, account uuid.UUID, commit bool) {
	t.Helper()
	queue, err := jobs.New(s.DB, jobs.Config{Workers: 1, Reconcile: time.Hour}, jobs.Services{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := s.DB.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	noted, flush := queue.Outbox()
	begun := func(context.Context) (pgx.Tx, error) { return tx, nil }
	if err := errors.Join(noted.SignUpForMarketing(t.Context(), account), flush(t.Context(), begun)); err != nil {
		t.Fatal(err)
	}
	if !commit {
		err = tx.Rollback(t.Context())
	} else {
		err = tx.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// signups are the jobs: state, attempts of how many, arguments, and whether the
// errors tell a reason and nothing else.
func (s *service) signups(t *testing.T) string {
	t.Helper()
	var all string
	if err := s.DB.QueryRow(t.Context(), `SELECT coalesce(string_agg(concat_ws(' ', state, attempt || '/' || max_attempts, args, errors::text), '; ' ORDER BY id), '')
		FROM meetd.river_job WHERE kind = 'marketing_signup'`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMarketingSignUp(t *testing.T) {
	t.Parallel()
	b, env := newBrevo(t, http.StatusCreated)
	s := startService(t, env)
	ada, ghost, empty, gone := s.login(t, "ada"), s.login(t, "ghost"), s.login(t, "empty"), uuid.New()
	s.exec(t, `UPDATE meet_user SET email = NULL WHERE id = $1`, ghost.ID)
	s.exec(t, `UPDATE meet_user SET email = '' WHERE id = $1`, empty.ID)
	s.signUp(t, ada.ID, false)
	for _, id := range []uuid.UUID{gone, ghost.ID, empty.ID, ada.ID} {
		s.signUp(t, id, true)
	}
	want := ""
	for _, id := range []uuid.UUID{gone, ghost.ID, empty.ID, ada.ID} {
		want += `; completed 1/10 {"account": "` + id.String() + `"}`
	}
	eventually(t, "the jobs are done", func() bool { return s.signups(t) == want[2:] })
	body := `{"email":"ada@example.org","attributes":{"VISIO_SOURCE":["SIGNIN"],"VISIO_USER":true,"nested":{"a":[1,null]}},"listIds":[3,12],"updateEnabled":true}`
	if got := b.calls(); len(got) != 1 || got[0] != "POST /v3/contacts brevo-key "+body {
		t.Errorf("asked %q", got)
	}
}

func TestMarketingFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []int
		state   string // of the job in the end
		reason  string
		calls   int
	}{
		"refused":     {[]int{400}, "cancelled 1/10", "400 (some_reason)", 1},
		"wrong key":   {[]int{401, 201}, "completed 2/10", "401 (some_reason)", 2},
		"later":       {[]int{503, 201}, "completed 2/10", "503 (some_reason)", 2},
		"hanging":     {[]int{0, 201}, "completed 2/10", "Client.Timeout", 2},
		"then refuse": {[]int{429, 400}, "cancelled 2/10", "429 (some_reason)", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, env := newBrevo(t, c.answers...)
			s := startService(t, env)
			s.signUp(t, s.login(t, "lovelace").ID, true) // ids have no l
			eventually(t, "the job is over", func() bool { return strings.HasPrefix(s.signups(t), c.state) })
			job := s.signups(t)
			if !strings.Contains(job, c.reason) || !strings.Contains(job, "Failed to create contact in Brevo") ||
				strings.Contains(job, "lovelace") || strings.Contains(job, "brevo-key") {
				t.Errorf("job: %s", job)
			}
			if got := b.calls(); len(got) != c.calls {
				t.Errorf("asked %q", got)
			}
		})
	}
}

// It is tried a bounded number of times, and not at all once it is turned off.
func TestMarketingGivesUp(t *testing.T) {
	t.Parallel()
	b, env := newBrevo(t, http.StatusInternalServerError)
	s := startService(t, env)
	const last = `INSERT INTO meetd.river_job (args, kind, max_attempts, attempt) VALUES (jsonb_build_object('account', $1::uuid), 'marketing_signup', 10, 9)`
	s.exec(t, last, s.login(t, "ada").ID)
	eventually(t, "the job is given up", func() bool { return strings.HasPrefix(s.signups(t), "discarded 10/10") })
	if got := b.calls(); len(got) != 1 {
		t.Errorf("asked %q", got)
	}
	for variable, value := range map[string]string{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL": "false", "BREVO_API_KEY": "", "BREVO_API_CONTACT_LIST_IDS": ""} {
		b, env := newBrevo(t, http.StatusCreated)
		env[variable] = value
		s := startService(t, env)
		s.signUp(t, s.login(t, "ada").ID, true)
		eventually(t, "the job is forgotten", func() bool { return strings.HasPrefix(s.signups(t), "completed 1/10") })
		if got := b.calls(); len(got) != 0 {
			t.Errorf("without %s: asked %q", variable, got)
		}
	}
}

// Only the first login of somebody with an e-mail signs him up, and a service
// that hangs is not waited for.
func TestMarketingAfterLogin(t *testing.T) {
	t.Parallel()
	b, env := newBrevo(t, 0)
	s := signIn(t, env, person("nomail", map[string]any{"email": nil}), person("known", nil))
	s.addUser(t, "sub-known", "known@example.org")
	for _, name := range []string{"ada", "ada", "nomail", "known"} {
		if resp := s.visitor(t).login("", name); resp.Header.Get("Location") != in {
			t.Errorf("%s: %d to %s", name, resp.StatusCode, resp.Header.Get("Location"))
		}
	}
	if n := s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'marketing_signup'`); n != 1 {
		t.Errorf("%d sign-ups, want ada's", n)
	}
	eventually(t, "the service is asked", func() bool { return len(b.calls()) > 0 })
	if got := b.calls()[0]; !strings.Contains(got, `"email":"ada@example.org"`) {
		t.Errorf("asked %s", got)
	}
	off := signIn(t, nil)
	off.visitor(t).login("", "ada")
	if n := off.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'marketing_signup'`); n != 0 {
		t.Errorf("switched off, yet %d sign-ups", n)
	}
}
