package mail

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"meetd/adapters/devstack/mailbox"
	"meetd/domain/fault"
	"meetd/ports"
)

var began = time.Date(2026, 7, 5, 14, 30, 0, 0, time.UTC)

func ready(t *testing.T, zone string) ports.RecordingReady {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return ports.RecordingReady{
		To: "ada@example.org", Language: "en-us", Room: "Weekly <b>", At: began.In(loc),
		Link: "https://meet.example.org/recording/46d1a121-2426-484d-8fb3-09b5d886f7a8", ExpirationDays: 7,
	}
}

func flat(s string) string { return strings.ReplaceAll(s, "\r", "") }

// The whole mail, so that neither the frame nor the order of its parts changes
// unseen.
func TestRecordingReady(t *testing.T) {
	t.Parallel()
	box, c := start(t, mailbox.Options{})
	if err := New(c).RecordingReady(t.Context(), ready(t, "Europe/Paris")); err != nil {
		t.Fatal(err)
	}
	mails := box.Mails()
	if len(mails) != 1 || !slices.Equal(mails[0].To, []string{"ada@example.org"}) || mails[0].From != "noreply@meet.example.org" {
		t.Fatalf("%+v", mails)
	}
	m := mails[0]
	if subject(t, m) != "Your recording is ready" || m.Header.Get("To") != "<ada@example.org>" || m.Header.Get("Bcc") != "" {
		t.Errorf("headers %v", m.Header)
	}
	plain, html := bodies(t, m)
	const want = `Your recording is ready!

What you recorded in “Weekly <b>” on 2026-07-05 at 16:30 can now be downloaded.
The file stays for 7 days; after that it is gone.
The link works for the organizers of the meeting only.

How to keep it:
- Open the link below and log in.
- Download the file.
- Save it in a place of your own, from where you can share it.

Open: https://meet.example.org/recording/46d1a121-2426-484d-8fb3-09b5d886f7a8

Questions? Write to help@example.org

Thank you for using Meet <&>
https://meet.example.org/logo.png
`
	if flat(plain) != want {
		t.Errorf("plain:\n%s", plain)
	}
	for _, want := range []string{
		"<title>Meet &lt;&amp;&gt;</title>", `<img src="https://meet.example.org/logo.png"`, "Your recording is ready!</h1>", "“Weekly &lt;b&gt;” on 2026-07-05 at 16:30",
		"for 7 days", "organizers", "<li>Download the file.</li>", `href="mailto:help@example.org"`, ">Open</a>",
		`<a href="https://meet.example.org/recording/46d1a121-2426-484d-8fb3-09b5d886f7a8"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("HTML lacks %q: %s", want, html)
		}
	}
}

// What is not configured leaves no gap that would show.
func TestRecordingReadyWithoutExtras(t *testing.T) {
	t.Parallel()
	box, c := start(t, mailbox.Options{})
	c.Support, c.Logo = "", ""
	for days, want := range map[int]string{0: "", -3: "", 1: "for 1 day;"} {
		r := ready(t, "America/Phoenix")
		r.ExpirationDays = days
		if err := New(c).RecordingReady(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		mails := box.Mails()
		plain, html := bodies(t, mails[len(mails)-1])
		for _, text := range []string{plain, html} {
			if strings.Contains(text, "stays") != (want != "") || !strings.Contains(text, want) || !strings.Contains(text, "at 07:30") {
				t.Errorf("%d days: %s", days, text)
			}
			if strings.Contains(text, "Questions") || strings.Contains(text, "mailto") || strings.Contains(text, "<img") {
				t.Errorf("help or a logo, and there is none: %s", text)
			}
		}
	}
}

func TestRecordingReadyLanguages(t *testing.T) {
	t.Parallel()
	box, c := start(t, mailbox.Options{})
	for language, want := range map[string][4]string{
		"en-us": {"Your recording is ready", "Your recording is ready!", "Open", "7 days"},
		"fr-fr": {"Votre enregistrement est prêt", "Votre enregistrement est prêt !", "Ouvrir", "7 jours"},
		"nl-nl": {"Je opname is klaar", "Je opname is klaar!", "Openen", "7 dagen"},
		"de-de": {"Ihre aufzeichnung ist bereit", "Ihre Aufzeichnung ist fertig!", "Öffnen", "7 Tage"},
		"DE":    {"Ihre aufzeichnung ist bereit", "Ihre Aufzeichnung ist fertig!", "Öffnen", "7 Tage"},
		"it-it": {"Your recording is ready", "Your recording is ready!", "Open", "7 days"},
		"":      {"Your recording is ready", "Your recording is ready!", "Open", "7 days"},
	} {
		r := ready(t, "Europe/Amsterdam")
		r.Language = language
		if err := New(c).RecordingReady(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		mails := box.Mails()
		m := mails[len(mails)-1]
		plain, html := bodies(t, m)
		if got := subject(t, m); got != want[0] {
			t.Errorf("%s: subject %q, want %q", language, got, want[0])
		}
		for _, part := range []string{want[1], want[3], "2026-07-05", "16:30", "help@example.org"} {
			if !strings.Contains(plain, part) || !strings.Contains(html, part) {
				t.Errorf("%s lacks %q: %s", language, part, plain)
			}
		}
		if !strings.Contains(flat(plain), "\n"+want[2]+": https://") || !strings.Contains(html, ">"+want[2]+"</a>") {
			t.Errorf("%s: the button does not say %s: %s", language, want[2], plain)
		}
		if strings.Contains(plain, "%!") {
			t.Errorf("%s: %s", language, plain)
		}
	}
}

// Whatever stands in a value, it adds no header, no recipient and no paragraph.
func TestRecordingReadyInjection(t *testing.T) {
	t.Parallel()
	box, c := start(t, mailbox.Options{})
	r := ready(t, "UTC")
	r.Room, r.Link = "Weekly\r\n\r\nPay here:\x0bhttps://evil.example\u2028<script>", "javascript:alert(1)"
	if err := New(c).RecordingReady(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	m := box.Mails()[0]
	plain, html := bodies(t, m)
	if !strings.Contains(plain, "“Weekly Pay here: https://evil.example <script>” on") {
		t.Errorf("plain: %s", plain)
	}
	if strings.Contains(html, "<script>") || strings.Contains(html, `href="javascript`) {
		t.Errorf("HTML: %s", html)
	}
	for _, to := range []string{"", "a@example.org, eve@evil.com", "a@example.org\r\nBcc: eve@evil.com", "a@example.org>\r\nRCPT TO:<eve@evil.com"} {
		r := ready(t, "UTC")
		r.To = to
		if err := New(c).RecordingReady(t.Context(), r); !errors.Is(err, fault.Invalid) || len(box.Mails()) != 1 {
			t.Errorf("to %q: %v, %d mails", to, err, len(box.Mails()))
		}
	}
}

func TestRecordingReadyRefused(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]error{550: fault.Invalid, 450: fault.Upstream} {
		box, c := start(t, mailbox.Options{Refuse: func(string) error { return &smtp.SMTPError{Code: code, Message: "no"} }})
		if err := New(c).RecordingReady(t.Context(), ready(t, "UTC")); !errors.Is(err, want) || len(box.Mails()) != 0 {
			t.Errorf("%d: %v, want %v", code, err, want)
		}
	}
}
