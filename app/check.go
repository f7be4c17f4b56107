package app

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres"
)

// Finding is something about the configuration that an operator should know.
type Finding struct {
	ID     string // as Django names it, or meetd.WNNN; DJANGO_SILENCED_SYSTEM_CHECKS can name it
	Text   string // what is wrong
	Remedy string // what to do
}

// weakKeys are secrets of examples and of development.
var weakKeys = []string{"secret", "devkey", "minioadmin", "minio", "password", "pass", "changeme", "dummykey", "thisisaninsecurekey", "meet"}

// long is how many letters a secret should have.
const long = 32

// Check looks for what is risky in a configuration, and leaves out what is to be
// kept quiet about; silenced is how many that were.
func Check(c *Config) (found []Finding, silenced int) {
	for _, list := range [][]Finding{
		checkProfile(c), checkSecrets(c), checkLogin(c), checkAddresses(c), checkRecordings(c), checkStart(c),
	} {
		found = append(found, list...)
	}
	all := len(found)
	found = slices.DeleteFunc(found, func(f Finding) bool { return slices.Contains(c.Profile.SilencedChecks, f.ID) })
	return found, all - len(found)
}

// findings gathers those whose condition holds.
type findings []Finding

func (f *findings) when(wrong bool, id, text, remedy string) {
	if wrong {
		*f = append(*f, Finding{id, text, remedy})
	}
}

func checkProfile(c *Config) []Finding {
	var f findings
	p := c.Profile
	f.when(!p.SSLRedirect, "security.W008", "DJANGO_CONFIGURATION: with "+p.Name+" plain HTTP is not redirected to HTTPS.",
		"Set DJANGO_CONFIGURATION=Production, unless the proxy redirects; then silence this.")
	f.when(p.HSTS == "", "security.W004", "DJANGO_CONFIGURATION: with "+p.Name+" browsers are not told to come by HTTPS only.",
		"Set DJANGO_CONFIGURATION=Production, or have the proxy send Strict-Transport-Security and silence this.")
	f.when(!p.SecureCookies, "security.W012", "DJANGO_CONFIGURATION: with "+p.Name+" the session cookie also goes over plain HTTP.",
		"Set DJANGO_CONFIGURATION=Production.")
	f.when(!p.SecureCookies, "security.W016", "DJANGO_CONFIGURATION: with "+p.Name+" the CSRF cookie also goes over plain HTTP.",
		"Set DJANGO_CONFIGURATION=Production.")
	f.when(p.Debug, "security.W018", "DJANGO_CONFIGURATION: "+p.Name+" is for development: every host and every origin is let in.",
		"Set DJANGO_CONFIGURATION=Production.")
	f.when(len(p.AllowedHosts) == 0, "security.W020", "DJANGO_ALLOWED_HOSTS: it is empty, so every request is refused.",
		"Set it to the names of this server.")
	f.when(slices.Contains(p.AllowedHosts, "*"), "meetd.W001", "DJANGO_ALLOWED_HOSTS: * lets a request choose the host that stands in links and in the address for the login.",
		"Set it to the names of this server.")
	f.when(p.CORS.AllowAll, "meetd.W002", "DJANGO_CORS_ALLOW_ALL_ORIGINS: every web site may read answers as whoever visits it.",
		"Turn it off and list the origins of the front end in DJANGO_CORS_ALLOWED_ORIGINS.")
	f.when(slices.ContainsFunc(p.CORS.Origins, isPlain), "meetd.W003", "DJANGO_CORS_ALLOWED_ORIGINS: an origin with http:// can be played by anybody on the way.",
		"Use https://.")
	f.when(slices.ContainsFunc(c.Server.TrustedProxies, func(p netip.Prefix) bool { return p.Bits() == 0 }), "meetd.W004",
		"MEETD_TRUSTED_PROXIES: everybody is a trusted proxy, so every browser that may download gets keys to the store.",
		"Set it to the networks that the proxy connects from.")
	f.when(slices.Contains(productionProfiles, p.Name) && c.isDefault("MEETD_TRUSTED_PROXIES"), "meetd.W007",
		"MEETD_TRUSTED_PROXIES: it is not set, so whoever connects from a private network is believed whom he forwards, and may get keys to the store.",
		"Set it to the networks that the proxy connects from.")
	f.when(c.Session.Age > 31*24*time.Hour, "meetd.W005", fmt.Sprintf("SESSION_COOKIE_AGE: a login lasts %d days.", int(c.Session.Age.Hours()/24)),
		"Use some hours or days.")
	f.when(c.Users.AllowUnsecureListing, "meetd.W006", "ALLOW_UNSECURE_USER_LISTING: whoever logs in can look up everybody's e-mail.",
		"Turn it off.")
	return f
}

func checkSecrets(c *Config) []Finding {
	var f findings
	key := c.Profile.SecretKey.Reveal()
	f.when(weak(key) || len(key) < 50, "security.W009", "DJANGO_SECRET_KEY: it has fewer than 50 letters, or is one of an example.",
		"Set it to a long random text: openssl rand -base64 48.")
	for _, s := range []struct {
		id, name string
		secret   Secret
		long     bool // it signs something, so its length counts
	}{
		{"meetd.W010", "LIVEKIT_API_SECRET", c.LiveKit.APISecret, true},
		{"meetd.W011", "RECORDING_STORAGE_EVENT_TOKEN", c.Recording.StorageEventToken, true},
		{"meetd.W012", "SUMMARY_SERVICE_WEBHOOK_API_TOKEN", c.Summary.HookToken, true},
		{"meetd.W013", "ROOMKIT_SERVER_TO_SERVER_API_TOKEN", c.Rooms.RoomkitToken, true},
		{"meetd.W014", "MEETD_EVENTS_TOKEN", c.Outgoing.Token, true},
		{"meetd.W015", "OIDC_RP_CLIENT_SECRET", c.OIDC.ClientSecret, strings.HasPrefix(c.OIDC.SignAlgo, "HS")},
		{"meetd.W016", "AWS_S3_SECRET_ACCESS_KEY", c.S3.SecretAccessKey, false},
	} {
		text := s.secret.Reveal()
		f.when(text != "" && (weak(text) || s.long && len(text) < long), s.id,
			s.name+": it can be guessed.", fmt.Sprintf("Use a random text of %d letters or more: openssl rand -base64 33.", long))
	}
	if u, err := url.Parse(c.Database.DSN()); err == nil && u.User != nil {
		password, _ := u.User.Password()
		f.when(weak(password), "meetd.W017", "DB_PASSWORD: the password of the database is one of an example.", "Set another one.")
	}
	return f
}

func checkLogin(c *Config) []Finding {
	var f findings
	o := c.OIDC
	f.when(!o.VerifySSL, "meetd.W020", "OIDC_VERIFY_SSL: anybody on the way can play the provider and be everybody.", "Turn it on; a private authority belongs into SSL_CERT_FILE.")
	f.when(slices.ContainsFunc([]string{o.AuthorizationEndpoint, o.TokenEndpoint, o.UserEndpoint, o.JWKSEndpoint, o.LogoutEndpoint}, isPlain), "meetd.W021",
		"OIDC_OP_…: an address of the provider begins with http://.", "Use https://.")
	f.when(!o.UseNonce, "meetd.W022", "OIDC_USE_NONCE: a stolen ID token can be used again.", "Turn it on.")
	f.when(!o.UsePKCE, "meetd.W023", "OIDC_USE_PKCE: a stolen code can be redeemed.", "Turn it on, if the provider knows PKCE.")
	f.when(o.UsePKCE && o.PKCEMethod == "plain", "meetd.W024", "OIDC_PKCE_CODE_CHALLENGE_METHOD: plain protects nothing from who reads the request.", "Use S256.")
	f.when(o.FallbackToEmail && !o.VerifiedEmail, "meetd.W025",
		"OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION: who can enter any e-mail at the provider can take over the account that has it.",
		"Turn MEETD_OIDC_VERIFIED_EMAIL_ONLY on, or the fallback off.")
	f.when(o.FallbackToEmail && !o.SubImmutable, "meetd.W026", "OIDC_USER_SUB_FIELD_IMMUTABLE: whoever gets an e-mail address that was somebody else's gets the account and its rooms.",
		"Turn it on, and MEETD_OIDC_EMAIL_MATCHES_PENDING_ONLY too.")
	f.when(len(o.RedirectAllowedHosts) > 0 && !o.RedirectRequireHTTPS, "meetd.W027", "OIDC_REDIRECT_REQUIRE_HTTPS: after the login a browser may be sent on without TLS.", "Turn it on.")
	f.when(c.LiveKit.LegacyTokens, "meetd.W028", "MEETD_LEGACY_TOKENS: everybody in a room can mute and remove everybody.", "Turn it off when the front end is newer than early 2025.")
	return f
}

func checkAddresses(c *Config) []Finding {
	var f findings
	f.when(!c.LiveKit.VerifySSL, "meetd.W030", "LIVEKIT_VERIFY_SSL: anybody on the way can play LiveKit.", "Turn it on; a private authority belongs into SSL_CERT_FILE.")
	f.when(strings.HasPrefix(c.LiveKit.APIURL, "ws://") || isPlain(c.LiveKit.APIURL), "meetd.W031", "LIVEKIT_API_URL: it is also given to browsers, which then connect without TLS.", "Use wss:// or https://.")
	f.when(c.S3.AccessKeyID != "" && isPlain(c.S3.Endpoint), "meetd.W032", "AWS_S3_ENDPOINT_URL: recordings go to the store without TLS.", "Use https://, unless the store is on a private network; then silence this.")
	f.when(isPlain(c.S3.PresignEndpoint) && c.S3.PresignEndpoint != c.S3.Endpoint, "meetd.W033", "AWS_S3_DOMAIN_REPLACE: browsers are sent to the store without TLS.", "Use https://.")
	f.when(isPlain(c.Summary.Endpoint), "meetd.W034", "SUMMARY_SERVICE_ENDPOINT: links to recordings are sent without TLS.", "Use https://, unless the service is on a private network; then silence this.")
	f.when(slices.ContainsFunc(c.Outgoing.URLs, func(u Secret) bool { return isPlain(u.Reveal()) }), "meetd.W035", "MEETD_WEBHOOK_URLS: events are sent without TLS.", "Use https://, unless the receiver is on a private network; then silence this.")
	f.when(c.Mail.User != "" && c.Mail.Password != "" && !c.Mail.TLS && !c.Mail.STARTTLS, "meetd.W036", "DJANGO_EMAIL_USE_TLS and DJANGO_EMAIL_USE_SSL: the password of the mail server goes over the wire.", "Turn one of them on.")
	f.when(c.Mail.Host != "" && strings.HasSuffix(c.Mail.From, "example.com"), "meetd.W037", "DJANGO_EMAIL_FROM: mails come from an example.", "Set it to an address of yours.")
	f.when(c.Mail.Host != "" && c.Mail.BaseURL == "", "meetd.W038", "DJANGO_EMAIL_APP_BASE_URL: it is not set, so links in invitations lead nowhere.", "Set it to the address of the front end, such as https://meet.example.org.")
	return f
}

func checkRecordings(c *Config) []Finding {
	var f findings
	r := c.Recording
	f.when(r.StorageEventEnabled && !r.StorageEventAuth, "meetd.W040", "RECORDING_ENABLE_STORAGE_EVENT_AUTH: anybody can say that a recording is stored.", "Turn it on and set RECORDING_STORAGE_EVENT_TOKEN.")
	f.when(r.Enabled && !r.VerifyObject, "meetd.W041", "MEETD_RECORDING_VERIFY_OBJECT: a recording counts as saved without a look at the bucket.", "Turn it on, unless the store cannot be read.")
	f.when(c.Media.Delivery == "redirect" && c.Media.RedirectExpiry > 5*time.Minute, "meetd.W042",
		fmt.Sprintf("MEETD_MEDIA_REDIRECT_EXPIRY: whoever holds a link can download for %d seconds.", int(c.Media.RedirectExpiry.Seconds())), "Use 60.")
	f.when(r.Enabled && r.ExpirationDays == nil, "meetd.W043", "RECORDING_EXPIRATION_DAYS: recordings are kept for ever.", "Set it to the days that you promise; 0 says that for ever is meant.")
	return f
}

// checkStart repeats what is also logged when the service starts.
func checkStart(c *Config) []Finding {
	var f findings
	for _, w := range c.Warnings {
		if strings.HasPrefix(w, "DJANGO_ALLOWED_HOSTS") {
			continue // has an id of its own
		}
		text, remedy, _ := strings.Cut(w, "; ")
		f.when(true, "meetd.W050", text+".", strings.ToUpper(remedy[:min(1, len(remedy))])+remedy[min(1, len(remedy)):])
	}
	for _, text := range c.Unread {
		f.when(true, "meetd.W051", text+".", "Remove it, when nothing else reads it.")
	}
	f.when(c.Superuser.Password != "", "meetd.W052", "DJANGO_SUPERUSER_PASSWORD: only createsuperuser needs it.", "Remove it from the environment of the service.")
	return f
}

// isDefault reports whether nobody gave the variable a value.
func (c *Config) isDefault(name string) bool {
	return slices.ContainsFunc(c.settings, func(s Setting) bool { return s.Name == name && s.Source == SourceDefault })
}

func isPlain(address string) bool { return strings.HasPrefix(address, "http://") }

func weak(secret string) bool {
	return slices.Contains(weakKeys, strings.ToLower(secret)) || strings.HasPrefix(secret, "django-insecure-")
}

// WriteFindings writes them as Django's check does.
func WriteFindings(w io.Writer, found []Finding, silenced int) error {
	var b strings.Builder
	if len(found) > 0 {
		b.WriteString("System check identified some issues:\n\nWARNINGS:\n")
		for _, f := range found {
			fmt.Fprintf(&b, "?: (%s) %s\n", f.ID, f.Text)
			if f.Remedy != "" {
				fmt.Fprintf(&b, "\tHINT: %s\n", f.Remedy)
			}
		}
		b.WriteString("\n")
	}
	issues := fmt.Sprintf("%d issues", len(found))
	switch len(found) {
	case 0:
		issues = "no issues"
	case 1:
		issues = "1 issue"
	}
	fmt.Fprintf(&b, "System check identified %s (%d silenced).\n", issues, silenced)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write findings: %w", err)
	}
	return nil
}

// CheckDatabase reports whether the database can be reached, migrated or not.
func CheckDatabase(ctx context.Context, c *Config) error {
	pool, err := pgxpool.New(ctx, c.Database.DSN())
	if err != nil {
		return fmt.Errorf("the database address cannot be used: %w", err)
	}
	defer pool.Close()
	return (&postgres.Store{Pool: pool}).Ping(ctx)
}
