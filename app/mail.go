package app

import (
	netmail "net/mail"
	"time"

	"meetd/adapters/mail"
	"meetd/ports"
)

// mailTimeout is how long the handing over of one mail may take.
const mailTimeout = 30 * time.Second

// Mail is how mails are sent and what stands in all of them.
type Mail struct {
	Host     string
	Port     int // 0: the usual one
	User     string
	Password Secret
	STARTTLS bool
	TLS      bool

	From           string
	Brand          string
	Logo           string // URL; empty: none
	Support        string // address that helps; empty: none
	Domain         string // of the link that people read
	BaseURL        string // of the link that people click
	InvitationRate ports.Rate
}

func loadMail(r *reader) Mail {
	const class = "django.core.mail.backends.smtp.EmailBackend"
	if got := r.text("DJANGO_EMAIL_BACKEND", class); got != class {
		r.warnf("DJANGO_EMAIL_BACKEND: %s is not supported, mails are sent by SMTP; remove the variable", quote(got))
	}
	m := Mail{
		Host:           r.text("DJANGO_EMAIL_HOST", ""),
		User:           r.text("DJANGO_EMAIL_HOST_USER", ""),
		Password:       r.secret("DJANGO_EMAIL_HOST_PASSWORD", ""),
		Port:           r.unsigned("DJANGO_EMAIL_PORT", 0),
		STARTTLS:       r.boolean("DJANGO_EMAIL_USE_TLS", false),
		TLS:            r.boolean("DJANGO_EMAIL_USE_SSL", false),
		From:           r.text("DJANGO_EMAIL_FROM", "from@example.com"),
		Brand:          r.text("DJANGO_EMAIL_BRAND_NAME", ""),
		Logo:           r.text("DJANGO_EMAIL_LOGO_IMG", ""),
		Support:        r.text("DJANGO_EMAIL_SUPPORT_EMAIL", ""),
		Domain:         r.text("DJANGO_EMAIL_DOMAIN", ""),
		BaseURL:        r.text("DJANGO_EMAIL_APP_BASE_URL", ""),
		InvitationRate: r.rate("MEETD_INVITATION_THROTTLE_RATES", "60/hour"),
	}
	if m.TLS && m.STARTTLS {
		r.faultf("DJANGO_EMAIL_USE_TLS and DJANGO_EMAIL_USE_SSL: only one of them can be on; the first is STARTTLS, the second TLS from the beginning")
	}
	if m.Port > 65535 {
		r.faultf("DJANGO_EMAIL_PORT: %d is not a port; use a number from 1 to 65535", m.Port)
	}
	if _, err := netmail.ParseAddress(m.From); m.From == "" {
		r.warnf("DJANGO_EMAIL_FROM: it is empty, so no mail can be sent; write it as name@host or Name <name@host>")
	} else if err != nil {
		r.faultf("DJANGO_EMAIL_FROM: %s is not an address; write it as name@host or Name <name@host>", quote(m.From))
	}
	if m.BaseURL != "" && !isURL(m.BaseURL, "https", "http") {
		r.warnf("DJANGO_EMAIL_APP_BASE_URL: %s is not a complete URL, so nobody can click the links of invitations; write it as https://host", quote(redactURL(m.BaseURL)))
	}
	return m
}

func newMailer(m Mail) *mail.Sender {
	return mail.New(mail.Config{
		Host: orDefault(m.Host, "localhost"), Port: m.Port, User: m.User, Password: m.Password.Reveal(),
		STARTTLS: m.STARTTLS, TLS: m.TLS, Timeout: mailTimeout,
		From: m.From, Brand: m.Brand, Logo: m.Logo, Support: m.Support, Domain: m.Domain, BaseURL: m.BaseURL,
	})
}
