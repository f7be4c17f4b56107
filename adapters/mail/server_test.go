package mail

import (
	"bufio"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"meetd/domain/fault"
)

// hangUp as an answer of a script closes the connection.
const hangUp = ""

// script is a mail server that answers as it is told: by the beginning of what
// is said, or by taking it. The end of a mail is said as ".".
type script struct {
	answers map[string]string

	mu   sync.Mutex
	said []string
	took int // mails
}

// run starts the server.
func (s *script) run(t *testing.T) Config {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			talks.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		talks.Wait()
	})
	return Config{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Timeout: 5 * time.Second, From: "a@b.fr"} //nolint:forcetypeassert // a TCP listener has one
}

func (s *script) talk(c net.Conn) {
	defer func() { _ = c.Close() }()
	in, mail := bufio.NewScanner(c), false
	_, _ = fmt.Fprint(c, "220 here\r\n")
	for in.Scan() {
		if mail = mail && in.Text() != "."; mail {
			continue
		}
		answer := s.answer(in.Text())
		if answer == hangUp {
			return
		}
		_, _ = fmt.Fprint(c, answer, "\r\n")
		mail = strings.HasPrefix(answer, "354")
		if in.Text() == "QUIT" {
			return
		}
	}
}

func (s *script) answer(line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
	answer, usual := "250 yes", true
	switch verb, _, _ := strings.Cut(line, " "); verb {
	case "DATA":
		answer = "354 go on"
	case "QUIT":
		answer = "221 bye"
	}
	for begins, other := range s.answers {
		if strings.HasPrefix(line, begins) {
			answer, usual = other, false
		}
	}
	if line == "." && (usual || answer == hangUp) {
		s.took++
	}
	return answer
}

// heard is what was said, and how many mails were taken.
func (s *script) heard() ([]string, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said), s.took
}

// What a server took is sent, however it behaves before and after.
func TestTaken(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]map[string]string{
		"a server that knows little": {"NOOP": "502 what?", "RSET": "502 what?", "EHLO": "502 what?"},
		"a line that breaks":         {"RSET": hangUp, "QUIT": hangUp},
		"a rude end":                 {"RSET": "554 no", "QUIT": "500 what?"},
		"a busy end":                 {"RSET": "421 busy", "QUIT": "421 busy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: answers}
			c := s.run(t)
			err := New(c).Invite(t.Context(), invitation)
			if said, took := s.heard(); err != nil || took != 1 {
				t.Errorf("%v; %d mails; %v", err, took, said)
			}
			if err := New(c).Check(t.Context()); err != nil {
				t.Errorf("check: %v", err)
			}
		})
	}
}

// What is refused because of the mail or of whom it is for is given up, in so far
// as the same mail to the same people has no hope; anything else is tried again.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers   map[string]string
		one, both error // recipients
	}{
		"nobody of that name":   {map[string]string{"RCPT TO:<a@": "550 who?"}, fault.Invalid, fault.Invalid},
		"come back later":       {map[string]string{"RCPT TO:<a@": "451 later"}, fault.Upstream, fault.Invalid},
		"not so many":           {map[string]string{"RCPT TO:<b@": "452 one is enough"}, nil, fault.Invalid},
		"refused in two ways":   {map[string]string{"RCPT TO:<a@": "550 who?", "RCPT TO:<b@": "451 later"}, fault.Invalid, fault.Invalid},
		"closing":               {map[string]string{"RCPT": "421 closing"}, fault.Upstream, fault.Upstream},
		"a line that breaks":    {map[string]string{"RCPT": hangUp}, fault.Upstream, fault.Upstream},
		"the sender is unknown": {map[string]string{"MAIL": "550 who are you?"}, fault.Upstream, fault.Upstream},
		"log in first":          {map[string]string{"MAIL": "530 log in"}, fault.Upstream, fault.Upstream},
		"no mail at all":        {map[string]string{"EHLO": "554 no", "HELO": "554 no"}, fault.Upstream, fault.Upstream},
		"nothing to be sent":    {map[string]string{"DATA": "554 no valid recipients"}, fault.Invalid, fault.Invalid},
		"no room":               {map[string]string{"DATA": "452 full"}, fault.Upstream, fault.Upstream},
		"taken for spam":        {map[string]string{".": "554 spam"}, fault.Invalid, fault.Invalid},
		"not looked at":         {map[string]string{".": "451 scanner"}, fault.Upstream, fault.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, want := range map[int]error{1: c.one, 2: c.both} {
				s := &script{answers: c.answers}
				i := invitation
				i.To = i.To[:n]
				if err := New(s.run(t)).Invite(t.Context(), i); !errors.Is(err, want) {
					t.Errorf("%d recipients: %v, want %v", n, err, want)
				}
			}
		})
	}
}

// The ways to log in are those of Python's smtplib, one after the other.
func TestLogin(t *testing.T) {
	t.Parallel()
	const (
		cram  = "AUTH CRAM-MD5"
		plain = "AUTH PLAIN AHUAcA=="
		login = "AUTH LOGIN"
	)
	const challenge = "<1896.697170952@postoffice.reston.mci.net>"
	challenged := "334 " + base64.StdEncoding.EncodeToString([]byte(challenge))
	digest := hmac.New(md5.New, []byte("p"))
	digest.Write([]byte(challenge))
	response := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "u %x", digest.Sum(nil)))
	asks := map[string]string{"AUTH LOGIN": "334 VXNlcm5hbWU6", "dQ==": "334 UGFzc3dvcmQ6", "cA==": "235 in"}
	for name, c := range map[string]struct {
		offers  string
		answers map[string]string
		change  func(*Config)
		said    []string // that begins with AUTH, or is an answer
		want    error
	}{
		"by digest":        {"NTLM LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256", map[string]string{cram: challenged, response: "235 in"}, nil, []string{cram, response}, nil},
		"plain":            {"LOGIN PLAIN", map[string]string{plain: "235 in"}, nil, []string{plain}, nil},
		"login":            {"NTLM LOGIN", asks, nil, []string{login, "dQ==", "cA=="}, nil},
		"the second works": {"CRAM-MD5 PLAIN", map[string]string{cram: "504 not after all", plain: "235 in"}, nil, []string{cram, plain}, nil},
		"the third works":  {"LOGIN PLAIN CRAM-MD5", merged(asks, map[string]string{cram: challenged, response: "535 no", plain: "535 no"}), nil, []string{cram, response, plain, login, "dQ==", "cA=="}, nil},
		"none works":       {"PLAIN LOGIN", map[string]string{"AUTH": "535 no"}, nil, []string{plain, login}, fault.Upstream},
		"a line breaks":    {"PLAIN LOGIN", map[string]string{"AUTH": hangUp}, nil, []string{plain}, fault.Upstream},
		"others only":      {"NTLM XOAUTH2", nil, nil, nil, fault.Upstream},
		"no password":      {"PLAIN LOGIN", nil, func(c *Config) { c.Password = "" }, nil, nil},
		"no user":          {"PLAIN LOGIN", nil, func(c *Config) { c.User = "" }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: merged(c.answers, map[string]string{"EHLO": "250-here\r\n250 AUTH " + c.offers})}
			conf := s.run(t)
			conf.User, conf.Password = "u", "p"
			if c.change != nil {
				c.change(&conf)
			}
			err := New(conf).Invite(t.Context(), invitation)
			said, took := s.heard()
			said = slices.DeleteFunc(said, func(line string) bool {
				return !strings.HasPrefix(line, "AUTH") && line != response && !strings.HasSuffix(line, "==")
			})
			if !errors.Is(err, c.want) || !slices.Equal(said, c.said) || (took == 1) != (c.want == nil) {
				t.Errorf("%v, want %v; said %q, want %q; %d mails", err, c.want, said, c.said, took)
			}
		})
	}
}

func merged(a, b map[string]string) map[string]string {
	both := maps.Clone(b)
	maps.Copy(both, a)
	return both
}
