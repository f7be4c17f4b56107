// Package mailbox is the mail server of the tests: a real SMTP server (go-smtp)
// that keeps what it is given, in plain, with STARTTLS or with TLS, and refuses
// what it is told to.
package mailbox
