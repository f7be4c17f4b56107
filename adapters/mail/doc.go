// Package mail sends the mails of meetd over SMTP: what they say, in the
// languages of the front end, and how they reach the server (integrations.md
// §1). Each is sent over a connection of its own. It is built on go-mail, which
// keeps line breaks out of headers.
package mail
