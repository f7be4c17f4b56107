package mail

import (
	"errors"
	"net/textproto"
	"slices"

	"github.com/wneessen/go-mail/smtp"
)

// way is a kind of SMTP login.
type way struct {
	name string
	smtp.Auth
}

// login is the SMTP login, by the ways that the Django backend knows, in its
// order: the first one that the server offers, after a refusal the next. A
// refusal ends the connection, so each way has one of its own. What is not
// encrypted was configured so, and the password is sent there too.
type login struct {
	way
	left    []way // to be tried after this one
	pending bool  // this one was begun and not taken yet
}

var errNoWay = errors.New("the mail server offers no login by CRAM-MD5, PLAIN or LOGIN; " +
	"if it needs none, remove DJANGO_EMAIL_HOST_USER, if it offers it to encrypted connections only, set DJANGO_EMAIL_USE_TLS")

func newLogin(c Config) *login {
	return &login{left: []way{
		{"CRAM-MD5", smtp.CRAMMD5Auth(c.User, c.Password)},
		{"PLAIN", smtp.PlainAuth("", c.User, c.Password, c.Host, true)},
		{"LOGIN", smtp.LoginAuth(c.User, c.Password, c.Host, true)},
	}}
}

// Start begins the next login that the server offers.
func (l *login) Start(server *smtp.ServerInfo) (string, []byte, error) {
	l.left = slices.DeleteFunc(l.left, func(w way) bool { return !slices.Contains(server.Auth, w.name) })
	if len(l.left) == 0 {
		return "", nil, errNoWay
	}
	l.way, l.left, l.pending = l.left[0], l.left[1:], true
	return l.Auth.Start(server)
}

// Next answers the server; more is false when it let us in.
func (l *login) Next(said []byte, more bool) ([]byte, error) {
	l.pending = more
	return l.Auth.Next(said, more)
}

// again tells whether err is that the login was refused and there is another way
// to try.
func (l *login) again(err error) bool {
	var reply *textproto.Error
	refused := l.pending && errors.As(err, &reply)
	l.pending = false
	return refused && len(l.left) > 0
}
