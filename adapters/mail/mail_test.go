package mail

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"meetd/adapters/devstack/mailbox"
	"meetd/domain/fault"
	"meetd/ports"
)

func start(t *testing.T, o mailbox.Options) (*mailbox.Server, Config) {
	t.Helper()
	box, err := mailbox.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return box, Config{
		Host: box.Host, Port: box.Port, Roots: box.Roots, Timeout: 10 * time.Second, From: "Meet <noreply@meet.example.org>",
		Brand: "Meet <&>", Support: "help@example.org", Logo: "https://meet.example.org/logo.png", Domain: "meet.example.org", BaseURL: "https://meet.example.org",
	}
}

var invitation = ports.Invitation{To: []string{"a@example.org", "b@example.org"}, Language: "en-us", Sender: "ada@example.org", Slug: "abc-defg-hij"}

// bodies are the plain and the HTML part.
func bodies(t *testing.T, m mailbox.Mail) (plain, html string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %s: %v", m.Header.Get("Content-Type"), err)
	}
	parts := map[string]string{}
	for r := multipart.NewReader(bytes.NewReader(m.Body), params["boundary"]); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = p
		switch strings.ToLower(p.Header.Get("Content-Transfer-Encoding")) {
		case "quoted-printable":
			body = quotedprintable.NewReader(p)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, p)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		parts[kind] = string(text)
	}
	return parts["text/plain"], parts["text/html"]
}

func subject(t *testing.T, m mailbox.Mail) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// One message for all, who do not see each other, in plain and HTML.
func TestInvitation(t *testing.T) {
	t.Parallel()
	box, c := start(t, mailbox.Options{})
	if err := New(c).Invite(t.Context(), invitation); err != nil {
		t.Fatal(err)
	}
	mails := box.Mails()
	if len(mails) != 1 || !slices.Equal(mails[0].To, invitation.To) || mails[0].From != "noreply@meet.example.org" {
		t.Fatalf("%+v", mails)
	}
	m := mails[0]
	if got := subject(t, m); got != "Video call in progress: ada@example.org is waiting for you to connect" {
		t.Errorf("subject %q", got)
	}
	if m.Header.Get("To") != "" || m.Header.Get("Bcc") != "" || m.Header.Get("From") != `"Meet" <noreply@meet.example.org>` || m.Header.Get("Date") == "" || m.Header.Get("Message-Id") == "" {
		t.Errorf("headers %v", m.Header)
	}
	plain, html := bodies(t, m)
	for _, want := range []string{"ada@example.org invites you to join", "https://meet.example.org/abc-defg-hij", "\nmeet.example.org/abc-defg-hij", "Meet <&>", "https://meet.example.org/logo.png"} {
		if !strings.Contains(strings.ReplaceAll(plain, "\r", ""), want) {
			t.Errorf("plain lacks %q: %s", want, plain)
		}
	}
	for _, want := range []string{`href="https://meet.example.org/abc-defg-hij"`, `href="mailto:ada@example.org"`, "JOIN THE CALL", "Meet &lt;&amp;&gt;", `src="https://meet.example.org/logo.png"`} {
		if !strings.Contains(html, want) {
			t.Errorf("HTML lacks %q: %s", want, html)
		}
	}
}

// A logo may be in the mail itself; what else an address may do, it does not.
func TestLogo(t *testing.T) {
	t.Parallel()
	for logo, want := range map[string]struct{ plain, html string }{
		"https://meet.example.org/l.png?a=1&b=2": {"\nhttps://meet.example.org/l.png?a=1&b=2\n", `src="https://meet.example.org/l.png?a=1&amp;b=2"`},
		"data:image/png;base64,iVBORw0KGgo=":     {"\n\n", `src="data:image/png;base64,iVBORw0KGgo="`},
		"DATA:image/svg+xml,<svg/>\"x":           {"\n\n", `src="DATA:image/svg&#43;xml,%3csvg/%3e%22x"`},
		"javascript:alert(1)":                    {"\njavascript:alert(1)\n", `src="#ZgotmplZ"`},
		"data:text/html,x":                       {"\ndata:text/html,x\n", `src="#ZgotmplZ"`},
		"":                                       {"\n\n", ""},
	} {
		l, err := Config{Brand: "Meet", Logo: logo}.invitation(invitation)
		if err != nil {
			t.Fatal(err)
		}
		if logo == "" {
			if strings.Contains(l.html, "<img") {
				t.Errorf("a logo from nowhere: %s", l.html)
			}
		} else if !strings.Contains(l.html, want.html) {
			t.Errorf("%s: HTML lacks %s: %s", logo, want.html, l.html)
		}
		if !strings.HasSuffix(l.plain, "Thank you for using Meet"+want.plain) {
			t.Errorf("%s: plain ends %q", logo, l.plain[max(0, len(l.plain)-80):])
		}
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	box, c := start(t, mailbox.Options{})
	for language, want := range map[string][2]string{
		"fr-fr": {"Appel vidéo en cours : ada@example.org", "vous invite"}, "nl-nl": {"Videogesprek bezig: ada@example.org", "nodigt je uit"},
		"de-de": {"Videoanruf läuft: ada@example.org", "lädt Sie"}, "it-it": {"Video call in progress: ada@example.org", "invites you"}, "": {"Video call", "invites you"},
	} {
		i := invitation
		i.Language = language
		if err := New(c).Invite(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		mails := box.Mails()
		m := mails[len(mails)-1]
		plain, html := bodies(t, m)
		if !strings.HasPrefix(subject(t, m), want[0]) || !strings.Contains(plain, want[1]) || !strings.Contains(html, want[1]) {
			t.Errorf("%s: %s: %s", language, subject(t, m), plain)
		}
	}
	for short, texts := range commons {
		if texts.Language != short || strings.Count(invitations[short].Subject, "%s") != 1 || readies[short].Title == "" {
			t.Errorf("%s: %+v", short, texts)
		}
	}
	if len(invitations) != len(commons) || len(readies) != len(commons) {
		t.Error("a language lacks a mail")
	}
}

// Whatever stands in a value, it adds no header and no recipient.
func TestInjection(t *testing.T) {
	t.Parallel()
	box, c := start(t, mailbox.Options{})
	i := invitation
	i.Sender, i.Slug = "ada@example.org\r\nBcc: eve@evil.com\r\n\r\nbody", "<script>"
	if err := New(c).Invite(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	m := box.Mails()[0]
	if m.Header.Get("Bcc") != "" || len(m.To) != 2 {
		t.Errorf("%v to %v", m.Header, m.To)
	}
	if _, html := bodies(t, m); strings.Contains(html, "<script>") {
		t.Errorf("HTML: %s", html)
	}
	i = invitation
	i.To = []string{"a@example.org\r\nRCPT TO:<eve@evil.com>"}
	if err := New(c).Invite(t.Context(), i); !errors.Is(err, fault.Invalid) || len(box.Mails()) != 1 {
		t.Errorf("an address with a line break: %v", err)
	}
}

// The ways to the server, and what it may answer.
func TestServers(t *testing.T) {
	t.Parallel()
	refuse := func(code int) func(string) error {
		return func(to string) error {
			if to == "b@example.org" {
				return &smtp.SMTPError{Code: code, Message: "no"}
			}
			return nil
		}
	}
	for name, c := range map[string]struct {
		server mailbox.Options
		change func(*Config)
		want   error
	}{
		"plain":                {mailbox.Options{}, func(*Config) {}, nil},
		"plain with login":     {mailbox.Options{User: "u", Password: "p"}, func(c *Config) { c.User, c.Password = "u", "p" }, nil},
		"STARTTLS":             {mailbox.Options{STARTTLS: true, User: "u", Password: "p"}, func(c *Config) { c.STARTTLS, c.User, c.Password = true, "u", "p" }, nil},
		"TLS":                  {mailbox.Options{TLS: true}, func(c *Config) { c.TLS = true }, nil},
		"TLS with login":       {mailbox.Options{TLS: true, User: "u", Password: "p"}, func(c *Config) { c.TLS, c.User, c.Password = true, "u", "p" }, nil},
		"wrong password":       {mailbox.Options{User: "u", Password: "p"}, func(c *Config) { c.User, c.Password = "u", "x" }, fault.Upstream},
		"no STARTTLS there":    {mailbox.Options{}, func(c *Config) { c.STARTTLS = true }, fault.Upstream},
		"unknown authority":    {mailbox.Options{TLS: true}, func(c *Config) { c.TLS, c.Roots = true, nil }, fault.Upstream},
		"one refused for good": {mailbox.Options{Refuse: refuse(550)}, func(*Config) {}, fault.Invalid},
		"one refused for now":  {mailbox.Options{Refuse: refuse(452)}, func(*Config) {}, fault.Invalid},
		"nobody listens":       {mailbox.Options{}, func(c *Config) { c.Port = 1 }, fault.Upstream},
		"plain to a TLS one":   {mailbox.Options{TLS: true}, func(c *Config) { c.Timeout = time.Second }, fault.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box, conf := start(t, c.server)
			c.change(&conf)
			err := New(conf).Invite(t.Context(), invitation)
			if !errors.Is(err, c.want) || (c.want == nil) != (len(box.Mails()) == 1) {
				t.Errorf("%v, want %v; %d mails", err, c.want, len(box.Mails()))
			}
		})
	}
}

// A server that says nothing is left after its time.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := Config{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Timeout: 100 * time.Millisecond, From: "a@b.fr"} //nolint:forcetypeassert // a TCP listener has one
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := New(c).Invite(ctx, invitation); !errors.Is(err, fault.Upstream) || ctx.Err() != nil {
		t.Errorf("%v, %v", err, ctx.Err())
	}
}
