package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"meetd/app/files"
)

// Config is the whole configuration: plain values, checked by Load. Nothing in
// it reads the environment.
type Config struct {
	Profile   Profile
	Server    Server
	Session   Session
	Database  Database
	Log       Log
	S3        S3
	Media     Media
	Files     files.Config
	OIDC      OIDC
	LiveKit   LiveKit
	Rooms     Rooms
	Lobby     Lobby
	Users     Users
	Recording Recording
	Summary   Summary
	Mail      Mail
	Outgoing  Outgoing
	FrontEnd  FrontEnd
	Marketing Marketing
	Analytics Analytics
	Observe   Observe
	Superuser Superuser

	// Warnings are sentences about what is configured but will not work, to be
	// logged at start.
	Warnings []string
	// Unread says of variables that are set that they have no effect, and why.
	Unread []string

	settings []Setting
}

// Server is the listening side.
type Server struct {
	Listen         string
	TrustedProxies []netip.Prefix // peers that may receive signature headers
	VersionFile    string
	JobWorkers     int  // jobs at a time; 0: this node answers and works on none
	APIDocs        bool // the API is described where the Django backend does it
}

// Session is the lifetime of a login.
type Session struct {
	Age time.Duration
}

// Log holds the least level that is written.
type Log struct {
	Root slog.Level // libraries and access log
	App  slog.Level // meetd's own messages
}

// Param is a query parameter.
type Param struct{ Name, Value string }

// Language is a language of the user interface.
type Language struct{ Code, Label string }

// Users are the rules for accounts.
type Users struct {
	LanguageCode         string // of new users and as a last resort
	Languages            []Language
	AllowUnsecureListing bool
}

// Superuser is whom meetd createsuperuser makes a superuser.
type Superuser struct {
	Email    string
	Password Secret
}

// Load reads the configuration through lookup (os.LookupEnv) and readFile
// (os.ReadFile). Its error joins all faults, one sentence each.
func Load(lookup func(string) (string, bool), readFile func(string) ([]byte, error)) (*Config, error) {
	return load(lookup, readFile, ownAddresses)
}

func load(lookup func(string) (string, bool), readFile func(string) ([]byte, error), podAddress func() []string) (*Config, error) {
	r := &reader{lookup: lookup, readFile: readFile}
	profile := loadProfile(r, podAddress)
	c := &Config{
		Profile:   profile,
		Server:    loadServer(r),
		Session:   loadSession(r),
		Database:  loadDatabase(r),
		Log:       loadLog(r),
		S3:        loadS3(r),
		Media:     loadMedia(r),
		Files:     loadFiles(r),
		OIDC:      loadOIDC(r),
		LiveKit:   loadLiveKit(r),
		Rooms:     loadRooms(r),
		Lobby:     loadLobby(r),
		Users:     loadUsers(r),
		Recording: loadRecording(r),
		Summary:   loadSummary(r),
		Mail:      loadMail(r),
		Outgoing:  loadOutgoing(r),
		FrontEnd:  loadFrontEnd(r, profile),
		Marketing: loadMarketing(r),
		Analytics: loadAnalytics(r),
		Observe:   loadObserve(r),
		Superuser: loadSuperuser(r),
	}
	crossCheck(r, c)
	if len(r.faults) > 0 {
		return nil, errors.Join(r.faults...)
	}
	c.settings, c.Warnings, c.Unread = r.settings, r.warnings, unread(lookup)
	return c, nil
}

// Table returns every variable that was read, in the order of reading.
func (c *Config) Table() []Setting { return slices.Clone(c.settings) }

// WriteTable writes the effective values for people, one line per variable. A
// default is only shown where something else is in effect.
func (c *Config) WriteTable(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := []string{"NAME\tTYPE\tSOURCE\tVALUE"}
	for _, s := range c.settings {
		row := s.Name + "\t" + string(s.Kind) + "\t" + string(s.Source) + "\t" + shown(s.Value)
		if s.Source != SourceDefault {
			row += " (default: " + shown(s.Default) + ")"
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(tw, row); err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}

// shown makes a value visible on one line.
func shown(value string) string {
	if value == "" {
		return "''"
	}
	return oneLine(value)
}

func loadServer(r *reader) Server {
	s := Server{
		Listen:         r.text("MEETD_LISTEN", ":8000"),
		TrustedProxies: loadPrefixes(r, "MEETD_TRUSTED_PROXIES", "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
		VersionFile:    r.text("MEETD_VERSION_FILE", "version.json"),
		JobWorkers:     r.unsigned("MEETD_JOB_WORKERS", 10),
		APIDocs:        r.boolean("MEETD_API_DOCS", false),
	}
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || port == "" {
		r.faultf("MEETD_LISTEN: %s is not an address; write it as host:port or :port", quote(s.Listen))
	}
	return s
}

// loadPrefixes reads a list of networks and single addresses.
func loadPrefixes(r *reader, name string, def ...string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, item := range r.list(name, def...) {
		if addr, err := netip.ParseAddr(item); err == nil {
			addr = addr.Unmap().WithZone("")
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
		} else if prefix, err := netip.ParsePrefix(item); err == nil {
			prefixes = append(prefixes, prefix.Masked())
		} else {
			r.faultf("%s: %s is not a network; write it as 10.0.0.0/8 or as one address", name, quote(item))
		}
	}
	return prefixes
}

func loadSession(r *reader) Session {
	s := Session{Age: r.seconds("SESSION_COOKIE_AGE", 12*time.Hour)}
	r.text("SESSION_ENGINE", "django.contrib.sessions.backends.cache") // no effect: sessions are in the database
	return s
}

func loadLog(r *reader) Log {
	return Log{
		Root: loadLevel(r, "LOGGING_LEVEL_LOGGERS_ROOT"),
		App:  loadLevel(r, "LOGGING_LEVEL_LOGGERS_APP"),
	}
}

// loadLevel reads a level by its Python name.
func loadLevel(r *reader, name string) slog.Level {
	switch text := r.text(name, "INFO"); strings.ToUpper(text) {
	case "NOTSET":
		return slog.LevelDebug - 4
	case "DEBUG":
		return slog.LevelDebug
	case "INFO":
		return slog.LevelInfo
	case "WARN", "WARNING":
		return slog.LevelWarn
	case "ERROR":
		return slog.LevelError
	case "CRITICAL", "FATAL":
		return slog.LevelError + 4
	default:
		r.oneOf(name, text, "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
		return slog.LevelInfo
	}
}

func loadUsers(r *reader) Users {
	u := Users{
		LanguageCode:         r.text("DJANGO_LANGUAGE_CODE", "en-us"),
		AllowUnsecureListing: r.boolean("ALLOW_UNSECURE_USER_LISTING", false),
	}
	known := false
	for _, t := range r.tuples("DJANGO_LANGUAGES", [][]string{{"en-us", "English"}, {"fr-fr", "French"}, {"nl-nl", "Dutch"}, {"de-de", "German"}}) {
		if len(t) != 2 {
			r.faultf("DJANGO_LANGUAGES: %s is not a language; write code,label;code,label", quote(showList(t)))
			continue
		}
		u.Languages = append(u.Languages, Language{t[0], t[1]})
		known = known || t[0] == u.LanguageCode
	}
	if !known {
		r.warnf("DJANGO_LANGUAGE_CODE: %s is not one of DJANGO_LANGUAGES; add it there", quote(u.LanguageCode))
	}
	return u
}

func loadSuperuser(r *reader) Superuser {
	return Superuser{Email: r.text("DJANGO_SUPERUSER_EMAIL", ""), Password: r.secret("DJANGO_SUPERUSER_PASSWORD", "")}
}

// crossCheck looks at settings that need each other. What an enabled feature
// cannot work without is a fault; what only stays unusable is a warning.
func crossCheck(r *reader, c *Config) {
	liveKit := missing(
		Param{"LIVEKIT_API_URL", c.LiveKit.APIURL},
		Param{"LIVEKIT_API_KEY", c.LiveKit.APIKey.Reveal()},
		Param{"LIVEKIT_API_SECRET", c.LiveKit.APISecret.Reveal()},
	)
	store := missing(Param{"AWS_S3_ENDPOINT_URL", c.S3.Endpoint})
	if lack := slices.Concat(liveKit, store); c.Recording.Enabled && len(lack) > 0 {
		r.faultf("RECORDING_ENABLE: recording needs %s; set them (the endpoint of AWS is https://s3.<region>.amazonaws.com) or turn RECORDING_ENABLE off", strings.Join(lack, ", "))
	} else if len(liveKit) > 0 {
		r.warnf("%s: not set, so nobody can join a room; set them", strings.Join(liveKit, ", "))
	}

	oidc := []Param{
		{"OIDC_OP_AUTHORIZATION_ENDPOINT", c.OIDC.AuthorizationEndpoint},
		{"OIDC_OP_TOKEN_ENDPOINT", c.OIDC.TokenEndpoint},
		{"OIDC_OP_USER_ENDPOINT", c.OIDC.UserEndpoint},
		{"OIDC_RP_CLIENT_SECRET", c.OIDC.ClientSecret.Reveal()},
		{"LOGIN_REDIRECT_URL", c.OIDC.LoginRedirectURL},
		{"LOGIN_REDIRECT_URL_FAILURE", c.OIDC.LoginFailureURL},
		{"LOGOUT_REDIRECT_URL", c.OIDC.LogoutRedirectURL},
	}
	if !strings.HasPrefix(c.OIDC.SignAlgo, "HS") {
		oidc = append(oidc, Param{"OIDC_OP_JWKS_ENDPOINT", c.OIDC.JWKSEndpoint})
	}
	if lack := missing(oidc...); len(lack) > 0 {
		r.warnf("%s: not set, so login does not work completely; set them", strings.Join(lack, ", "))
	}
	if len(c.Profile.AllowedHosts) == 0 {
		r.warnf("DJANGO_ALLOWED_HOSTS: it is empty, so every request is refused; set it to the names of this server")
	}
}

// missing returns the names of the variables without a value.
func missing(vars ...Param) []string {
	var names []string
	for _, v := range vars {
		if v.Value == "" {
			names = append(names, v.Name)
		}
	}
	return names
}
