package mailbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/mail"
	"slices"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Options say how the server behaves.
type Options struct {
	TLS            bool   // from the first byte on
	STARTTLS       bool   // offered, and needed before a mail is taken
	User, Password string // needed if not empty
	// Refuse decides what becomes of a recipient; nil takes all. An *smtp.SMTPError
	// says with which code.
	Refuse func(to string) error
}

// Mail is one that was delivered.
type Mail struct {
	From string
	To   []string // recipients of the envelope
	*mail.Message
	Body []byte
}

// Server is a running mail server.
type Server struct {
	Host  string
	Port  int
	Roots *x509.CertPool // trust its certificate

	o      Options
	server *smtp.Server
	mu     sync.Mutex
	mails  []Mail
}

// Start runs a server on a free port of this machine.
func Start(o Options) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens at once
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	certificate, roots, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("mail server: %w", err)
	}
	s := &Server{Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, Roots: roots, o: o} //nolint:forcetypeassert // a TCP listener has one
	s.server = smtp.NewServer(s)
	s.server.Domain, s.server.AllowInsecureAuth = "localhost", true
	conf := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if o.STARTTLS {
		s.server.TLSConfig = conf
	}
	if o.TLS {
		l = tls.NewListener(l, conf)
	}
	go func() { _ = s.server.Serve(l) }() // ends with Close
	return s, nil
}

// Close stops the server.
func (s *Server) Close() error { return s.server.Close() }

// Mails are those that were delivered, oldest first.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// NewSession begins to talk to a client.
func (s *Server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{server: s, conn: c}, nil
}

type session struct {
	server *Server
	conn   *smtp.Conn
	known  bool
	mail   Mail
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != s.server.o.User || password != s.server.o.Password {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.o.User != "" && !s.known {
		return smtp.ErrAuthRequired
	}
	if _, secure := s.conn.TLSConnectionState(); s.server.o.STARTTLS && !secure {
		return errors.New("STARTTLS first")
	}
	s.mail = Mail{From: from}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.server.o.Refuse != nil {
		if err := s.server.o.Refuse(to); err != nil {
			return err
		}
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.mail.Message, err = mail.ReadMessage(bytes.NewReader(text)); err != nil {
		return err
	}
	if s.mail.Body, err = io.ReadAll(s.mail.Message.Body); err != nil {
		return err
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.mails = append(s.server.mails, s.mail)
	return nil
}

func (s *session) Reset() { s.mail = Mail{} }

func (s *session) Logout() error { return nil }

// newCertificate makes one for this machine, signed by itself.
func newCertificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}
