package app_test

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"meetd/adapters/devstack/mailbox"
)

func mailServer(t *testing.T, o mailbox.Options) (*mailbox.Server, map[string]string) {
	t.Helper()
	box, err := mailbox.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return box, map[string]string{
		"DJANGO_EMAIL_HOST": box.Host, "DJANGO_EMAIL_PORT": strconv.Itoa(box.Port), "DJANGO_EMAIL_FROM": "noreply@meet.example.org",
		"DJANGO_EMAIL_BRAND_NAME": "Meet", "DJANGO_EMAIL_DOMAIN": "meet.example.org", "DJANGO_EMAIL_APP_BASE_URL": "https://meet.example.org",
	}
}

// An invitation reaches everybody once, in the language of who sent it, and is
// tried again while the server cannot take it.
func TestInvite(t *testing.T) {
	t.Parallel()
	attempts := 0
	box, env := mailServer(t, mailbox.Options{Refuse: func(to string) error {
		if to == "later@example.org" && attempts < 1 {
			attempts++
			return &smtp.SMTPError{Code: 451, Message: "later"}
		}
		return nil
	}})
	s := startService(t, env)
	ada := s.login(t, "ada")
	path := "/api/v1.0/rooms/" + s.room(t, ada).String() + "/invite/"
	for i, c := range []struct {
		header  http.Header
		body    string
		to      []string
		subject string
	}{
		{nil, `{"emails":["b@example.org","a@example.org","b@example.org"]}`, []string{"a@example.org", "b@example.org"}, "Video call in progress: ada@example.org is waiting for you to connect"},
		{nil, `{"emails":["Toto@example.org","toto@example.org"]}`, []string{"Toto@example.org", "toto@example.org"}, "Video call in progress: ada@example.org is waiting for you to connect"},
		{http.Header{"Accept-Language": {"it, fr-CH;q=0.9, en;q=0.8"}}, `{"emails":["c@example.org"]}`, []string{"c@example.org"}, "Appel vidéo en cours : ada@example.org attend que vous vous connectiez"},
		{http.Header{"Accept-Language": {"fr"}, "Cookie": {"django_language=de-de"}}, `{"emails":["d@example.org"]}`, []string{"d@example.org"}, "Videoanruf läuft: ada@example.org wartet auf Sie"},
		{http.Header{"Accept-Language": {"%%%"}}, `{"emails":["later@example.org"]}`, []string{"later@example.org"}, "Video call in progress: ada@example.org is waiting for you to connect"},
	} {
		header := http.Header{"Content-Type": {"application/json"}, "X-Csrftoken": {token}, "Accept-Language": c.header["Accept-Language"]}
		cookies := "csrftoken=" + token + "; " + s.cookie + "=" + ada.Secret
		if more := c.header.Get("Cookie"); more != "" {
			cookies += "; " + more
		}
		header.Set("Cookie", cookies)
		got := s.request(t, account{}, http.MethodPost, path, c.body, header)
		if got.Status != 200 || string(got.Body) != `{"status":"success","message":"invitations sent"}` {
			t.Fatalf("%s: %d %s", c.body, got.Status, got.Body)
		}
		eventually(t, c.body, func() bool { return len(box.Mails()) == i+1 })
		m := box.Mails()[i]
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil || subject != c.subject || !slices.Equal(m.To, c.to) || m.From != "noreply@meet.example.org" {
			t.Errorf("%q to %v from %s, %v; want %q to %v", subject, m.To, m.From, err, c.subject, c.to)
		}
	}
}

// Addresses that the server refuses, for good or for now, do not keep the others
// away.
func TestInviteRefused(t *testing.T) {
	t.Parallel()
	var later atomic.Int32
	box, env := mailServer(t, mailbox.Options{Refuse: func(to string) error {
		switch {
		case strings.HasPrefix(to, "gone"):
			return &smtp.SMTPError{Code: 550, Message: "no such user"}
		case strings.HasPrefix(to, "later") && later.Add(1) <= 2:
			return &smtp.SMTPError{Code: 451, Message: "come back"}
		}
		return nil
	}})
	s := startService(t, env)
	ada := s.login(t, "ada")
	path := "/api/v1.0/rooms/" + s.room(t, ada).String() + "/invite/"
	for i, c := range []struct {
		to   string
		want []string
	}{
		{`"a@example.org","gone@example.org","b@example.org"`, []string{"a@example.org", "b@example.org"}},
		{`"c@example.org","later@example.org"`, []string{"c@example.org", "later@example.org"}},
		{`"gone2@example.org","gone3@example.org","d@example.org"`, []string{"d@example.org"}},
	} {
		before := len(box.Mails())
		wantAnswer(t, "invite", s.write(t, ada, path, `{"emails":[`+c.to+`]}`), 200, "")
		eventually(t, "the others get one each", func() bool { return len(box.Mails()) == before+len(c.want) })
		var got []string
		for _, m := range box.Mails()[before:] {
			got = append(got, m.To...)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%d: mails to %v, want %v", i, got, c.want)
		}
	}
	eventually(t, "the bad ones are given up", func() bool {
		return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'invite' AND state = 'cancelled'`) == 3
	})
}

// What waited for more than an hour is not sent any more: the call is over. What
// was split stays as old as it was.
func TestInviteTooLate(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	full.Store(true)
	box, env := mailServer(t, mailbox.Options{Refuse: func(string) error {
		if full.Load() {
			return &smtp.SMTPError{Code: 452, Message: "full"}
		}
		return nil
	}})
	s := startService(t, env)
	ada := s.login(t, "ada")
	path := "/api/v1.0/rooms/" + s.room(t, ada).String() + "/invite/"
	failed := func(n int) func() bool {
		return func() bool {
			return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'invite' AND cardinality(errors) > 0`) == n
		}
	}
	wantAnswer(t, "one", s.write(t, ada, path, `{"emails":["a@example.org"]}`), 200, "")
	wantAnswer(t, "two", s.write(t, ada, path, `{"emails":["b@example.org","c@example.org"]}`), 200, "")
	eventually(t, "none is taken", failed(3))
	s.shiftClock(61 * time.Minute)
	full.Store(false)
	late := func(n int) func() bool {
		return func() bool {
			return s.count(t, `SELECT count(*) FROM meetd.river_job WHERE kind = 'invite' AND state = 'cancelled'
				AND errors[cardinality(errors)]->>'error' LIKE '%more than an hour ago%'`) == n
		}
	}
	eventually(t, "all are given up", late(3))

	const older = `INSERT INTO meetd.river_job (kind, queue, args, max_attempts, created_at)
		VALUES ('invite', 'mail', '{"to":["d@example.org"],"language":"en-us","sender":"ada@example.org","slug":"x"}', 1, now() + $1::interval)`
	s.exec(t, older, "0 min")
	eventually(t, "a job without a time is as old as itself", late(4))
	s.exec(t, older, "10 min")
	eventually(t, "one that was noted 51 minutes ago is sent", func() bool { return len(box.Mails()) == 1 })
}

// Nobody can flood others with invitations, and a silent mail server makes
// nobody wait.
func TestInviteThrottle(t *testing.T) {
	t.Parallel()
	s := startService(t, map[string]string{
		"MEETD_INVITATION_THROTTLE_RATES": "2/hour", "DJANGO_EMAIL_HOST": "127.0.0.1", "DJANGO_EMAIL_PORT": "1",
	})
	ada, abe := s.login(t, "ada"), s.login(t, "abe")
	room := s.room(t, ada)
	s.role(t, room, abe, "administrator")
	path := "/api/v1.0/rooms/" + room.String() + "/invite/"
	for i, want := range []int{200, 200, 429} {
		got := s.write(t, ada, path, `{"emails":["a@example.org"]}`)
		if got.Status != want || (want == 429) != (got.Header.Get("Retry-After") != "") {
			t.Errorf("invitation %d: %d %s", i, got.Status, got.Body)
		}
	}
	wantAnswer(t, "another sender", s.write(t, abe, path, `{"emails":["a@example.org"]}`), 200, "")
}
