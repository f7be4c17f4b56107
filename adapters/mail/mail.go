package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/wneessen/go-mail"

	"meetd/domain/fault"
	"meetd/ports"
	"meetd/ports/discreet"
)

// Config says which server takes the mails and what is the same in all of them
// (settings.md, E-mail).
type Config struct {
	Host     string
	Port     int    // 0: the usual one
	User     string // logs in, if there is a password too
	Password string
	STARTTLS bool
	TLS      bool           // from the first byte on
	Roots    *x509.CertPool // nil: those of the system
	Timeout  time.Duration  // of one mail

	From    string
	Brand   string
	Logo    string // URL, also one with data:; empty: none
	Support string // address that helps; empty: none
	Domain  string // beginning of the link that people read
	BaseURL string // beginning of the link that people click
}

// closing is the code with which a server ends the talk for now, whatever was
// asked.
const closing = 421

// Sender sends mail.
type Sender struct{ c Config }

var _ ports.Mailer = (*Sender)(nil)

// New prepares a sender; it does not connect.
func New(c Config) *Sender { return &Sender{c} }

// Invite sends an invitation.
func (s *Sender) Invite(ctx context.Context, i ports.Invitation) error {
	l, err := s.c.invitation(i)
	if err != nil {
		return err
	}
	return s.post(ctx, l, func(m *mail.Msg) error { return m.Bcc(i.To...) })
}

// RecordingReady tells an owner of a recording where it is.
func (s *Sender) RecordingReady(ctx context.Context, r ports.RecordingReady) error {
	l, err := s.c.recordingReady(r)
	if err != nil {
		return err
	}
	return s.post(ctx, l, func(m *mail.Msg) error { return m.To(r.To) })
}

// post sends a letter to whom address names.
func (s *Sender) post(ctx context.Context, l letter, address func(*mail.Msg) error) error {
	m := mail.NewMsg()
	if err := m.From(s.c.From); err != nil {
		return fmt.Errorf("DJANGO_EMAIL_FROM: %w", err)
	}
	if err := address(m); err != nil {
		return fault.Wrap(fault.Invalid, "mail", err)
	}
	m.Subject(l.subject)
	m.SetBodyString(mail.TypeTextPlain, l.plain)
	m.AddAlternativeString(mail.TypeTextHTML, l.html)
	return s.send(ctx, m)
}

// Check logs in at the mail server and leaves again.
func (s *Sender) Check(ctx context.Context) error {
	err := s.connect(ctx, func(ctx context.Context, client *mail.Client) error {
		if err := client.DialWithContext(ctx); err != nil {
			return err
		}
		_ = client.Close() // whatever it says to that, it let us in
		return nil
	})
	if err != nil {
		return fmt.Errorf("the mail server: %w", err)
	}
	return nil
}

// send hands m over. What a server says to the end of the talk, or that it says
// nothing, does not undo that it took the mail.
func (s *Sender) send(ctx context.Context, m *mail.Msg) error {
	m.SetDate()
	m.SetMessageID()
	err := s.connect(ctx, func(ctx context.Context, client *mail.Client) error {
		return client.DialAndSendWithContext(ctx, m)
	})
	if err == nil || m.IsDelivered() {
		return nil
	}
	said := discreet.Text(err.Error()) // it names the recipients
	var refused *mail.SendError
	if errors.As(err, &refused) && hopeless(refused, len(m.GetBccString()) > 1) {
		return fault.Wrap(fault.Invalid, "mail", errors.New("the mail server refused a mail: "+said))
	}
	return fault.Wrap(fault.Upstream, "mail", errors.New("send mail: "+said))
}

// hopeless tells whether the server will never take the mail as it is: because
// of what it says, or of a recipient. One of several who is refused for now keeps
// the mail from the others, so it is hopeless to ask for all of them again. What
// a server says about the sender, or about itself, can be put right.
func hopeless(refused *mail.SendError, several bool) bool {
	code := refused.ErrorCode()
	switch refused.Reason { //nolint:exhaustive // the others are nothing that a server said of this mail
	case mail.ErrSMTPRcptTo:
		return code >= 500 || several && code >= 400 && code != closing
	case mail.ErrSMTPData, mail.ErrSMTPDataClose:
		return code >= 500
	}
	return false
}

// connect gives do a client that has not connected yet, once for each login that
// the server refuses. The library leaves connections open that begin or end badly.
func (s *Sender) connect(ctx context.Context, do func(context.Context, *mail.Client) error) error {
	opts, l := s.c.options(), newLogin(s.c)
	if s.c.User != "" && s.c.Password != "" {
		opts = append(opts, mail.WithSMTPAuthCustom(l))
	}
	var conn net.Conn
	opts = append(opts, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		conn, err = s.c.dial(ctx, network, address)
		return conn, err
	}))
	client, err := mail.NewClient(s.c.Host, opts...)
	if err != nil {
		return fmt.Errorf("SMTP: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	for {
		err = do(ctx, client)
		if conn != nil {
			_ = conn.Close()
		}
		if err == nil || !l.again(err) {
			return err
		}
	}
}

// dial connects, with TLS if it is to be there from the first byte on.
func (c Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.TLS {
		return (&tls.Dialer{Config: c.tls()}).DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

func (c Config) tls() *tls.Config {
	return &tls.Config{ServerName: c.Host, RootCAs: c.Roots, MinVersion: tls.VersionTLS12}
}

func (c Config) options() []mail.Option {
	opts := []mail.Option{
		mail.WithTimeout(c.Timeout), mail.WithTLSPolicy(mail.NoTLS), mail.WithoutNoop(), mail.WithoutRset(),
		mail.WithTLSConfig(c.tls()),
	}
	switch {
	case c.TLS:
		opts = append(opts, mail.WithSSLPort(false))
	case c.STARTTLS:
		opts = append(opts, mail.WithTLSPortPolicy(mail.TLSMandatory))
	}
	if c.Port != 0 {
		opts = append(opts, mail.WithPort(c.Port))
	}
	return opts
}
