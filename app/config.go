package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"meetd/adapters/oidc"
	"meetd/app/files"
	"meetd/domain/file"
	"meetd/ports"
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

// Profile is what DJANGO_CONFIGURATION decides.
type Profile struct {
	Name        string // the class, e.g. Production
	Environment string // the same in lower case

	Debug              bool
	AllowedHosts       []string // without port, leading dot = any subdomain, * = all; IPv6 in brackets
	CSRFTrustedOrigins []string
	CORS               CORS
	SecretKey          Secret // never empty
	SilencedChecks     []string

	SessionCookieName   string
	SecureCookies       bool   // session and CSRF cookie
	SSLRedirect         bool   // to https, except for the two heartbeats
	TrustForwardedProto bool   // X-Forwarded-Proto decides whether a request is secure
	HSTS                string // header value for secure responses, empty = no header
}

// CORS says which origins may read answers; credentials are always allowed.
type CORS struct {
	AllowAll       bool
	Origins        []string
	OriginPatterns []*regexp.Regexp // anchored at the start only
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

// Database is the connection to PostgreSQL.
type Database struct {
	URL      Secret // postgres://…, with the password
	Address  string // host, port and name for logs
	PoolSize int
}

// DSN returns the connection URL with its password.
func (d Database) DSN() string { return d.URL.Reveal() }

// Log holds the least level that is written.
type Log struct {
	Root slog.Level // libraries and access log
	App  slog.Level // meetd's own messages
}

// S3 is the object store.
type S3 struct {
	Endpoint        string
	PresignEndpoint string // for URLs given to browsers; equals Endpoint unless replaced
	Region          string // may be empty
	Bucket          string
	AccessKeyID     Secret // empty: the SDK's own credential chain
	SecretAccessKey Secret
	SessionToken    Secret
	KeyFiles        KeyFiles
	UploadExpiry    time.Duration
}

// KeyFiles are where keys of the store came from; they may change there. Empty:
// from no file.
type KeyFiles struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Media is how stored objects reach browsers.
type Media struct {
	BaseURL        string        // prefix of /media/… in answers, may be empty
	Proxy          string        // whose questions are understood: nginx, traefik, caddy or envoy
	Delivery       string        // of /media/ without a proxy: stream, redirect or none
	RedirectExpiry time.Duration // how long a link to the store works
}

// Param is a query parameter.
type Param struct{ Name, Value string }

// OIDC is the login at the identity provider.
type OIDC struct {
	ClientID     string
	ClientSecret Secret
	SignAlgo     string
	Scopes       string

	Issuer                string
	JWKSEndpoint          string
	AuthorizationEndpoint string
	TokenEndpoint         string
	UserEndpoint          string
	UserEndpointFormat    string // AUTO, JSON or JWT
	LogoutEndpoint        string // empty: local logout only
	IntrospectionEndpoint string

	ExtraParams      []Param // override the standard ones
	UseNonce         bool
	UsePKCE          bool
	PKCEMethod       string // S256 or plain
	PKCEVerifierSize int

	CreateUser      bool
	FallbackToEmail bool
	VerifiedEmail   bool // take over and match only e-mails that the provider calls verified
	PendingEmail    bool // match only accounts that have no subject yet
	SubImmutable    bool
	FullNameFields  []string
	TeamsClaim      string // empty: teams count for nothing
	ShortNameField  string
	EssentialClaims []string

	RedirectFieldName    string
	RedirectAllowedHosts []string // host or host:port
	RedirectRequireHTTPS bool
	LoginRedirectURL     string
	LoginFailureURL      string
	LogoutRedirectURL    string
	AllowLogoutGet       bool
	StoreIDToken         bool

	VerifySSL bool
	Timeout   time.Duration // of each call to the provider

	// Key is what others encrypt to; nil where KeyFault says why there is none.
	Key      *oidc.OwnKey
	KeyFault error

	CallbackRate ports.Rate // answers of the provider, for each address
	FailureRate  ports.Rate // failed logins and logout tokens, for each address
}

// LiveKit is the media server.
type LiveKit struct {
	APIKey         Secret
	APISecret      Secret
	APIURL         string // as given to browsers
	VerifySSL      bool
	DefaultSources []string
	LegacyTokens   bool // everybody administers the rooms he joins

	WebhookFilter            *regexp.Regexp // on the room name, not anchored; nil = all rooms
	ConnectionTestRoomPrefix string

	ConnectionTestTTL   time.Duration // of the token
	ConnectionTestExtra time.Duration // how much longer the room may stay
	ConnectionTestRate  ports.Rate    // for each person or address

	ForbiddenPermissions []string // of participants; nobody may set them
	SubtitleAgent        string
}

// Rooms are the rules for rooms.
type Rooms struct {
	DefaultAccessLevel     string // public, trusted or restricted
	AllowUnregistered      bool
	CanEditDisplayName     bool // of authenticated participants
	TelephonyEnabled       bool
	RoomkitEnabled         bool
	RoomkitToken           Secret     // of the telephone gateway; may be empty: nobody may ask
	RoomkitRate            ports.Rate // of all that it asks
	PINLength              int
	PINMaxRetries          int
	CreationCallbackExpiry time.Duration
	CreationCallbackRate   ports.Rate // of those who are not logged in, for each address
}

// Lobby is where people wait to be let into a room.
type Lobby struct {
	Cookie          string
	Notification    string // type of the message to the room
	WaitingTimeout  time.Duration
	DeniedTimeout   time.Duration
	AcceptedTimeout time.Duration
	RequestRate     ports.Rate // for each account or cookie
	NewcomerRate    ports.Rate // guests who come, for each address
}

// Language is a language of the user interface.
type Language struct{ Code, Label string }

// Users are the rules for accounts.
type Users struct {
	LanguageCode         string // of new users and as a last resort
	Languages            []Language
	AllowUnsecureListing bool
}

// Marketing is where new accounts are signed up.
type Marketing struct {
	SignUp     bool // it is on, and nothing is missing for it
	URL        string
	Key        Secret
	Lists      []int64
	Attributes Dict
	Timeout    time.Duration
}

// Superuser is whom meetd createsuperuser makes a superuser.
type Superuser struct {
	Email    string
	Password Secret
}

// WorkerKind says how a recording is made.
type WorkerKind string

// The kinds of workers.
const (
	WorkerVideoComposite WorkerKind = "video_composite"
	WorkerAudioComposite WorkerKind = "audio_composite"
)

// RecordingWorker maps a recording mode to its kind of worker.
type RecordingWorker struct {
	Mode string
	Kind WorkerKind
}

// EventParser names the dialect of storage events.
type EventParser string

// The dialects of storage events.
const (
	EventParserMinio EventParser = "minio"
	EventParserS3    EventParser = "s3"
	EventParserAuto  EventParser = "auto" // decided for each record
)

// Recording are the rules for recordings.
type Recording struct {
	Enabled      bool
	OutputFolder string
	Workers      []RecordingWorker // in the order of the available modes

	EventParser         EventParser
	StorageEventEnabled bool
	StorageEventAuth    bool
	StorageEventToken   Secret // may be empty: every event is then refused
	// StorageEventTolerant takes duplicates and events about unknown recordings.
	StorageEventTolerant bool

	ExpirationDays    *int // nil = not set; nil and 0 = never
	MaxDurationMillis *int // nil = not set; only told to browsers
	Encoding          Encoding
	DownloadBaseURL   string

	VerifyObject    bool          // look for the file before a recording counts as saved
	ReconcilePeriod time.Duration // between two comparisons with the media server

	CollectMetadata bool   // where it was asked for
	CollectorAgent  string // name of the agent that does it
	MetadataFolder  string // that it writes to
}

// Encoding are the advanced encoding options of video recordings.
type Encoding struct {
	Enabled          bool
	Width, Height    int
	Framerate        int
	VideoBitrateKbps int
	AudioBitrateKbps int
	KeyFrameInterval time.Duration
}

// Load reads the configuration through lookup (os.LookupEnv) and readFile
// (os.ReadFile). Its error joins all faults, one sentence each.
func Load(lookup func(string) (string, bool), readFile func(string) ([]byte, error)) (*Config, error) {
	return load(lookup, readFile, ownAddresses)
}

func load(lookup func(string) (string, bool), readFile func(string) ([]byte, error), podAddress func() []string) (*Config, error) {
	r := &reader{lookup: lookup, readFile: readFile}
	c := &Config{
		Profile:   loadProfile(r, podAddress),
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
		FrontEnd:  loadFrontEnd(r),
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

// ownAddresses returns the addresses of this machine's name, nothing if it has
// none: probes of the orchestrator name them as host.
func ownAddresses() []string {
	host, err := os.Hostname()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) //nolint:forbidigo // bounded, before the program has a context
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil
	}
	return addrs
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

// The classes of DJANGO_CONFIGURATION.
const (
	profileBuild       = "Build"
	profileDevelopment = "Development"
)

var (
	productionProfiles = []string{"Production", "Feature", "Staging", "Sandbox", "PreProduction", "Demo"}
	otherProfiles      = []string{"Base", profileBuild, profileDevelopment, "Test", "ContinuousIntegration"}
)

// loadProfile knows what each class changes. Outside of Production the secret
// key has a default, which everybody knows; Production and its children refuse
// to start without a key of their own.
func loadProfile(r *reader, podAddress func() []string) Profile {
	p := Profile{
		Name:              r.text("DJANGO_CONFIGURATION", profileDevelopment),
		SessionCookieName: "sessionid",
	}
	p.Environment = strings.ToLower(p.Name)
	production := slices.Contains(productionProfiles, p.Name)
	if !production {
		r.oneOf("DJANGO_CONFIGURATION", p.Name, slices.Concat(otherProfiles, productionProfiles)...)
	}

	var key Secret
	if !production {
		key = "DummyKey"
	}
	if p.SecretKey = r.secret("DJANGO_SECRET_KEY", key); p.SecretKey == "" {
		r.faultf("DJANGO_SECRET_KEY: it is empty; set it or DJANGO_SECRET_KEY_FILE to a long random text")
	}
	p.SilencedChecks = r.list("DJANGO_SILENCED_SYSTEM_CHECKS")
	p.AllowedHosts = r.list("DJANGO_ALLOWED_HOSTS")
	switch {
	case production:
		if own := hostNames(podAddress()); len(own) > 0 {
			p.AllowedHosts = append(p.AllowedHosts, own...)
			r.override(showList(p.AllowedHosts))
		}
	case p.Name == profileDevelopment:
		p.AllowedHosts = []string{"*"}
		r.override(showList(p.AllowedHosts))
	}
	origins := r.list("DJANGO_CSRF_TRUSTED_ORIGINS")
	switch {
	case production:
		p.CSRFTrustedOrigins = origins
		for _, o := range origins {
			if !strings.Contains(o, "://") {
				r.warnf("DJANGO_CSRF_TRUSTED_ORIGINS: %s never matches; write it with its scheme, as https://host", quote(o))
			}
		}
	case p.Name == profileDevelopment:
		p.CSRFTrustedOrigins = []string{"http://localhost:8072", "http://localhost:3000"}
		r.override(showList(p.CSRFTrustedOrigins))
	default:
		r.override("")
	}
	p.CORS.AllowAll = r.boolean("DJANGO_CORS_ALLOW_ALL_ORIGINS", false)
	if p.Name == profileDevelopment {
		p.CORS.AllowAll = true
		r.override("true")
	}
	p.CORS.Origins = r.list("DJANGO_CORS_ALLOWED_ORIGINS")
	p.CORS.OriginPatterns = compileAll(r, "DJANGO_CORS_ALLOWED_ORIGIN_REGEXES")

	switch {
	case production:
		p.SecureCookies = true
		p.SSLRedirect = true
		p.TrustForwardedProto = true
		p.HSTS = "max-age=60; includeSubDomains; preload"
	case p.Name == profileDevelopment:
		p.Debug = true
		p.SessionCookieName = "meet_sessionid"
	}
	return p
}

// hostNames writes addresses as they stand in a Host header.
func hostNames(addresses []string) []string {
	names := make([]string, len(addresses))
	for i, a := range addresses {
		if strings.Contains(a, ":") {
			a = "[" + a + "]"
		}
		names[i] = a
	}
	return names
}

// compileAll reads a list of patterns, anchored at the start only.
func compileAll(r *reader, name string) []*regexp.Regexp {
	var patterns []*regexp.Regexp
	for _, text := range r.list(name) {
		if _, err := regexp.Compile(text); err != nil {
			r.faultf("%s: %s is not a regular expression (RE2 syntax): %w", name, quote(text), err)
			continue
		}
		patterns = append(patterns, regexp.MustCompile(`\A(?:`+text+`)`))
	}
	return patterns
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

func loadDatabase(r *reader) Database {
	target := r.databaseURL("DATABASE_URL")
	engine := r.text("DB_ENGINE", "django.db.backends.postgresql_psycopg2")
	separate := &databaseTarget{
		name:     r.text("DB_NAME", "meet"),
		user:     r.text("DB_USER", "dinum"),
		password: r.secret("DB_PASSWORD", "pass"),
		host:     r.text("DB_HOST", "localhost"),
		port:     r.text("DB_PORT", "5432"),
	}
	if target == nil {
		target = separate
		if !strings.Contains(engine, "postgres") && !strings.Contains(engine, "postgis") {
			r.faultf("DB_ENGINE: %s is not supported; only PostgreSQL works, remove the variable", quote(engine))
		}
		if target.name == "" {
			r.faultf("DB_NAME: it is empty; set it to the name of the database")
		}
		if !validPort(target.port) {
			r.faultf("DB_PORT: %s is not a port; use a number from 1 to 65535", quote(target.port))
		}
	}
	size := r.unsigned("MEETD_DATABASE_POOL_SIZE", 0)
	if size == 0 {
		size = max(8, 4*runtime.GOMAXPROCS(0))
	}
	return Database{URL: target.url(), Address: target.address(), PoolSize: size}
}

// databaseTarget is a database as DATABASE_URL or the DB_ variables name it.
type databaseTarget struct {
	host, port, name, user string // a host that starts with / is a socket directory
	password               Secret
	options                url.Values
}

var (
	databaseSchemes = []string{"postgres", "postgresql", "pgsql", "postgis", "timescale", "timescalegis"}

	// databaseOptions are passed on; what only Django knows (conn_max_age) or
	// what the driver would send to the server as a parameter is dropped.
	databaseOptions = []string{
		"application_name", "channel_binding", "client_encoding", "connect_timeout", "krbspn", "krbsrvname",
		"max_protocol_version", "min_protocol_version", "options", "passfile", "require_auth", "service", "servicefile",
		"sslcert", "sslcertmode", "sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "sslsni",
		"target_session_attrs",
	}
)

// parseDatabaseURL reads a URL as leniently as dj-database-url does: only the
// last @ before the path ends the password. No error holds a part of the URL.
func parseDatabaseURL(text string) (*databaseTarget, error) {
	if text == "" {
		return nil, nil
	}
	const form = "write it as postgres://user:password@host:port/name"
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !slices.Contains(databaseSchemes, strings.ToLower(scheme)) {
		return nil, errors.New("it is not the URL of a PostgreSQL database; " + form)
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	authority, name, _ := strings.Cut(rest, "/")
	t := &databaseTarget{name: unquote(name), options: url.Values{}}
	host := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		t.user, t.password, host = unquote(user), Secret(unquote(password)), authority[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, t.port = host[:i], host[i+1:]
	}
	t.host = unquote(strings.Trim(host, "[]"))

	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("its options cannot be read; write them as ?name=value&name=value")
	}
	for option, v := range values {
		switch last := v[len(v)-1]; {
		case option == "host" && t.host == "":
			t.host = last
		case option == "port" && t.port == "":
			t.port = last
		case option == "currentSchema":
			t.options.Set("options", "-c search_path="+last)
		case slices.Contains(databaseOptions, option):
			t.options.Set(option, last)
		}
	}
	if t.name == "" {
		return nil, errors.New("it has no database name; " + form)
	}
	if !validPort(t.port) {
		return nil, errors.New("its port is not a number from 1 to 65535; " + form)
	}
	return t, nil
}

// unquote decodes %XX and keeps what is no such escape.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// validPort accepts a port and none.
func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

func (t *databaseTarget) url() Secret {
	u := url.URL{Scheme: "postgres", Path: "/" + t.name}
	switch {
	case t.user != "" && t.password != "":
		u.User = url.UserPassword(t.user, t.password.Reveal())
	case t.user != "":
		u.User = url.User(t.user)
	}
	options := url.Values{}
	for name, v := range t.options {
		options[name] = v
	}
	switch {
	case strings.HasPrefix(t.host, "/") || t.host == "":
		if t.host != "" {
			options.Set("host", t.host)
		}
		if t.port != "" {
			options.Set("port", t.port)
		}
	case t.port != "":
		u.Host = net.JoinHostPort(t.host, t.port)
	case strings.Contains(t.host, ":"):
		u.Host = "[" + t.host + "]"
	default:
		u.Host = t.host
	}
	u.RawQuery = strings.ReplaceAll(options.Encode(), "+", "%20") // in a connection URL + is no space
	return Secret(u.String())
}

// address is for logs.
func (t *databaseTarget) address() string {
	where := t.host
	if t.port != "" && !strings.HasPrefix(t.host, "/") {
		where = net.JoinHostPort(t.host, t.port)
	}
	return where + "/" + t.name
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

func loadS3(r *reader) S3 {
	s := S3{
		Endpoint:        r.text("AWS_S3_ENDPOINT_URL", ""),
		PresignEndpoint: r.text("AWS_S3_DOMAIN_REPLACE", ""),
		Region:          r.text("AWS_S3_REGION_NAME", ""),
		Bucket:          r.text("AWS_STORAGE_BUCKET_NAME", "meet-media-storage"),
		AccessKeyID:     r.secret("AWS_S3_ACCESS_KEY_ID", ""),
		SecretAccessKey: r.secret("AWS_S3_SECRET_ACCESS_KEY", ""),
		SessionToken:    r.secret("MEETD_AWS_SESSION_TOKEN", ""),
		KeyFiles: KeyFiles{
			AccessKeyID: r.file("AWS_S3_ACCESS_KEY_ID"), SecretAccessKey: r.file("AWS_S3_SECRET_ACCESS_KEY"),
			SessionToken: r.file("MEETD_AWS_SESSION_TOKEN"),
		},
		UploadExpiry: r.seconds("AWS_S3_UPLOAD_POLICY_EXPIRATION", time.Minute),
	}
	r.absoluteURL("AWS_S3_ENDPOINT_URL", s.Endpoint, "https", "http")
	r.absoluteURL("AWS_S3_DOMAIN_REPLACE", s.PresignEndpoint, "https", "http")
	if s.PresignEndpoint == "" {
		s.PresignEndpoint = s.Endpoint
	}
	if v := r.text("AWS_S3_SIGNATURE_VERSION", "s3v4"); v != "s3v4" {
		r.warnf("AWS_S3_SIGNATURE_VERSION: %s is not supported, URLs are signed as s3v4; remove the variable", quote(v))
	}
	if s.Bucket == "" {
		r.faultf("AWS_STORAGE_BUCKET_NAME: it is empty; set it or remove the variable")
	}
	if (s.AccessKeyID == "") != (s.SecretAccessKey == "") {
		r.warnf("AWS_S3_ACCESS_KEY_ID and AWS_S3_SECRET_ACCESS_KEY: only one of them is set; set both or none")
	}
	return s
}

func loadMedia(r *reader) Media {
	m := Media{
		BaseURL:        r.text("MEDIA_BASE_URL", ""),
		Proxy:          r.text("MEETD_MEDIA_PROXY", "nginx"),
		Delivery:       r.text("MEETD_MEDIA_DELIVERY", "stream"),
		RedirectExpiry: r.seconds("MEETD_MEDIA_REDIRECT_EXPIRY", time.Minute),
	}
	r.oneOf("MEETD_MEDIA_PROXY", m.Proxy, "nginx", "traefik", "caddy", "envoy")
	r.oneOf("MEETD_MEDIA_DELIVERY", m.Delivery, "stream", "redirect", "none")
	if m.RedirectExpiry < time.Second || m.RedirectExpiry > 7*24*time.Hour {
		r.faultf("MEETD_MEDIA_REDIRECT_EXPIRY: %d seconds is not possible; use 1 to 604800", int(m.RedirectExpiry/time.Second))
	}
	return m
}

func loadOIDC(r *reader) OIDC {
	o := OIDC{
		ClientID:              r.text("OIDC_RP_CLIENT_ID", "meet"),
		ClientSecret:          r.secret("OIDC_RP_CLIENT_SECRET", ""),
		SignAlgo:              r.text("OIDC_RP_SIGN_ALGO", "RS256"),
		Scopes:                r.text("OIDC_RP_SCOPES", "openid email"),
		JWKSEndpoint:          r.text("OIDC_OP_JWKS_ENDPOINT", ""),
		AuthorizationEndpoint: r.text("OIDC_OP_AUTHORIZATION_ENDPOINT", ""),
		TokenEndpoint:         r.text("OIDC_OP_TOKEN_ENDPOINT", ""),
		UserEndpoint:          r.text("OIDC_OP_USER_ENDPOINT", ""),
		UserEndpointFormat:    r.text("OIDC_OP_USER_ENDPOINT_FORMAT", "AUTO"),
		LogoutEndpoint:        r.text("OIDC_OP_LOGOUT_ENDPOINT", ""),
		Issuer:                r.text("OIDC_OP_URL", ""),
		IntrospectionEndpoint: r.text("OIDC_OP_INTROSPECTION_ENDPOINT", ""),
		ExtraParams:           loadParams(r, "OIDC_AUTH_REQUEST_EXTRA_PARAMS"),
		UseNonce:              r.boolean("OIDC_USE_NONCE", true),
		UsePKCE:               r.boolean("OIDC_USE_PKCE", false),
		PKCEMethod:            r.text("OIDC_PKCE_CODE_CHALLENGE_METHOD", "S256"),
		PKCEVerifierSize:      r.integer("OIDC_PKCE_CODE_VERIFIER_SIZE", 64),
		CreateUser:            r.boolean("OIDC_CREATE_USER", true),
		FallbackToEmail:       r.boolean("OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION", false),
		SubImmutable:          r.boolean("OIDC_USER_SUB_FIELD_IMMUTABLE", true),
		FullNameFields:        r.list("OIDC_USERINFO_FULLNAME_FIELDS", "given_name", "usual_name"),
		ShortNameField:        r.text("OIDC_USERINFO_SHORTNAME_FIELD", "given_name"),
		EssentialClaims:       r.list("OIDC_USERINFO_ESSENTIAL_CLAIMS"),
		RedirectFieldName:     r.text("OIDC_REDIRECT_FIELD_NAME", "returnTo"),
		RedirectAllowedHosts:  r.list("OIDC_REDIRECT_ALLOWED_HOSTS"),
		RedirectRequireHTTPS:  r.boolean("OIDC_REDIRECT_REQUIRE_HTTPS", false),
		LoginRedirectURL:      r.text("LOGIN_REDIRECT_URL", ""),
		LoginFailureURL:       r.text("LOGIN_REDIRECT_URL_FAILURE", ""),
		LogoutRedirectURL:     r.text("LOGOUT_REDIRECT_URL", ""),
		AllowLogoutGet:        r.boolean("ALLOW_LOGOUT_GET_METHOD", true),
		StoreIDToken:          r.boolean("OIDC_STORE_ID_TOKEN", true),
		VerifySSL:             r.boolean("OIDC_VERIFY_SSL", true),
		VerifiedEmail:         r.boolean("MEETD_OIDC_VERIFIED_EMAIL_ONLY", false),
		TeamsClaim:            r.text("MEETD_OIDC_TEAMS_CLAIM", ""),
		PendingEmail:          r.boolean("MEETD_OIDC_EMAIL_MATCHES_PENDING_ONLY", false),
		CallbackRate:          r.rate("MEETD_LOGIN_CALLBACK_THROTTLE_RATES", "600/minute"),
		FailureRate:           r.rate("MEETD_LOGIN_FAILURE_THROTTLE_RATES", "300/minute"),
	}
	loadOwnKey(r, &o)
	for _, p := range o.ExtraParams {
		if slices.Contains([]string{"state", "redirect_uri", "response_type", "client_id"}, p.Name) {
			r.warnf("OIDC_AUTH_REQUEST_EXTRA_PARAMS: %s replaces what the login needs, so nobody can log in; remove it", quote(p.Name))
		}
	}
	timeout := r.integer("OIDC_TIMEOUT", 5)
	if timeout < 1 || timeout > math.MaxInt32 {
		r.faultf("OIDC_TIMEOUT: %d is not a time to wait; use 1 or more seconds", timeout)
	}
	o.Timeout = time.Duration(timeout) * time.Second
	if r.text("OIDC_PROXY", "") != "" {
		r.warnf("OIDC_PROXY: it has no effect; set HTTPS_PROXY and NO_PROXY instead")
	}

	r.oneOf("OIDC_RP_SIGN_ALGO", o.SignAlgo, "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512")
	r.oneOf("OIDC_OP_USER_ENDPOINT_FORMAT", o.UserEndpointFormat, "AUTO", "JSON", "JWT")
	if o.UsePKCE {
		r.oneOf("OIDC_PKCE_CODE_CHALLENGE_METHOD", o.PKCEMethod, "S256", "plain")
		if o.PKCEVerifierSize < 43 || o.PKCEVerifierSize > 128 {
			r.faultf("OIDC_PKCE_CODE_VERIFIER_SIZE: %d is out of range; use 43 to 128", o.PKCEVerifierSize)
		}
	}
	for _, e := range o.endpoints() {
		r.absoluteURL(e.Name, e.Value, "https", "http")
	}
	for _, host := range o.RedirectAllowedHosts {
		if strings.ContainsAny(host, `/["`) {
			r.warnf("OIDC_REDIRECT_ALLOWED_HOSTS: %s never matches; write host or host:port without scheme", quote(host))
		}
	}
	return o
}

// loadOwnKey reads the key that is published at /jwks and opens encrypted
// userinfo.
func loadOwnKey(r *reader, o *OIDC) {
	text := r.secret("OIDC_RS_PRIVATE_KEY_STR", "")
	r.text("OIDC_RS_ENCRYPTION_KEY_TYPE", "RSA") // no effect: the key says what it is
	algorithm := r.text("OIDC_RS_ENCRYPTION_ALGO", "RSA-OAEP")
	encoding := r.text("OIDC_RS_ENCRYPTION_ENCODING", "A256GCM")
	r.oneOf("OIDC_RS_ENCRYPTION_ALGO", algorithm, "RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW")
	r.oneOf("OIDC_RS_ENCRYPTION_ENCODING", encoding, "A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512")
	o.Key, o.KeyFault = oidc.ParseOwnKey(text.Reveal(), algorithm, encoding)
	if errors.Is(o.KeyFault, oidc.ErrBadKey) {
		r.warnf("OIDC_RS_PRIVATE_KEY_STR: it cannot be read, so nothing can be encrypted to it; use a private RSA or EC key in PEM or as a JWK")
	}
}

// endpoints returns the addresses at the provider by the name of their variable.
func (o *OIDC) endpoints() []Param {
	return []Param{
		{"OIDC_OP_JWKS_ENDPOINT", o.JWKSEndpoint},
		{"OIDC_OP_AUTHORIZATION_ENDPOINT", o.AuthorizationEndpoint},
		{"OIDC_OP_TOKEN_ENDPOINT", o.TokenEndpoint},
		{"OIDC_OP_USER_ENDPOINT", o.UserEndpoint},
		{"OIDC_OP_LOGOUT_ENDPOINT", o.LogoutEndpoint},
		{"OIDC_OP_INTROSPECTION_ENDPOINT", o.IntrospectionEndpoint},
	}
}

// loadParams reads a dict of query parameters, written as Python writes text.
func loadParams(r *reader, name string) []Param {
	var params []Param
	for _, item := range r.dict(name, Dict{}) {
		switch v := item.Value.(type) {
		case string:
			params = append(params, Param{item.Key, v})
		case int64:
			params = append(params, Param{item.Key, strconv.FormatInt(v, 10)})
		case bool:
			params = append(params, Param{item.Key, map[bool]string{true: "True", false: "False"}[v]})
		default:
			r.faultf("%s: the value of %s is not text; put it between quotes", name, quote(item.Key))
		}
	}
	return params
}

func loadLiveKit(r *reader) LiveKit {
	l := LiveKit{
		APIKey:                   r.secret("LIVEKIT_API_KEY", ""),
		APISecret:                r.secret("LIVEKIT_API_SECRET", ""),
		APIURL:                   r.text("LIVEKIT_API_URL", ""),
		VerifySSL:                r.boolean("LIVEKIT_VERIFY_SSL", true),
		DefaultSources:           r.list("LIVEKIT_DEFAULT_SOURCES", "camera", "microphone", "screen_share", "screen_share_audio"),
		ConnectionTestRoomPrefix: r.text("CONNECTION_TEST_ROOM_PREFIX", "connection-test"),
		LegacyTokens:             r.boolean("MEETD_LEGACY_TOKENS", false),
		ConnectionTestTTL:        r.seconds("CONNECTION_TEST_TOKEN_TTL_SECONDS", 5*time.Minute),
		ConnectionTestExtra:      r.seconds("CONNECTION_TEST_ROOM_EXTRA_AGE_SECONDS", 10*time.Second),
		ConnectionTestRate:       r.rate("CONNECTION_TEST_THROTTLE_RATES", "30/minute"),
		ForbiddenPermissions:     r.list("PARTICIPANT_FORBIDDEN_PERMISSION_FIELDS", "hidden", "recorder", "agent"),
		SubtitleAgent:            r.text("ROOM_SUBTITLE_AGENT_NAME", "multi-user-transcriber"),
	}
	if l.LegacyTokens {
		r.warnf("MEETD_LEGACY_TOKENS: every participant may mute and remove the others; unset it unless the front end is of early 2025")
	}
	r.absoluteURL("LIVEKIT_API_URL", l.APIURL, "https", "http", "wss", "ws")
	for _, source := range l.DefaultSources {
		r.oneOf("LIVEKIT_DEFAULT_SOURCES", source, "camera", "microphone", "screen_share", "screen_share_audio")
	}
	if text := r.text("LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX", ""); text != "" {
		var err error
		if l.WebhookFilter, err = regexp.Compile(text); err != nil {
			r.warnf("LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX: %s is not a regular expression (RE2 syntax), events are not filtered; correct it", quote(text))
		}
	}
	if l.ConnectionTestRoomPrefix == "" {
		r.warnf("CONNECTION_TEST_ROOM_PREFIX: it is empty, so the events of every room are ignored; set it or remove the variable")
	}
	return l
}

func loadRooms(r *reader) Rooms {
	s := Rooms{
		DefaultAccessLevel:     r.text("RESOURCE_DEFAULT_ACCESS_LEVEL", "public"),
		AllowUnregistered:      r.boolean("ALLOW_UNREGISTERED_ROOMS", true),
		CanEditDisplayName:     r.boolean("AUTHENTICATED_PARTICIPANTS_CAN_EDIT_DISPLAY_NAME", true),
		TelephonyEnabled:       r.boolean("ROOM_TELEPHONY_ENABLED", false),
		RoomkitEnabled:         r.boolean("ROOMKIT_ENABLED", false),
		RoomkitToken:           r.secret("ROOMKIT_SERVER_TO_SERVER_API_TOKEN", ""),
		RoomkitRate:            r.rate("ROOMKIT_JOIN_THROTTLE_RATES", "300/minute"),
		PINLength:              r.unsigned("ROOM_TELEPHONY_PIN_LENGTH", 10),
		PINMaxRetries:          r.unsigned("ROOM_TELEPHONY_PIN_MAX_RETRIES", 5),
		CreationCallbackExpiry: r.seconds("ROOM_CREATION_CALLBACK_CACHE_TIMEOUT", 10*time.Minute),
		CreationCallbackRate:   r.rate("CREATION_CALLBACK_THROTTLE_RATES", "600/minute"),
	}
	r.oneOf("RESOURCE_DEFAULT_ACCESS_LEVEL", s.DefaultAccessLevel, "public", "trusted", "restricted")
	if (s.TelephonyEnabled || s.RoomkitEnabled) && s.PINLength < 4 {
		r.faultf("ROOM_TELEPHONY_PIN_LENGTH: %d is too short; use 4 or more", s.PINLength)
	}
	return s
}

func loadFiles(r *reader) files.Config {
	c := files.Config{
		Folders: file.Folders{Final: r.text("FILE_UPLOAD_PATH", "files"), Upload: r.text("FILE_UPLOAD_TMP_PATH", "tmp/files")},
		Grace:   time.Duration(r.unsigned("FILE_PURGE_GRACE_DAYS", 7)) * 24 * time.Hour,
	}
	if c.Folders.Final == c.Folders.Upload {
		r.faultf("FILE_UPLOAD_TMP_PATH cannot be the same as FILE_UPLOAD_PATH; choose another folder")
	}
	return c
}

func loadLobby(r *reader) Lobby {
	l := Lobby{
		Cookie:          r.text("LOBBY_COOKIE_NAME", "lobbyParticipantId"),
		Notification:    r.text("LOBBY_NOTIFICATION_TYPE", "participantWaiting"),
		WaitingTimeout:  r.seconds("LOBBY_WAITING_TIMEOUT", 3*time.Second),
		DeniedTimeout:   r.seconds("LOBBY_DENIED_TIMEOUT", 5*time.Second),
		AcceptedTimeout: r.seconds("LOBBY_ACCEPTED_TIMEOUT", 6*time.Hour),
		RequestRate:     r.rate("REQUEST_ENTRY_THROTTLE_RATES", "150/minute"),
		NewcomerRate:    r.rate("MEETD_REQUEST_ENTRY_ANONYMOUS_THROTTLE_RATES", "600/minute"),
	}
	if (&http.Cookie{Name: l.Cookie}).String() == "" {
		r.faultf("LOBBY_COOKIE_NAME: %s is not a name for a cookie; use letters and digits", quote(l.Cookie))
	}
	return l
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

func loadMarketing(r *reader) Marketing {
	on := r.boolean("SIGNUP_NEW_USER_TO_MARKETING_EMAIL", false)
	class := r.text("MARKETING_SERVICE_CLASS", marketingClasses+"BrevoMarketingService")
	if on && strings.TrimPrefix(class, marketingClasses) != "BrevoMarketingService" {
		r.oneOf("MARKETING_SERVICE_CLASS", class, marketingClasses+"BrevoMarketingService")
	}
	m := Marketing{Key: r.secret("BREVO_API_KEY", "")}
	for _, item := range r.list("BREVO_API_CONTACT_LIST_IDS") {
		id, err := strconv.ParseInt(item, 10, 64)
		if err != nil {
			r.faultf("BREVO_API_CONTACT_LIST_IDS: %s is not the number of a list; write numbers, as 3,12", quote(item))
		}
		m.Lists = append(m.Lists, id)
	}
	m.Attributes = r.dict("DJANGO_BREVO_API_CONTACT_ATTRIBUTES", Dict{{"VISIO_USER", true}})
	m.Timeout = r.seconds("BREVO_API_TIMEOUT", time.Second)
	m.URL = strings.TrimRight(r.text("MEETD_BREVO_URL", "https://api.brevo.com/v3"), "/")
	r.absoluteURL("MEETD_BREVO_URL", m.URL, "https", "http")
	if !on {
		return m
	}
	if m.Timeout == 0 {
		r.faultf("BREVO_API_TIMEOUT: 0 is not a time to wait; use 1 or more seconds")
	}
	if m.URL == "" {
		r.faultf("MEETD_BREVO_URL: it is empty; set it or remove the variable")
	}
	if m.Key == "" {
		r.warnf("BREVO_API_KEY: Brevo API key is required; until it is set, nobody is signed up")
	}
	if len(m.Lists) == 0 {
		r.warnf("BREVO_API_CONTACT_LIST_IDS: Default Brevo List IDs must be configured in settings. Until they are, nobody is signed up")
	}
	m.SignUp = m.Key != "" && len(m.Lists) > 0
	return m
}

func loadSuperuser(r *reader) Superuser {
	return Superuser{Email: r.text("DJANGO_SUPERUSER_EMAIL", ""), Password: r.secret("DJANGO_SUPERUSER_PASSWORD", "")}
}

const (
	workerClasses = "core.recording.worker.services."
	parserClasses = "core.recording.event.parsers."

	marketingClasses = "core.services.marketing."
)

func loadRecording(r *reader) Recording {
	c := Recording{
		Enabled:              r.boolean("RECORDING_ENABLE", false),
		OutputFolder:         r.text("RECORDING_OUTPUT_FOLDER", "recordings"),
		Workers:              loadWorkers(r),
		EventParser:          loadEventParser(r),
		StorageEventEnabled:  r.boolean("RECORDING_STORAGE_EVENT_ENABLE", false),
		StorageEventAuth:     r.boolean("RECORDING_ENABLE_STORAGE_EVENT_AUTH", true),
		StorageEventToken:    r.secret("RECORDING_STORAGE_EVENT_TOKEN", ""),
		StorageEventTolerant: r.boolean("MEETD_STORAGE_EVENT_TOLERANT", false),
		ExpirationDays:       r.optionalInteger("RECORDING_EXPIRATION_DAYS"),
		MaxDurationMillis:    r.optionalInteger("RECORDING_MAX_DURATION"),
		Encoding:             loadEncoding(r),
		DownloadBaseURL:      r.text("RECORDING_DOWNLOAD_BASE_URL", ""),
		VerifyObject:         r.boolean("MEETD_RECORDING_VERIFY_OBJECT", true),
		ReconcilePeriod:      r.seconds("MEETD_RECONCILE_PERIOD", time.Minute),
		CollectMetadata:      r.boolean("METADATA_COLLECTOR_ENABLED", false),
		CollectorAgent:       r.text("METADATA_COLLECTOR_AGENT_NAME", "metadata-collector"),
		MetadataFolder:       r.text("METADATA_COLLECTOR_OUTPUT_FOLDER", "metadata"),
	}
	if old := r.text("SCREEN_RECORDING_BASE_URL", ""); old != "" {
		r.warnf("SCREEN_RECORDING_BASE_URL: it is deprecated; use RECORDING_DOWNLOAD_BASE_URL")
		if c.DownloadBaseURL == "" {
			c.DownloadBaseURL = old
		}
	}
	if c.ReconcilePeriod == 0 {
		r.faultf("MEETD_RECONCILE_PERIOD: 0 is not a period; use 1 or more seconds")
	}
	if c.StorageEventEnabled && c.StorageEventAuth && c.StorageEventToken == "" {
		r.warnf("RECORDING_STORAGE_EVENT_TOKEN: it is not set, so every storage event is refused; set it or turn RECORDING_ENABLE_STORAGE_EVENT_AUTH off")
	}
	return c
}

func loadWorkers(r *reader) []RecordingWorker {
	const name = "RECORDING_WORKER_CLASSES"
	var workers []RecordingWorker
	for _, item := range r.dict(name, Dict{
		{"screen_recording", workerClasses + "VideoCompositeEgressService"},
		{"transcript", workerClasses + "AudioCompositeEgressService"},
	}) {
		class, _ := item.Value.(string)
		switch strings.TrimPrefix(class, workerClasses) {
		case "VideoCompositeEgressService":
			workers = append(workers, RecordingWorker{item.Key, WorkerVideoComposite})
		case "AudioCompositeEgressService":
			workers = append(workers, RecordingWorker{item.Key, WorkerAudioComposite})
		default:
			r.faultf("%s: the worker of %s is unknown; use %[3]sVideoCompositeEgressService or %[3]sAudioCompositeEgressService", name, quote(item.Key), workerClasses)
		}
	}
	return workers
}

func loadEventParser(r *reader) EventParser {
	const name = "RECORDING_EVENT_PARSER_CLASS"
	class := r.text(name, parserClasses+"MinioParser")
	switch strings.TrimPrefix(class, parserClasses) {
	case "MinioParser":
		return EventParserMinio
	case "S3Parser":
		return EventParserS3
	case "auto":
		return EventParserAuto
	}
	r.oneOf(name, class, parserClasses+"MinioParser", parserClasses+"S3Parser", "auto")
	return ""
}

func loadEncoding(r *reader) Encoding {
	e := Encoding{
		Enabled:          r.boolean("RECORDING_ENCODING_ENABLED", false),
		Width:            r.unsigned("RECORDING_ENCODING_WIDTH", 1280),
		Height:           r.unsigned("RECORDING_ENCODING_HEIGHT", 720),
		Framerate:        r.unsigned("RECORDING_ENCODING_FRAMERATE", 30),
		VideoBitrateKbps: r.unsigned("RECORDING_ENCODING_VIDEO_BITRATE_KBPS", 3000),
		AudioBitrateKbps: r.unsigned("RECORDING_ENCODING_AUDIO_BITRATE_KBPS", 128),
	}
	seconds := r.float("RECORDING_ENCODING_KEY_FRAME_INTERVAL_S", 4)
	if !(seconds >= 0 && seconds <= 3600) { // also refuses what is not a number
		r.faultf("RECORDING_ENCODING_KEY_FRAME_INTERVAL_S: %g is out of range; use 0 to 3600 seconds", seconds)
		return e
	}
	e.KeyFrameInterval = time.Duration(seconds * float64(time.Second))
	return e
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
