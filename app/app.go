package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	lk "github.com/livekit/protocol/livekit"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"

	httpapi "meetd/adapters/http"
	"meetd/adapters/jobs"
	"meetd/adapters/livekit"
	"meetd/adapters/oidc"
	"meetd/adapters/password"
	"meetd/adapters/postgres"
	"meetd/adapters/storageevent"
	"meetd/adapters/token"
	"meetd/app/accounts"
	"meetd/app/diagnostics"
	"meetd/app/dialin"
	"meetd/app/display"
	"meetd/app/entry"
	"meetd/app/files"
	"meetd/app/media"
	"meetd/app/moderation"
	"meetd/app/outgoing"
	"meetd/app/recordings"
	"meetd/app/rooms"
	"meetd/app/trail"
	"meetd/domain/lobby"
	"meetd/domain/participant"
	"meetd/domain/recording"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// App is the whole service, built but not running.
type App struct {
	Handler http.Handler

	pool   *pgxpool.Pool
	queue  *jobs.Queue
	settle func(context.Context)         // waits for what requests have left behind, which is some seconds
	flush  []func(context.Context) error // have told what they still know, in this order
	log    *slog.Logger

	observers *observers
}

// NewLogger writes events as JSON lines, those of the service from level on.
func NewLogger(w io.Writer, c Log) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: c.App}))
}

// New builds the service. now is the clock. The database must have been
// migrated; nothing else is connected to. Close must be called.
func New(ctx context.Context, c *Config, log *slog.Logger, now func() time.Time) (*App, error) {
	o, err := newObservers(ctx, c, now, log)
	if err != nil {
		return nil, err
	}
	pool, err := openFollowedPool(ctx, c.Database, o.sql())
	if err != nil {
		return nil, err
	}
	a, err := build(ctx, c, o, pool, log, now)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return a, nil
}

// restIdle is how long a connection may have rested and still be taken unseen:
// far less than a restart of PostgreSQL takes.
const restIdle = 50 * time.Millisecond

func openPool(ctx context.Context, c Database) (*pgxpool.Pool, error) {
	return openFollowedPool(ctx, c, nil)
}

// openFollowedPool has a tracer told of queries; it may be nil.
func openFollowedPool(ctx context.Context, c Database, tracer pgx.QueryTracer) (*pgxpool.Pool, error) {
	conf, err := pgxpool.ParseConfig(c.DSN())
	if err != nil {
		return nil, fmt.Errorf("the database address cannot be used: %w", err)
	}
	size := c.PoolSize
	if size == 0 {
		size = max(8, 4*runtime.NumCPU())
	}
	conf.ConnConfig.Tracer = tracer
	conf.MaxConns = int32(size) //nolint:gosec // a pool is small
	conf.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		pgxuuid.Register(c.TypeMap()) // else every UUID goes through its text
		// Our queries look a few rows up by indexes, whatever they are asked for: to
		// plan one anew takes longer than to run it, and where PostgreSQL overestimates
		// it, it would even compile it. Said after connecting, because poolers refuse
		// what they do not know when a connection begins.
		_, err := c.Exec(ctx, "SET jit = off; SET plan_cache_mode = force_generic_plan")
		return err
	}
	// After a restart of the database all connections are dead, and nobody shall be
	// told so who asks when it is up again. The pool looks after a second by itself,
	// which is longer than a restart takes.
	conf.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool { return p.IdleDuration > restIdle }
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, fmt.Errorf("the database cannot be opened: %w", err)
	}
	if err := postgres.CheckSchema(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

func build(ctx context.Context, c *Config, o *observers, pool *pgxpool.Pool, log *slog.Logger, now func() time.Time) (*App, error) {
	for _, w := range c.Warnings {
		log.WarnContext(ctx, w)
	}
	store := &postgres.Store{Pool: pool}
	o.database(store, now)
	creds, err := storeKeys(ctx, c.S3, now, os.ReadFile, log)
	if err != nil {
		return nil, err
	}
	bucket, err := newBucket(c.S3, creds, o.wrap("store"), now)
	if err != nil {
		return nil, err
	}
	tokens, err := token.NewJoin(c.LiveKit.APIKey.Reveal(), hmacKey(orDefault(c.LiveKit.APISecret.Reveal(), "unset")), now)
	if err != nil {
		return nil, err
	}
	tokens.Legacy = c.LiveKit.LegacyTokens
	conference, err := newConference(c.LiveKit, o.wrap("livekit"))
	if err != nil {
		return nil, err
	}
	a := &App{pool: pool, log: log, observers: o, flush: o.flush()}
	mailer := o.mailer(newMailer(c.Mail))
	var analytics ports.Analytics = ports.NoAnalytics{}
	if c.Analytics.Host != "" {
		client := newAnalytics(ctx, c.Analytics, o.transport("analytics"), now, log)
		analytics, a.flush = client, append(a.flush, client.Close)
	}
	expiration := 0
	if c.Recording.ExpirationDays != nil {
		expiration = *c.Recording.ExpirationDays
	}
	collector := ""
	if c.Recording.CollectMetadata {
		collector = c.Recording.CollectorAgent
	}
	dialInSvc := &dialin.Service{
		Store: store, Rooms: conference, DialIns: livekit.DialIns{Client: conference}, Analytics: analytics, Now: now, Log: log,
		Config: dialin.Config{Enabled: c.Rooms.TelephonyEnabled || c.Rooms.RoomkitEnabled},
	}
	diagnosticsSvc := &diagnostics.Service{
		Store: store, Tokens: tokens, Rooms: conference, Now: now, NewID: uuid.New,
		Config: diagnostics.Config{
			Enabled: c.FrontEnd.ConnectionTest, Prefix: c.LiveKit.ConnectionTestRoomPrefix, TTL: c.LiveKit.ConnectionTestTTL,
			Extra: c.LiveKit.ConnectionTestExtra, Rules: participantRules(c),
		},
	}
	recordingSvc := &recordings.Service{
		Store:         store,
		Recorder:      &livekit.Recorder{Client: conference, Workers: workers(c, creds)},
		Objects:       bucket,
		Presigner:     bucket,
		Mailer:        mailer,
		Summary:       newSummary(c, o.transport("summary")),
		Agents:        conference,
		Calls:         conference,
		Rooms:         conference,
		Analytics:     analytics,
		StorageEvents: storageParser(c.Recording.EventParser, log),
		Config: recordings.Config{
			Enabled: c.Recording.Enabled, Modes: modes(c.Recording.Workers), Folder: c.Recording.OutputFolder,
			Bucket: c.S3.Bucket, StorageEvents: c.Recording.StorageEventEnabled, Tolerant: c.Recording.StorageEventTolerant, VerifyObject: c.Recording.VerifyObject,
			ExpirationDays: expiration, Collector: collector, Patience: c.Recording.ReconcilePeriod,
			Notification: recordings.Notification{
				DownloadBase: c.Recording.DownloadBaseURL, MetadataFolder: c.Recording.MetadataFolder, URLExpiry: c.Summary.URLExpiry,
			},
			Announce: c.Outgoing.Wanted(),
		},
		Now: now, NewID: uuid.New, Log: log, Became: o.recordingBecame(),
	}
	accountSvc := &accounts.Service{
		Store: store, Provider: newProvider(c.OIDC, o.wrap("provider"), log), Passwords: password.Hasher{}, Config: accountConfig(c), Now: now, NewID: uuid.New, Log: log,
	}
	roomSvc := &rooms.Service{
		Store: store, Tokens: tokens, Open: conference, Mailer: mailer, Config: roomConfig(c), Now: now, NewID: uuid.New, Log: log,
		Analytics:       analytics,
		ClearRecordings: recordingSvc.RemoveOf,
	}
	entrySvc := &entry.Service{
		Store: store, Tokens: tokens, Calls: conference, Config: entryConfig(c), Now: now, Log: log,
	}
	webhooks, targets, err := newWebhooks(c.Outgoing, o.transport("webhook"), now)
	if err != nil {
		return nil, err
	}
	outgoingSvc := &outgoing.Service{Store: store, Webhooks: webhooks, Now: now, Log: log}
	adminSite, err := newAdmin(c, store, pool, recordingSvc, roomSvc, accountSvc, now)
	if err != nil {
		return nil, err
	}
	httpConf, err := httpConfig(c)
	if err != nil {
		return nil, err
	}
	downloads := &trail.Downloads{Audit: store.Repos().Audit, Log: log}
	server := &httpapi.Server{
		Config:     httpConf,
		Accounts:   accountSvc,
		Rooms:      roomSvc,
		Entry:      entrySvc,
		Recordings: recordingSvc,
		Moderation: &moderation.Service{
			Store: store, Participants: conference, Agents: conference, Now: now, NewID: uuid.New, Log: log,
			Config: moderation.Config{Subtitles: c.FrontEnd.Subtitles, SubtitleAgent: c.LiveKit.SubtitleAgent},
		},
		Outgoing:    outgoingSvc,
		Admin:       adminSite,
		Diagnostics: diagnosticsSvc,
		DialIn:      dialInSvc,
		Presences:   token.Presence{Key: c.LiveKit.APIKey.Reveal(), Secret: hmacKey(c.LiveKit.APISecret.Reveal()), Now: now},
		Media: &media.Service{
			Checks: postgres.NewMediaChecks(pool), Signer: bucket, Presigner: bucket, Objects: bucket, OwnHost: httpConf.OwnHost, Now: now,
			Config:     media.Config{Folder: c.Recording.OutputFolder, ExpirationDays: expiration, LinkExpiry: c.Media.RedirectExpiry},
			Downloaded: downloads.Note,
		},
		Webhooks: livekit.Webhooks{Key: c.LiveKit.APIKey.Reveal(), Secret: hmacKey(c.LiveKit.APISecret.Reveal())},
		Throttle: store.Repos().Throttle,
		Ping:     store.Ping,
		Now:      now,
		Log:      log,
		Trace:    o.trace(),
		Answered: o.answered(),
	}
	fileSvc := &files.Service{Store: store, Objects: bucket, Config: c.Files, Now: now}
	services := jobs.Services{
		Accounts: accountSvc, Rooms: roomSvc, Entry: entrySvc, Recordings: recordingSvc,
		DialIn: dialInSvc, Diagnostics: diagnosticsSvc, Marketing: newMarketing(c.Marketing, store, o.transport("marketing"), log),
		Display:  &display.Service{Store: store, Conference: conference},
		Outgoing: outgoingSvc, Files: fileSvc, Trail: &trail.Service{Trail: postgres.AuditTrail{Pool: pool}, Log: log},
	}
	queue, err := jobs.New(pool, jobs.Config{
		Workers: c.Server.JobWorkers, Reconcile: c.Recording.ReconcilePeriod, Targets: targets, Watch: o.jobs(), Failed: o.failed(),
	}, services, quiet(log, c.Log.Root))
	if err != nil {
		return nil, err
	}
	store.Outbox = queue.Outbox
	a.Handler, a.queue = server.Handler(), queue
	a.settle = func(ctx context.Context) { entrySvc.Settle(); downloads.Settle(ctx) }
	return a, nil
}

// quiet is the logger of libraries: from the root level on, and at least from
// warnings on, since they tell much of what nobody asked.
func quiet(log *slog.Logger, level slog.Level) *slog.Logger {
	return slog.New(leveled{log.Handler(), max(level, slog.LevelWarn)})
}

type leveled struct {
	slog.Handler
	level slog.Level
}

func (h leveled) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// hmacKey makes a short secret one that the libraries take, which want 32 bytes
// for HS256. Zeros at its end change no HMAC: that is how it is defined (RFC
// 2104). LiveKit's own secret for development has six letters.
func hmacKey(secret string) string {
	const enough = 32
	if secret == "" || len(secret) >= enough {
		return secret
	}
	return secret + strings.Repeat("\x00", enough-len(secret))
}

func workers(c *Config, creds aws.CredentialsProvider) map[recording.Mode]livekit.Worker {
	target := livekit.Target{
		Folder: c.Recording.OutputFolder, Endpoint: c.S3.Endpoint, Region: c.S3.Region, Bucket: c.S3.Bucket,
		Credentials: creds,
	}
	out := make(map[recording.Mode]livekit.Worker, len(c.Recording.Workers))
	for _, w := range c.Recording.Workers {
		switch w.Kind {
		case WorkerVideoComposite:
			out[recording.Mode(w.Mode)] = livekit.VideoComposite{Target: target, Encoding: encoding(c.Recording.Encoding)}
		case WorkerAudioComposite:
			out[recording.Mode(w.Mode)] = livekit.AudioComposite{Target: target}
		}
	}
	return out
}

func encoding(c Encoding) *lk.EncodingOptions {
	if !c.Enabled {
		return nil
	}
	return &lk.EncodingOptions{
		Width: int32(c.Width), Height: int32(c.Height), Framerate: int32(c.Framerate), //nolint:gosec // sizes of a film
		VideoBitrate: int32(c.VideoBitrateKbps), AudioBitrate: int32(c.AudioBitrateKbps), //nolint:gosec // likewise
		KeyFrameInterval: c.KeyFrameInterval.Seconds(),
		VideoCodec:       lk.VideoCodec_H264_MAIN, AudioCodec: lk.AudioCodec_AAC, AudioFrequency: 48000,
	}
}

func modes(workers []RecordingWorker) []recording.Mode {
	out := make([]recording.Mode, len(workers))
	for i, w := range workers {
		out[i] = recording.Mode(w.Mode)
	}
	return out
}

func storageParser(p EventParser, log *slog.Logger) ports.StorageEvents {
	dialects := map[EventParser]storageevent.Dialect{
		EventParserMinio: storageevent.MinIO, EventParserS3: storageevent.S3, EventParserAuto: storageevent.Auto,
	}
	return storageevent.Parser{Dialect: dialects[p], Log: log}
}

func newConference(c LiveKit, wrap wrapper) (*livekit.Client, error) {
	return livekit.New(livekit.Config{
		URL: orDefault(c.APIURL, "http://livekit.invalid"), Key: c.APIKey.Reveal(), Secret: hmacKey(c.APISecret.Reveal()),
		VerifyTLS: c.VerifySSL, Wrap: wrap,
	})
}

func newProvider(c OIDC, wrap wrapper, log *slog.Logger) *oidc.Provider {
	extra := make([]oidc.Param, len(c.ExtraParams))
	for i, p := range c.ExtraParams {
		extra[i] = oidc.Param(p)
	}
	return oidc.New(oidc.Config{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), Algorithm: c.SignAlgo, Scopes: c.Scopes,
		AuthURL: c.AuthorizationEndpoint, TokenURL: c.TokenEndpoint, UserInfoURL: c.UserEndpoint,
		UserInfoFormat: c.UserEndpointFormat, JWKSURL: c.JWKSEndpoint, LogoutURL: c.LogoutEndpoint, Extra: extra,
		ChallengePlain: c.PKCEMethod == "plain", Key: c.Key, VerifyTLS: c.VerifySSL, Timeout: c.Timeout, Wrap: wrap, Log: log,
	})
}

func accountConfig(c *Config) accounts.Config {
	o := c.OIDC
	languages := make([]string, len(c.Users.Languages))
	for i, l := range c.Users.Languages {
		languages[i] = l.Code
	}
	return accounts.Config{
		SessionAge: c.Session.Age, UseNonce: o.UseNonce, UsePKCE: o.UsePKCE, VerifierSize: o.PKCEVerifierSize,
		StoreIDToken: o.StoreIDToken, CreateUsers: o.CreateUser, EmailFallback: o.FallbackToEmail,
		VerifiedEmail: o.VerifiedEmail, EmailOfPending: o.PendingEmail,
		SubImmutable: o.SubImmutable, Essential: o.EssentialClaims,
		TeamsClaim: o.TeamsClaim,
		Names:      user.ClaimNames{FullName: o.FullNameFields, ShortName: o.ShortNameField},
		Language:   c.Users.LanguageCode, LoginURL: orDefault(o.LoginRedirectURL, "/"), FailureURL: orDefault(o.LoginFailureURL, "/"),
		LogoutURL: orDefault(o.LogoutRedirectURL, "/"), ReturnHosts: o.RedirectAllowedHosts, ReturnHTTPS: o.RedirectRequireHTTPS,
		Languages: languages, Listing: c.Users.AllowUnsecureListing,
		Marketing: c.Marketing.SignUp, StartRate: o.StartRate, CallbackRate: o.CallbackRate, FailureRate: o.FailureRate,
	}
}

func participantRules(c *Config) participant.Rules {
	sources := make([]room.Source, len(c.LiveKit.DefaultSources))
	for i, s := range c.LiveKit.DefaultSources {
		sources[i] = room.Source(s)
	}
	return participant.Rules{EditableNames: c.Rooms.CanEditDisplayName, Sources: sources}
}

func entryConfig(c *Config) entry.Config {
	l := c.Lobby
	return entry.Config{
		Lifetimes: lobby.Lifetimes{Waiting: l.WaitingTimeout, Denied: l.DeniedTimeout, Accepted: l.AcceptedTimeout},
		Notice:    l.Notification, Newcomers: l.NewcomerRate, Rules: participantRules(c),
	}
}

func roomConfig(c *Config) rooms.Config {
	return rooms.Config{
		DefaultAccessLevel: room.AccessLevel(c.Rooms.DefaultAccessLevel), AllowUnregistered: c.Rooms.AllowUnregistered,
		Rules: participantRules(c), CallbackTTL: c.Rooms.CreationCallbackExpiry,
		PINs: c.Rooms.TelephonyEnabled || c.Rooms.RoomkitEnabled, PINLength: c.Rooms.PINLength, PINTries: c.Rooms.PINMaxRetries,
		InvitationRate: c.Mail.InvitationRate,
	}
}

func httpConfig(c *Config) (httpapi.Config, error) {
	p := c.Profile
	conf := httpapi.Config{
		AllowedHosts: p.AllowedHosts, TrustedOrigins: p.CSRFTrustedOrigins, TrustProto: p.TrustForwardedProto,
		RedirectToHTTPS: p.SSLRedirect, HSTS: p.HSTS, CORSAll: p.CORS.AllowAll, CORSOrigins: p.CORS.Origins,
		CORSPatterns: p.CORS.OriginPatterns, SessionCookie: p.SessionCookieName, SessionAge: c.Session.Age,
		SecureCookies: p.SecureCookies, TrustedProxies: c.Server.TrustedProxies, MediaProxy: httpapi.MediaProxy(c.Media.Proxy),
		MediaDelivery: httpapi.MediaDelivery(c.Media.Delivery),
		VersionFile:   c.Server.VersionFile, ReturnToParam: c.OIDC.RedirectFieldName, LogoutByGet: c.OIDC.AllowLogoutGet,
		LiveKitURL: c.LiveKit.APIURL, Language: c.Users.LanguageCode, LobbyCookie: c.Lobby.Cookie,
		RequestEntryRate: c.Lobby.RequestRate, NewcomerRate: c.Lobby.NewcomerRate, CallbackRate: c.Rooms.CreationCallbackRate,
		ForbiddenPermissions: c.LiveKit.ForbiddenPermissions, TestRate: c.LiveKit.ConnectionTestRate,
		RoomKit: httpapi.RoomKitConfig{
			Enabled: c.Rooms.RoomkitEnabled, Token: c.Rooms.RoomkitToken.Reveal(), Rate: c.Rooms.RoomkitRate, PINLength: c.Rooms.PINLength,
		},
		ProcessHook: httpapi.HookConfig{Enabled: true, Auth: true, Token: c.Summary.HookToken.Reveal()},
		StorageHook: httpapi.HookConfig{
			Enabled: c.Recording.StorageEventEnabled, Auth: c.Recording.StorageEventAuth, Token: c.Recording.StorageEventToken.Reveal(),
		},
		Events:        httpapi.HookConfig{Enabled: c.Outgoing.Token != "", Auth: true, Token: c.Outgoing.Token.Reveal()},
		APIDocs:       c.Server.APIDocs || p.Debug || p.Testing,
		WebhookFilter: c.LiveKit.WebhookFilter, ConnectionTestTag: c.LiveKit.ConnectionTestRoomPrefix,
	}
	var err error
	if conf.FrontEnd, err = frontEndBody(c); err != nil {
		return conf, err
	}
	if c.OIDC.Key == nil {
		conf.KeySetFault = keySetFault(c.OIDC.KeyFault)
		return conf, nil
	}
	conf.KeySet, err = c.OIDC.Key.Public()
	return conf, err
}

// keySetFault is what /jwks says, without the details of a broken key.
func keySetFault(err error) string {
	if errors.Is(err, oidc.ErrBadKey) {
		return oidc.ErrBadKey.Error()
	}
	return err.Error()
}
