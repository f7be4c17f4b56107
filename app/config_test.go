package app

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"meetd/adapters/oidc"
	"meetd/ports"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func noAddress() []string { return nil }

// loadVars loads variables, given as NAME=value, which must be without fault.
func loadVars(t *testing.T, vars ...string) *Config {
	t.Helper()
	lookup, readFile := env(toMap(vars), nil)
	c, err := load(lookup, readFile, noAddress)
	if err != nil {
		t.Fatalf("%v: %v", vars, err)
	}
	return c
}

// faultsOf loads variables and returns the faults, one a line.
func faultsOf(t *testing.T, vars ...string) []string {
	t.Helper()
	lookup, readFile := env(toMap(vars), nil)
	c, err := load(lookup, readFile, noAddress)
	if err == nil {
		return nil
	}
	if c != nil {
		t.Error("a configuration was returned beside the error")
	}
	return strings.Split(err.Error(), "\n")
}

func toMap(vars []string) map[string]string {
	m := map[string]string{}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		m[name] = value
	}
	return m
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := loadVars(t)
	var got bytes.Buffer
	if err := c.WriteTable(&got); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&got, "\nWarnings:\n%s\n", strings.Join(c.Warnings, "\n"))
	golden := filepath.Join("testdata", "config_defaults.golden")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
	seen := map[string]bool{}
	for _, s := range c.Table() {
		if seen[s.Name] {
			t.Errorf("%s is read twice", s.Name)
		}
		seen[s.Name] = true
	}
}

func TestWriteTableKeepsOneLinePerVariable(t *testing.T) {
	t.Parallel()
	c := loadVars(t, "OIDC_RP_SCOPES=openid\n\temail\x1b[0m")
	var out bytes.Buffer
	if err := c.WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Count(out.String(), "\n"), len(c.Table())+1; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
	if !strings.Contains(out.String(), " openid  email [0m (default: openid email)\n") {
		t.Error("the value is not on its line")
	}
	if err := c.WriteTable(brokenWriter{}); err == nil {
		t.Error("a failed write was not reported")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestProfiles(t *testing.T) {
	t.Parallel()
	vars := []string{
		"DJANGO_SECRET_KEY=key",
		"DJANGO_ALLOWED_HOSTS=meet.example, .example.org",
		"DJANGO_CSRF_TRUSTED_ORIGINS=https://meet.example",
		"DJANGO_CORS_ALLOWED_ORIGINS=https://front",
	}
	base := Profile{
		AllowedHosts:      []string{"meet.example", ".example.org"},
		CORS:              CORS{Origins: []string{"https://front"}},
		SecretKey:         "key",
		SessionCookieName: "sessionid",
	}
	development := base
	development.Debug = true
	development.AllowedHosts = []string{"*"}
	development.CSRFTrustedOrigins = []string{"http://localhost:8072", "http://localhost:3000"}
	development.CORS.AllowAll = true
	development.SessionCookieName = "meet_sessionid"
	ci := base
	ci.Testing = true
	production := base
	production.AllowedHosts = []string{"meet.example", ".example.org", "10.1.2.3", "[fd00::7]"}
	production.CSRFTrustedOrigins = []string{"https://meet.example"}
	production.SecureCookies = true
	production.SSLRedirect = true
	production.TrustForwardedProto = true
	production.HSTS = "max-age=60; includeSubDomains; preload"

	cases := map[string]Profile{
		"Base": base, "Build": base, "Test": ci, "ContinuousIntegration": ci, "Development": development,
		"Production": production, "Feature": production, "Staging": production, "Sandbox": production,
		"PreProduction": production, "Demo": production,
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want.Name, want.Environment = name, strings.ToLower(name)
			lookup, readFile := env(toMap(append(vars, "DJANGO_CONFIGURATION="+name)), nil)
			c, err := load(lookup, readFile, func() []string { return []string{"10.1.2.3", "fd00::7"} })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, c.Profile, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if c.FrontEnd.ConnectionTest != want.Testing || (setting(t, c, "CONNECTION_TEST_ENABLED").Value == "true") != want.Testing {
				t.Errorf("connection tests: %t, and the table shows %v", c.FrontEnd.ConnectionTest, setting(t, c, "CONNECTION_TEST_ENABLED"))
			}
			for variable, value := range map[string][]string{
				"DJANGO_ALLOWED_HOSTS":        want.AllowedHosts,
				"DJANGO_CSRF_TRUSTED_ORIGINS": want.CSRFTrustedOrigins,
			} {
				if got := setting(t, c, variable).Value; got != showList(value) {
					t.Errorf("the table shows %s=%s, want %s", variable, got, showList(value))
				}
			}
		})
	}
	if name := loadVars(t).Profile.Name; name != "Development" {
		t.Errorf("the default profile is %s", name)
	}
	if c := loadVars(t, "DJANGO_CONFIGURATION=Base", "DJANGO_CORS_ALLOW_ALL_ORIGINS=1"); !c.Profile.CORS.AllowAll {
		t.Error("DJANGO_CORS_ALLOW_ALL_ORIGINS has no effect")
	}
	for _, name := range []string{"", "production", "Prod"} {
		want := []string{"DJANGO_CONFIGURATION: '" + name + "' is unknown; use one of Base, Build, Development, Test, " +
			"ContinuousIntegration, Production, Feature, Staging, Sandbox, PreProduction, Demo"}
		if diff := cmp.Diff(want, faultsOf(t, "DJANGO_CONFIGURATION="+name)); diff != "" {
			t.Error(diff)
		}
	}
}

func setting(t *testing.T, c *Config, name string) Setting {
	t.Helper()
	all := c.Table()
	i := slices.IndexFunc(all, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("%s is not in the table", name)
	}
	return all[i]
}

func TestSecretKey(t *testing.T) {
	t.Parallel()
	want := []string{"DJANGO_SECRET_KEY: it is empty; set it or DJANGO_SECRET_KEY_FILE to a long random text"}
	for _, name := range append(slices.Clone(productionProfiles), "Development") {
		vars := []string{"DJANGO_CONFIGURATION=" + name}
		if name == "Development" {
			vars = append(vars, "DJANGO_SECRET_KEY=")
		}
		if diff := cmp.Diff(want, faultsOf(t, vars...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, name := range otherProfiles {
		if key := loadVars(t, "DJANGO_CONFIGURATION="+name).Profile.SecretKey; key.Reveal() != "DummyKey" {
			t.Errorf("%s: secret key %q", name, key.Reveal())
		}
	}
}

func TestCORSPatterns(t *testing.T) {
	t.Parallel()
	c := loadVars(t, `DJANGO_CORS_ALLOWED_ORIGIN_REGEXES=https://\w+\.example\.org, a|http://b`)
	cases := map[string]bool{
		"https://x.example.org": true, "https://x.example.org.evil": true, "http://b": true,
		"evil https://x.example.org": false, "xhttp://b": false, "https://example.org": false,
	}
	for origin, want := range cases {
		got := false
		for _, p := range c.Profile.CORS.OriginPatterns {
			got = got || p.MatchString(origin)
		}
		if got != want {
			t.Errorf("%s: %t, want %t", origin, got, want)
		}
	}
}

func TestOwnAddresses(t *testing.T) {
	t.Parallel()
	for _, a := range ownAddresses() {
		if _, err := netip.ParseAddr(a); err != nil {
			t.Errorf("%q is not an address", a)
		}
	}
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, want, address string
		vars                []string
	}{
		{"default", "postgres://dinum:pass@localhost:5432/meet", "localhost:5432/meet", nil},
		{
			"separate, escaped", "postgres://us%40er:p%40%3A%2F%3F%23%25%20+@db:6432/a%20b%3F", "db:6432/a b?",
			[]string{"DB_HOST=db", "DB_PORT=6432", "DB_NAME=a b?", "DB_USER=us@er", "DB_PASSWORD=p@:/?#% +"},
		},
		{
			"socket directory", "postgres://dinum:pass@/meet?host=%2Frun%2Fpg&port=5432", "/run/pg/meet",
			[]string{"DB_HOST=/run/pg"},
		},
		{"no host, port and user", "postgres:///meet", "/meet", []string{"DB_HOST=", "DB_PORT=", "DB_USER="}},
		{"no password", "postgres://dinum@localhost:5432/meet", "localhost:5432/meet", []string{"DB_PASSWORD="}},
		{"IPv6", "postgres://dinum:pass@[fd00::7]:5432/meet", "[fd00::7]:5432/meet", []string{"DB_HOST=fd00::7"}},
		{"IPv6, no port", "postgres://dinum:pass@[fd00::7]/meet", "fd00::7/meet", []string{"DB_HOST=fd00::7", "DB_PORT="}},
		{"other engine path", "postgres://dinum:pass@localhost:5432/meet", "localhost:5432/meet", []string{"DB_ENGINE=django.contrib.gis.db.backends.postgis"}},
		{"empty URL", "postgres://dinum:pass@localhost:5432/meet", "localhost:5432/meet", []string{"DATABASE_URL="}},
		{"URL", "postgres://u:p@h:1/n", "h:1/n", []string{"DATABASE_URL=postgres://u:p@h:1/n", "DB_NAME=other", "DB_PORT=none", "DB_ENGINE=sqlite"}},
		{"URL without port", "postgres://u:p@h/n", "h/n", []string{"DATABASE_URL=postgresql://u:p@h/n"}},
		{"URL without user", "postgres://h/n", "h/n", []string{"DATABASE_URL=pgsql://h/n"}},
		{"URL with escapes", "postgres://u%40x:p%2F%3Aq%23@h/n%20m", "h/n m", []string{"DATABASE_URL=postgres://u%40x:p%2f%3Aq%23@h/n%20m"}},
		{"URL with raw password", "postgres://u:p%40%3A%25zz%5B%5E%25@h/n", "h/n", []string{"DATABASE_URL=postgres://u:p@:%zz[^%@h/n"}},
		{"URL with socket", "postgres://u:p@/n?host=%2Frun%2FPG", "/run/PG/n", []string{"DATABASE_URL=postgres://u:p@%2Frun%2FPG/n"}},
		{"URL with host option", "postgres://u@/n?host=%2Frun%2Fpg&port=1", "/run/pg/n", []string{"DATABASE_URL=postgres://u@/n?host=/run/pg&port=1"}},
		{"host option does not win", "postgres://h:1/n", "h:1/n", []string{"DATABASE_URL=postgres://h:1/n?host=x&port=2"}},
		{"URL with IPv6", "postgres://u:p@[::1]:5432/n", "[::1]:5432/n", []string{"DATABASE_URL=postgres://u:p@[::1]:5432/n"}},
		{"URL with IPv6, no port", "postgres://[::1]/n", "::1/n", []string{"DATABASE_URL=postgres://[::1]/n"}},
		{
			"options", "postgres://h/n?application_name=meet%20d&sslmode=require", "h/n",
			[]string{"DATABASE_URL=POSTGRES://h/n?sslmode=prefer&sslmode=require&conn_max_age=0&application_name=meet%20d&statement_timeout=1#x"},
		},
		{"schema", "postgres://h/n?options=-c%20search_path%3Dmeet", "h/n", []string{"DATABASE_URL=postgis://h/n?currentSchema=meet"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := loadVars(t, c.vars...)
			got := cfg.Database
			if got.DSN() != c.want || got.Address != c.address {
				t.Errorf("got %s (%s), want %s (%s)", got.DSN(), got.Address, c.want, c.address)
			}
			if _, err := url.Parse(got.DSN()); err != nil {
				t.Error(err)
			}
			want := ""
			if strings.HasPrefix(strings.Join(c.vars, ""), "DATABASE_URL=p") || c.name == "options" {
				want = "***"
			}
			if shown := setting(t, cfg, "DATABASE_URL").Value; shown != want {
				t.Errorf("the table shows DATABASE_URL=%s, want %s", shown, want)
			}
		})
	}
}

func TestDatabaseFaults(t *testing.T) {
	t.Parallel()
	const form = "write it as postgres://user:password@host:port/name"
	cases := []struct{ vars, want string }{
		{"DATABASE_URL=hunter2", "DATABASE_URL: it is not the URL of a PostgreSQL database; " + form},
		{"DATABASE_URL=hunter2://x", "DATABASE_URL: it is not the URL of a PostgreSQL database; " + form},
		{"DATABASE_URL=mysql://u:hunter2@h/n", "DATABASE_URL: it is not the URL of a PostgreSQL database; " + form},
		{"DATABASE_URL=sqlite:///hunter2", "DATABASE_URL: it is not the URL of a PostgreSQL database; " + form},
		{"DATABASE_URL=postgres://u:hunter2@h", "DATABASE_URL: it has no database name; " + form},
		{"DATABASE_URL=postgres://u:hunter2@h/", "DATABASE_URL: it has no database name; " + form},
		{"DATABASE_URL=postgres://u:hunter2@h:70000/n", "DATABASE_URL: its port is not a number from 1 to 65535; " + form},
		{"DATABASE_URL=postgres://h:hunter2/n", "DATABASE_URL: its port is not a number from 1 to 65535; " + form},
		{"DATABASE_URL=postgres://u:hunter2@h/n?a=%zz", "DATABASE_URL: its options cannot be read; write them as ?name=value&name=value"},
		{"DB_PORT=0", "DB_PORT: '0' is not a port; use a number from 1 to 65535"},
		{"DB_PORT=port", "DB_PORT: 'port' is not a port; use a number from 1 to 65535"},
		{"DB_NAME=", "DB_NAME: it is empty; set it to the name of the database"},
		{"DB_ENGINE=django.db.backends.sqlite3", "DB_ENGINE: 'django.db.backends.sqlite3' is not supported; only PostgreSQL works, remove the variable"},
	}
	for _, c := range cases {
		if diff := cmp.Diff([]string{c.want}, faultsOf(t, c.vars)); diff != "" {
			t.Errorf("%s: %s", c.vars, diff)
		}
	}
}

func TestPoolSize(t *testing.T) {
	t.Parallel()
	if size := loadVars(t, "MEETD_DATABASE_POOL_SIZE=3").Database.PoolSize; size != 3 {
		t.Errorf("pool size %d, want 3", size)
	}
	if size := loadVars(t).Database.PoolSize; size < 8 {
		t.Errorf("default pool size %d, want 8 or more", size)
	}
}

// TestValues sets every variable that ends as one field to something else than
// its default.
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func TestValues(t *testing.T) {
	t.Parallel()
	cases := []struct {
		variable string
		get      func(*Config) any
		want     any
	}{
		{"MEETD_LISTEN=127.0.0.1:1", func(c *Config) any { return c.Server.Listen }, "127.0.0.1:1"},
		{"MEETD_VERSION_FILE=/v", func(c *Config) any { return c.Server.VersionFile }, "/v"},
		{
			"MEETD_TRUSTED_PROXIES=10.9.8.7/16, ::1, ::ffff:1.2.3.4", func(c *Config) any { return fmt.Sprint(c.Server.TrustedProxies) },
			"[10.9.0.0/16 ::1/128 1.2.3.4/32]",
		},
		{"MEETD_TRUSTED_PROXIES=", func(c *Config) any { return len(c.Server.TrustedProxies) }, 0},
		{"SESSION_COOKIE_AGE=60", func(c *Config) any { return c.Session.Age }, time.Minute},
		{"LOGGING_LEVEL_LOGGERS_ROOT=WARNING", func(c *Config) any { return c.Log.Root }, slog.LevelWarn},
		{"LOGGING_LEVEL_LOGGERS_APP=debug", func(c *Config) any { return c.Log.App }, slog.LevelDebug},
		{"LOGGING_LEVEL_LOGGERS_APP=NOTSET", func(c *Config) any { return c.Log.App }, slog.LevelDebug - 4},
		{"LOGGING_LEVEL_LOGGERS_APP=ERROR", func(c *Config) any { return c.Log.App }, slog.LevelError},
		{"LOGGING_LEVEL_LOGGERS_APP=CRITICAL", func(c *Config) any { return c.Log.App }, slog.LevelError + 4},
		{"AWS_S3_ENDPOINT_URL=http://s3:9000", func(c *Config) any { return c.S3.Endpoint + " " + c.S3.PresignEndpoint }, "http://s3:9000 http://s3:9000"},
		{"AWS_S3_DOMAIN_REPLACE=https://pub", func(c *Config) any { return c.S3.Endpoint + " " + c.S3.PresignEndpoint }, " https://pub"},
		{"AWS_S3_REGION_NAME=r", func(c *Config) any { return c.S3.Region }, "r"},
		{"AWS_STORAGE_BUCKET_NAME=b", func(c *Config) any { return c.S3.Bucket }, "b"},
		{"AWS_S3_ACCESS_KEY_ID=k", func(c *Config) any { return c.S3.AccessKeyID.Reveal() }, "k"},
		{"AWS_S3_SECRET_ACCESS_KEY=k", func(c *Config) any { return c.S3.SecretAccessKey.Reveal() }, "k"},
		{"MEETD_AWS_SESSION_TOKEN=k", func(c *Config) any { return c.S3.SessionToken.Reveal() }, "k"},
		{"AWS_S3_UPLOAD_POLICY_EXPIRATION=90", func(c *Config) any { return c.S3.UploadExpiry }, 90 * time.Second},
		{"MEDIA_BASE_URL=https://m", func(c *Config) any { return c.Media.BaseURL }, "https://m"},
		{"MEETD_MEDIA_PROXY=traefik", func(c *Config) any { return c.Media.Proxy }, "traefik"},
		{"MEETD_MEDIA_DELIVERY=redirect", func(c *Config) any { return c.Media.Delivery }, "redirect"},
		{"MEETD_MEDIA_REDIRECT_EXPIRY=90", func(c *Config) any { return c.Media.RedirectExpiry }, 90 * time.Second},
		{"OIDC_RP_CLIENT_ID=x", func(c *Config) any { return c.OIDC.ClientID }, "x"},
		{"OIDC_RP_CLIENT_SECRET=x", func(c *Config) any { return c.OIDC.ClientSecret.Reveal() }, "x"},
		{"OIDC_RP_SIGN_ALGO=ES256", func(c *Config) any { return c.OIDC.SignAlgo }, "ES256"},
		{"OIDC_RP_SCOPES=openid", func(c *Config) any { return c.OIDC.Scopes }, "openid"},
		{"OIDC_OP_JWKS_ENDPOINT=http://p/1", func(c *Config) any { return c.OIDC.JWKSEndpoint }, "http://p/1"},
		{"OIDC_OP_AUTHORIZATION_ENDPOINT=http://p/2", func(c *Config) any { return c.OIDC.AuthorizationEndpoint }, "http://p/2"},
		{"OIDC_OP_TOKEN_ENDPOINT=http://p/3", func(c *Config) any { return c.OIDC.TokenEndpoint }, "http://p/3"},
		{"OIDC_OP_USER_ENDPOINT=http://p/4", func(c *Config) any { return c.OIDC.UserEndpoint }, "http://p/4"},
		{"OIDC_OP_USER_ENDPOINT_FORMAT=JWT", func(c *Config) any { return c.OIDC.UserEndpointFormat }, "JWT"},
		{"OIDC_OP_LOGOUT_ENDPOINT=http://p/5", func(c *Config) any { return c.OIDC.LogoutEndpoint }, "http://p/5"},
		{"OIDC_OP_INTROSPECTION_ENDPOINT=http://p/6", func(c *Config) any { return c.OIDC.IntrospectionEndpoint }, "http://p/6"},
		{"OIDC_OP_URL=issuer", func(c *Config) any { return c.OIDC.Issuer }, "issuer"},
		{
			`OIDC_AUTH_REQUEST_EXTRA_PARAMS={"z": "1", 'max_age': 60, 'a': True, 'b': false}`, func(c *Config) any { return fmt.Sprint(c.OIDC.ExtraParams) },
			"[{z 1} {max_age 60} {a True} {b False}]",
		},
		{"OIDC_USE_NONCE=0", func(c *Config) any { return c.OIDC.UseNonce }, false},
		{"OIDC_USE_PKCE=1", func(c *Config) any { return c.OIDC.UsePKCE }, true},
		{"OIDC_PKCE_CODE_CHALLENGE_METHOD=plain", func(c *Config) any { return c.OIDC.PKCEMethod }, "plain"},
		{"OIDC_PKCE_CODE_VERIFIER_SIZE=1", func(c *Config) any { return c.OIDC.PKCEVerifierSize }, 1},
		{"OIDC_CREATE_USER=0", func(c *Config) any { return c.OIDC.CreateUser }, false},
		{"OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION=1", func(c *Config) any { return c.OIDC.FallbackToEmail }, true},
		{"OIDC_USER_SUB_FIELD_IMMUTABLE=0", func(c *Config) any { return c.OIDC.SubImmutable }, false},
		{"OIDC_USERINFO_FULLNAME_FIELDS=a,b", func(c *Config) any { return showList(c.OIDC.FullNameFields) }, "a,b"},
		{"OIDC_USERINFO_SHORTNAME_FIELD=n", func(c *Config) any { return c.OIDC.ShortNameField }, "n"},
		{"OIDC_USERINFO_ESSENTIAL_CLAIMS=c", func(c *Config) any { return showList(c.OIDC.EssentialClaims) }, "c"},
		{"OIDC_REDIRECT_FIELD_NAME=to", func(c *Config) any { return c.OIDC.RedirectFieldName }, "to"},
		{"OIDC_REDIRECT_ALLOWED_HOSTS=h:1,i", func(c *Config) any { return showList(c.OIDC.RedirectAllowedHosts) }, "h:1,i"},
		{"OIDC_REDIRECT_REQUIRE_HTTPS=1", func(c *Config) any { return c.OIDC.RedirectRequireHTTPS }, true},
		{"LOGIN_REDIRECT_URL=/in", func(c *Config) any { return c.OIDC.LoginRedirectURL }, "/in"},
		{"LOGIN_REDIRECT_URL_FAILURE=/bad", func(c *Config) any { return c.OIDC.LoginFailureURL }, "/bad"},
		{"LOGOUT_REDIRECT_URL=/out", func(c *Config) any { return c.OIDC.LogoutRedirectURL }, "/out"},
		{"ALLOW_LOGOUT_GET_METHOD=0", func(c *Config) any { return c.OIDC.AllowLogoutGet }, false},
		{"OIDC_STORE_ID_TOKEN=0", func(c *Config) any { return c.OIDC.StoreIDToken }, false},
		{"OIDC_VERIFY_SSL=0", func(c *Config) any { return c.OIDC.VerifySSL }, false},
		{"MEETD_OIDC_TEAMS_CLAIM=groups", func(c *Config) any { return c.OIDC.TeamsClaim }, "groups"},
		{"MEETD_OIDC_VERIFIED_EMAIL_ONLY=yes", func(c *Config) any { return c.OIDC.VerifiedEmail }, true},
		{"MEETD_OIDC_EMAIL_MATCHES_PENDING_ONLY=yes", func(c *Config) any { return c.OIDC.PendingEmail }, true},
		{"MEETD_LOGIN_START_THROTTLE_RATES=7/h", func(c *Config) any { return c.OIDC.StartRate }, ports.Rate{Count: 7, Period: time.Hour}},
		{"MEETD_LOGIN_CALLBACK_THROTTLE_RATES=5/s", func(c *Config) any { return c.OIDC.CallbackRate }, ports.Rate{Count: 5, Period: time.Second}},
		{"MEETD_LOGIN_FAILURE_THROTTLE_RATES=", func(c *Config) any { return c.OIDC.FailureRate }, ports.Rate{}},
		{"OIDC_RS_PRIVATE_KEY_STR=nonsense", func(c *Config) any { return errors.Is(c.OIDC.KeyFault, oidc.ErrBadKey) }, true},
		{"OIDC_RS_ENCRYPTION_KEY_TYPE=EC", func(c *Config) any { return errors.Is(c.OIDC.KeyFault, oidc.ErrNoKey) }, true},
		{"OIDC_RS_ENCRYPTION_ALGO=ECDH-ES", func(c *Config) any { return errors.Is(c.OIDC.KeyFault, oidc.ErrNoKey) }, true},
		{"OIDC_RS_ENCRYPTION_ENCODING=A128GCM", func(c *Config) any { return errors.Is(c.OIDC.KeyFault, oidc.ErrNoKey) }, true},
		{"FRONTEND_CUSTOM_CSS_URL=https://x/y.css", func(c *Config) any { return *c.FrontEnd.CustomCSS }, "https://x/y.css"},
		{"FRONTEND_ANALYTICS={'id': 1}", func(c *Config) any { return c.FrontEnd.Analytics }, Dict{{"id", int64(1)}}},
		{"FRONTEND_SUPPORT={'id': True}", func(c *Config) any { return c.FrontEnd.Support }, Dict{{"id", true}}},
		{"FRONTEND_SILENCE_LIVEKIT_DEBUG=1", func(c *Config) any { return c.FrontEnd.SilenceLiveKitLogs }, true},
		{"FRONTEND_IS_SILENT_LOGIN_ENABLED=0", func(c *Config) any { return c.FrontEnd.SilentLogin }, false},
		{"FRONTEND_IDLE_DISCONNECT_WARNING_DELAY=7", func(c *Config) any { return *c.FrontEnd.IdleWarningDelay }, 7},
		{"FRONTEND_FEEDBACK={'url': 'x'}", func(c *Config) any { return c.FrontEnd.Feedback }, Dict{{"url", "x"}}},
		{"FRONTEND_DOCUMENTATION_URL=", func(c *Config) any { return *c.FrontEnd.Documentation }, ""},
		{"FRONTEND_EXTERNAL_HOME_URL=https://x", func(c *Config) any { return *c.FrontEnd.ExternalHome }, "https://x"},
		{"FRONTEND_USE_FRENCH_GOV_FOOTER=1", func(c *Config) any { return c.FrontEnd.FrenchGovFooter }, true},
		{"FRONTEND_USE_PROCONNECT_BUTTON=1", func(c *Config) any { return c.FrontEnd.ProConnectButton }, true},
		{"FRONTEND_MANIFEST_LINK=/m", func(c *Config) any { return *c.FrontEnd.Manifest }, "/m"},
		{"FRONTEND_TRANSCRIPTION_DESTINATION=docs", func(c *Config) any { return *c.FrontEnd.TranscriptionDestination }, "docs"},
		{"FRONTEND_MAX_PARTICIPANTS_FOR_SOUND=9", func(c *Config) any { return c.FrontEnd.MaxParticipantsForSound }, 9},
		{"FRONTEND_AUTO_MUTE_ON_JOIN_THRESHOLD=9", func(c *Config) any { return c.FrontEnd.AutoMuteThreshold }, 9},
		{"LIVEKIT_FORCE_WSS_PROTOCOL=1", func(c *Config) any { return c.FrontEnd.ForceWSS }, true},
		{"LIVEKIT_ENABLE_FIREFOX_PROXY_WORKAROUND=1", func(c *Config) any { return c.FrontEnd.FirefoxProxyWorkaround }, true},
		{"ROOM_SUBTITLE_ENABLED=1", func(c *Config) any { return c.FrontEnd.Subtitles }, true},
		{"CONNECTION_TEST_ENABLED=1", func(c *Config) any { return c.FrontEnd.ConnectionTest }, true},
		{"ROOM_TELEPHONY_PHONE_NUMBER=+33123456789", func(c *Config) any { return c.FrontEnd.Phone }, Phone{"FR", "+33 1 23 45 67 89"}},
		{"ROOM_TELEPHONY_DEFAULT_COUNTRY=FR", func(c *Config) any { return c.FrontEnd.Phone }, Phone{}},
		{
			"FILE_UPLOAD_RESTRICTIONS={'background_image': {'max_size': 1, 'max_count_by_user': 2, 'allowed_extensions': ['.a'], 'allowed_mimetypes': []}}",
			func(c *Config) any { return c.FrontEnd.BackgroundImage },
			UploadLimits{MaxCount: 2, MaxSize: 1, Extensions: []string{".a"}, MIMETypes: []string{}},
		},
		{"DJANGO_EMAIL_BACKEND=x", func(c *Config) any { return len(c.Warnings) > 0 }, true},
		{"DJANGO_EMAIL_HOST=mail", func(c *Config) any { return c.Mail.Host }, "mail"},
		{"DJANGO_EMAIL_HOST_USER=u", func(c *Config) any { return c.Mail.User }, "u"},
		{"DJANGO_EMAIL_HOST_PASSWORD=p", func(c *Config) any { return c.Mail.Password }, Secret("p")},
		{"DJANGO_EMAIL_PORT=587", func(c *Config) any { return c.Mail.Port }, 587},
		{"DJANGO_EMAIL_USE_TLS=1", func(c *Config) any { return c.Mail.STARTTLS }, true},
		{"DJANGO_EMAIL_USE_SSL=1", func(c *Config) any { return c.Mail.TLS }, true},
		{"DJANGO_EMAIL_FROM=Meet <a@b.fr>", func(c *Config) any { return c.Mail.From }, "Meet <a@b.fr>"},
		{"DJANGO_EMAIL_BRAND_NAME=Visio", func(c *Config) any { return c.Mail.Brand }, "Visio"},
		{"DJANGO_EMAIL_LOGO_IMG=https://x/l.png", func(c *Config) any { return c.Mail.Logo }, "https://x/l.png"},
		{"DJANGO_EMAIL_SUPPORT_EMAIL=help@meet.fr", func(c *Config) any { return c.Mail.Support }, "help@meet.fr"},
		{"DJANGO_EMAIL_DOMAIN=meet.fr", func(c *Config) any { return c.Mail.Domain }, "meet.fr"},
		{"DJANGO_EMAIL_APP_BASE_URL=https://meet.fr", func(c *Config) any { return c.Mail.BaseURL }, "https://meet.fr"},
		{"MEETD_INVITATION_THROTTLE_RATES=3/d", func(c *Config) any { return c.Mail.InvitationRate }, ports.Rate{Count: 3, Period: 24 * time.Hour}},
		{"OIDC_TIMEOUT=7", func(c *Config) any { return c.OIDC.Timeout }, 7 * time.Second},
		{"LIVEKIT_API_KEY=k", func(c *Config) any { return c.LiveKit.APIKey.Reveal() }, "k"},
		{"LIVEKIT_API_SECRET=k", func(c *Config) any { return c.LiveKit.APISecret.Reveal() }, "k"},
		{"LIVEKIT_API_URL=wss://l/p", func(c *Config) any { return c.LiveKit.APIURL }, "wss://l/p"},
		{"LIVEKIT_VERIFY_SSL=0", func(c *Config) any { return c.LiveKit.VerifySSL }, false},
		{"LIVEKIT_DEFAULT_SOURCES=", func(c *Config) any { return c.LiveKit.DefaultSources }, []string{}},
		{"LIVEKIT_DEFAULT_SOURCES=microphone", func(c *Config) any { return showList(c.LiveKit.DefaultSources) }, "microphone"},
		{"LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX=^a", func(c *Config) any { return c.LiveKit.WebhookFilter.String() }, "^a"},
		{"LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX=", func(c *Config) any { return c.LiveKit.WebhookFilter == nil }, true},
		{"ROOMKIT_SERVER_TO_SERVER_API_TOKEN=t", func(c *Config) any { return c.Rooms.RoomkitToken.Reveal() }, "t"},
		{"ROOMKIT_JOIN_THROTTLE_RATES=5/s", func(c *Config) any { return c.Rooms.RoomkitRate }, ports.Rate{Count: 5, Period: time.Second}},
		{"CONNECTION_TEST_TOKEN_TTL_SECONDS=7", func(c *Config) any { return c.LiveKit.ConnectionTestTTL }, 7 * time.Second},
		{"CONNECTION_TEST_ROOM_EXTRA_AGE_SECONDS=7", func(c *Config) any { return c.LiveKit.ConnectionTestExtra }, 7 * time.Second},
		{"CONNECTION_TEST_THROTTLE_RATES=5/s", func(c *Config) any { return c.LiveKit.ConnectionTestRate }, ports.Rate{Count: 5, Period: time.Second}},
		{"METADATA_COLLECTOR_ENABLED=1", func(c *Config) any { return c.Recording.CollectMetadata }, true},
		{"METADATA_COLLECTOR_AGENT_NAME=a", func(c *Config) any { return c.Recording.CollectorAgent }, "a"},
		{"METADATA_COLLECTOR_OUTPUT_FOLDER=f", func(c *Config) any { return c.Recording.MetadataFolder }, "f"},
		{"MEETD_WEBHOOK_URLS=", func(c *Config) any { return c.Outgoing.Wanted() }, false},
		{"MEETD_WEBHOOK_SECRET=" + webhookSecret, func(c *Config) any { return c.Outgoing.Secret.Reveal() }, webhookSecret},
		{"MEETD_WEBHOOK_SECRET=unused", func(c *Config) any { return c.Outgoing.Wanted() }, false},
		{"MEETD_EVENTS_TOKEN=t", func(c *Config) any { return c.Outgoing.Token.Reveal() }, "t"},
		{"MEETD_EVENTS_TOKEN=t", func(c *Config) any { return c.Outgoing.Wanted() }, true},
		{"SUMMARY_SERVICE_VERSION=2", func(c *Config) any { return c.Summary.Version }, 2},
		{"SUMMARY_SERVICE_ENDPOINT=https://s/api", func(c *Config) any { return c.Summary.Endpoint }, "https://s/api"},
		{"SUMMARY_SERVICE_API_TOKEN=t", func(c *Config) any { return c.Summary.Token.Reveal() }, "t"},
		{"SUMMARY_SERVICE_WEBHOOK_API_TOKEN=t", func(c *Config) any { return c.Summary.HookToken.Reveal() }, "t"},
		{"SUMMARY_SERVICE_CLOUD_STORAGE_SIGNED_URL_EXPIRY_SECONDS=60", func(c *Config) any { return c.Summary.URLExpiry }, time.Minute},
		{"TRANSCRIPTION_SATISFACTION_FORM_BASE_URL=https://f", func(c *Config) any { return c.Summary.FormURL }, "https://f"},
		{"PARTICIPANT_FORBIDDEN_PERMISSION_FIELDS=hidden,agent", func(c *Config) any { return showList(c.LiveKit.ForbiddenPermissions) }, "hidden,agent"},
		{"PARTICIPANT_FORBIDDEN_PERMISSION_FIELDS=", func(c *Config) any { return len(c.LiveKit.ForbiddenPermissions) }, 0},
		{"ROOM_SUBTITLE_AGENT_NAME=a", func(c *Config) any { return c.LiveKit.SubtitleAgent }, "a"},
		{"CONNECTION_TEST_ROOM_PREFIX=p", func(c *Config) any { return c.LiveKit.ConnectionTestRoomPrefix }, "p"},
		{"MEETD_LEGACY_TOKENS=1", func(c *Config) any { return c.LiveKit.LegacyTokens }, true},
		{"RESOURCE_DEFAULT_ACCESS_LEVEL=trusted", func(c *Config) any { return c.Rooms.DefaultAccessLevel }, "trusted"},
		{"ALLOW_UNREGISTERED_ROOMS=0", func(c *Config) any { return c.Rooms.AllowUnregistered }, false},
		{"AUTHENTICATED_PARTICIPANTS_CAN_EDIT_DISPLAY_NAME=0", func(c *Config) any { return c.Rooms.CanEditDisplayName }, false},
		{"ROOM_TELEPHONY_ENABLED=1", func(c *Config) any { return c.Rooms.TelephonyEnabled }, true},
		{"ROOMKIT_ENABLED=1", func(c *Config) any { return c.Rooms.RoomkitEnabled }, true},
		{"ROOM_TELEPHONY_PIN_LENGTH=2", func(c *Config) any { return c.Rooms.PINLength }, 2},
		{"ROOM_TELEPHONY_PIN_MAX_RETRIES=9", func(c *Config) any { return c.Rooms.PINMaxRetries }, 9},
		{"ROOM_CREATION_CALLBACK_CACHE_TIMEOUT=5", func(c *Config) any { return c.Rooms.CreationCallbackExpiry }, 5 * time.Second},
		{"CREATION_CALLBACK_THROTTLE_RATES=5/hour", func(c *Config) any { return c.Rooms.CreationCallbackRate }, ports.Rate{Count: 5, Period: time.Hour}},
		{"LOBBY_COOKIE_NAME=c", func(c *Config) any { return c.Lobby.Cookie }, "c"},
		{"LOBBY_NOTIFICATION_TYPE=t", func(c *Config) any { return c.Lobby.Notification }, "t"},
		{"LOBBY_WAITING_TIMEOUT=7", func(c *Config) any { return c.Lobby.WaitingTimeout }, 7 * time.Second},
		{"LOBBY_DENIED_TIMEOUT=7", func(c *Config) any { return c.Lobby.DeniedTimeout }, 7 * time.Second},
		{"LOBBY_ACCEPTED_TIMEOUT=7", func(c *Config) any { return c.Lobby.AcceptedTimeout }, 7 * time.Second},
		{"REQUEST_ENTRY_THROTTLE_RATES=2/minute", func(c *Config) any { return c.Lobby.RequestRate }, ports.Rate{Count: 2, Period: time.Minute}},
		{"MEETD_REQUEST_ENTRY_ANONYMOUS_THROTTLE_RATES=", func(c *Config) any { return c.Lobby.NewcomerRate }, ports.Rate{}},
		{"DJANGO_LANGUAGE_CODE=fr-fr", func(c *Config) any { return c.Users.LanguageCode }, "fr-fr"},
		{"DJANGO_LANGUAGES=fr,French ; en-us,English", func(c *Config) any { return fmt.Sprint(c.Users.Languages) }, "[{fr French} {en-us English}]"},
		{"ALLOW_UNSECURE_USER_LISTING=1", func(c *Config) any { return c.Users.AllowUnsecureListing }, true},
		{"BREVO_API_KEY=k", func(c *Config) any { return c.Marketing.Key.Reveal() }, "k"},
		{"BREVO_API_CONTACT_LIST_IDS=3, 12", func(c *Config) any { return fmt.Sprint(c.Marketing.Lists) }, "[3 12]"},
		{"DJANGO_BREVO_API_CONTACT_ATTRIBUTES={'A': 1}", func(c *Config) any { return fmt.Sprint(c.Marketing.Attributes) }, "[{A 1}]"},
		{"BREVO_API_TIMEOUT=4", func(c *Config) any { return c.Marketing.Timeout }, 4 * time.Second},
		{"MEETD_BREVO_URL=http://brevo/v4/", func(c *Config) any { return c.Marketing.URL }, "http://brevo/v4"},
		{"MARKETING_SERVICE_CLASS=some.Other", func(c *Config) any { return c.Marketing.SignUp }, false},
		{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1", func(c *Config) any { return c.Marketing.SignUp }, false}, // the key is missing
		{"MEETD_METRICS_LISTEN=:9090", func(c *Config) any { return c.Observe.Metrics }, ":9090"},
		{"DJANGO_SENTRY_DSN=https://k@sentry/1", func(c *Config) any { return c.Observe.Sentry.Reveal() }, "https://k@sentry/1"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318/x/", func(c *Config) any { return c.Observe.Traces.URL }, "http://c:4318/x/v1/traces"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c/t", func(c *Config) any { return fmt.Sprint(c.Observe.Traces) }, "{http://c/t map[] meetd map[] 1}"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=b", func(c *Config) any { return c.Observe.Traces.URL }, ""},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", func(c *Config) any { return c.Observe.Traces.URL }, ""},
		{"OTEL_SERVICE_NAME=s", func(c *Config) any { return c.Observe.Traces.Service }, ""},
		{"OTEL_RESOURCE_ATTRIBUTES=a=b", func(c *Config) any { return c.Observe.Traces.URL }, ""},
		{"OTEL_TRACES_SAMPLER=parentbased_traceidratio", func(c *Config) any { return c.Observe.Traces.URL }, ""},
		{"OTEL_TRACES_SAMPLER_ARG=0.1", func(c *Config) any { return c.Observe.Traces.URL }, ""},
		{"OTEL_SDK_DISABLED=true", func(c *Config) any { return c.Observe.Traces.URL }, ""},
		{"ANALYTICS_BACKEND=", func(c *Config) any { return c.Analytics.Host }, ""},
		{"ANALYTICS_BACKEND_SETTINGS={'api_key': 'k', 'host': 'http://h'}", func(c *Config) any { return c.Analytics.Host }, ""}, // nobody is told
		{"DJANGO_SUPERUSER_EMAIL=a@b.c", func(c *Config) any { return c.Superuser.Email }, "a@b.c"},
		{"DJANGO_SUPERUSER_PASSWORD=p", func(c *Config) any { return c.Superuser.Password.Reveal() }, "p"},
		{"RECORDING_OUTPUT_FOLDER=r", func(c *Config) any { return c.Recording.OutputFolder }, "r"},
		{
			`RECORDING_WORKER_CLASSES={'transcript': 'AudioCompositeEgressService', "x": 'core.recording.worker.services.VideoCompositeEgressService'}`,
			func(c *Config) any { return fmt.Sprint(c.Recording.Workers) }, "[{transcript audio_composite} {x video_composite}]",
		},
		{"RECORDING_WORKER_CLASSES=", func(c *Config) any { return len(c.Recording.Workers) }, 0},
		{"RECORDING_EVENT_PARSER_CLASS=core.recording.event.parsers.S3Parser", func(c *Config) any { return c.Recording.EventParser }, EventParserS3},
		{"RECORDING_EVENT_PARSER_CLASS=auto", func(c *Config) any { return c.Recording.EventParser }, EventParserAuto},
		{"RECORDING_EVENT_PARSER_CLASS=minio", func(c *Config) any { return c.Recording.EventParser }, EventParserMinio},
		{"RECORDING_EVENT_PARSER_CLASS=s3", func(c *Config) any { return c.Recording.EventParser }, EventParserS3},
		{"RECORDING_EVENT_PARSER_CLASS=MinioParser", func(c *Config) any { return c.Recording.EventParser }, EventParserMinio},
		{"RECORDING_STORAGE_EVENT_ENABLE=1", func(c *Config) any { return c.Recording.StorageEventEnabled }, true},
		{"RECORDING_ENABLE_STORAGE_EVENT_AUTH=0", func(c *Config) any { return c.Recording.StorageEventAuth }, false},
		{"RECORDING_STORAGE_EVENT_TOKEN=t", func(c *Config) any { return c.Recording.StorageEventToken.Reveal() }, "t"},
		{"RECORDING_EXPIRATION_DAYS=0", func(c *Config) any { return *c.Recording.ExpirationDays }, 0},
		{"RECORDING_MAX_DURATION=-5", func(c *Config) any { return *c.Recording.MaxDurationMillis }, -5},
		{"RECORDING_ENCODING_ENABLED=1", func(c *Config) any { return c.Recording.Encoding.Enabled }, true},
		{"RECORDING_ENCODING_WIDTH=1", func(c *Config) any { return c.Recording.Encoding.Width }, 1},
		{"RECORDING_ENCODING_HEIGHT=2", func(c *Config) any { return c.Recording.Encoding.Height }, 2},
		{"RECORDING_ENCODING_FRAMERATE=3", func(c *Config) any { return c.Recording.Encoding.Framerate }, 3},
		{"RECORDING_ENCODING_VIDEO_BITRATE_KBPS=4", func(c *Config) any { return c.Recording.Encoding.VideoBitrateKbps }, 4},
		{"RECORDING_ENCODING_AUDIO_BITRATE_KBPS=5", func(c *Config) any { return c.Recording.Encoding.AudioBitrateKbps }, 5},
		{"RECORDING_ENCODING_KEY_FRAME_INTERVAL_S=2.5", func(c *Config) any { return c.Recording.Encoding.KeyFrameInterval }, 2500 * time.Millisecond},
		{"RECORDING_DOWNLOAD_BASE_URL=https://d", func(c *Config) any { return c.Recording.DownloadBaseURL }, "https://d"},
		{"SCREEN_RECORDING_BASE_URL=https://s", func(c *Config) any { return c.Recording.DownloadBaseURL }, "https://s"},
		{"DJANGO_SILENCED_SYSTEM_CHECKS=a,b", func(c *Config) any { return c.Profile.SilencedChecks }, []string{"a", "b"}},
		{"FILE_UPLOAD_PATH=a", func(c *Config) any { return c.Files.Folders.Final }, "a"},
		{"FILE_UPLOAD_TMP_PATH=b", func(c *Config) any { return c.Files.Folders.Upload }, "b"},
		{"FILE_PURGE_GRACE_DAYS=2", func(c *Config) any { return c.Files.Grace }, 48 * time.Hour},
		{"MEETD_API_DOCS=1", func(c *Config) any { return c.Server.APIDocs }, true},
		{"MEETD_JOB_WORKERS=0", func(c *Config) any { return c.Server.JobWorkers }, 0},
		{"MEETD_STORAGE_EVENT_TOLERANT=1", func(c *Config) any { return c.Recording.StorageEventTolerant }, true},
		{"MEETD_RECORDING_VERIFY_OBJECT=0", func(c *Config) any { return c.Recording.VerifyObject }, false},
		{"MEETD_RECONCILE_PERIOD=5", func(c *Config) any { return c.Recording.ReconcilePeriod }, 5 * time.Second},
	}
	defaults := loadVars(t)
	tested := map[string]bool{
		// in other tests
		"DJANGO_CONFIGURATION": true, "DJANGO_SECRET_KEY": true, "DJANGO_ALLOWED_HOSTS": true, "DJANGO_CSRF_TRUSTED_ORIGINS": true,
		"DJANGO_CORS_ALLOW_ALL_ORIGINS": true, "DJANGO_CORS_ALLOWED_ORIGINS": true, "DJANGO_CORS_ALLOWED_ORIGIN_REGEXES": true,
		"DATABASE_URL": true, "DB_ENGINE": true, "DB_NAME": true, "DB_USER": true, "DB_PASSWORD": true, "DB_HOST": true, "DB_PORT": true,
		"MEETD_DATABASE_POOL_SIZE": true, "AWS_S3_SIGNATURE_VERSION": true, "OIDC_PROXY": true, "RECORDING_ENABLE": true,
		// without effect
		"SESSION_ENGINE": true, "FILE_UPLOAD_ENABLED": true,
	}
	for _, c := range cases {
		cfg := loadVars(t, c.variable)
		if diff := cmp.Diff(c.want, c.get(cfg)); diff != "" {
			t.Errorf("%s: %s", c.variable, diff)
		}
		name, _, _ := strings.Cut(c.variable, "=")
		tested[name] = true
		if source := setting(t, cfg, name).Source; source != SourceEnvironment {
			t.Errorf("%s comes from %s", name, source)
		}
	}
	for _, s := range defaults.Table() {
		if !tested[s.Name] {
			t.Errorf("%s has no case", s.Name)
		}
	}
	if defaults.Recording.ExpirationDays != nil || defaults.Recording.MaxDurationMillis != nil {
		t.Error("unset integers are not nil")
	}
	both := loadVars(t, "SCREEN_RECORDING_BASE_URL=https://s", "RECORDING_DOWNLOAD_BASE_URL=https://d")
	if both.Recording.DownloadBaseURL != "https://d" {
		t.Error("the deprecated base URL wins")
	}
}

func TestWebhookURLs(t *testing.T) {
	t.Parallel()
	c := loadVars(t, "MEETD_WEBHOOK_URLS=https://a.example.org/hook?key=1, http://10.0.0.1:8080", "MEETD_WEBHOOK_SECRET="+webhookSecret)
	var table bytes.Buffer
	if err := c.WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Outgoing.URLs, []Secret{"https://a.example.org/hook?key=1", "http://10.0.0.1:8080"}) || !c.Outgoing.Wanted() ||
		!strings.Contains(table.String(), "https://a.example.org/hook?***,http://10.0.0.1:8080") {
		t.Errorf("%d URLs: %s", len(c.Outgoing.URLs), table.String())
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const algos = "RS256, RS384, RS512, ES256, ES384, ES512, HS256, HS384, HS512"
	const sources = "camera, microphone, screen_share, screen_share_audio"
	const recording = "RECORDING_ENABLE: recording needs %s; set them (the endpoint of AWS is https://s3.<region>.amazonaws.com) or turn RECORDING_ENABLE off"
	const collector = "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318"
	const posthog = "ANALYTICS_BACKEND=core.analytics.posthog.PostHogAnalytics"
	const worker = "RECORDING_WORKER_CLASSES: the worker of 'a' is unknown; use core.recording.worker.services.VideoCompositeEgressService or core.recording.worker.services.AudioCompositeEgressService"
	cases := []struct {
		vars []string
		want string // empty: no fault
	}{
		{[]string{"DJANGO_CORS_ALLOWED_ORIGIN_REGEXES=a)(b"}, "DJANGO_CORS_ALLOWED_ORIGIN_REGEXES: 'a)(b' is not a regular expression (RE2 syntax): error parsing regexp: unexpected ): `a)(b`"},
		{[]string{"MEETD_LISTEN=8000"}, "MEETD_LISTEN: '8000' is not an address; write it as host:port or :port"},
		{[]string{"MEETD_LISTEN=host:"}, "MEETD_LISTEN: 'host:' is not an address; write it as host:port or :port"},
		{[]string{"MEETD_TRUSTED_PROXIES=10.0.0.0/33"}, "MEETD_TRUSTED_PROXIES: '10.0.0.0/33' is not a network; write it as 10.0.0.0/8 or as one address"},
		{[]string{"LOGGING_LEVEL_LOGGERS_ROOT=LOUD"}, "LOGGING_LEVEL_LOGGERS_ROOT: 'LOUD' is unknown; use one of DEBUG, INFO, WARNING, ERROR, CRITICAL"},
		{[]string{"AWS_S3_ENDPOINT_URL=minio:9000"}, "AWS_S3_ENDPOINT_URL: 'minio:9000' is not a complete URL; write it as https:// or http://host"},
		{[]string{"AWS_S3_ENDPOINT_URL=http://:9000"}, "AWS_S3_ENDPOINT_URL: 'http://:9000' is not a complete URL; write it as https:// or http://host"},
		{[]string{"AWS_S3_DOMAIN_REPLACE=ftp://u:hunter2@x"}, "AWS_S3_DOMAIN_REPLACE: 'ftp://u:***@x' is not a complete URL; write it as https:// or http://host"},
		{[]string{"MEETD_MEDIA_PROXY=haproxy"}, "MEETD_MEDIA_PROXY: 'haproxy' is unknown; use one of nginx, traefik, caddy, envoy"},
		{[]string{"MEETD_MEDIA_DELIVERY=no"}, "MEETD_MEDIA_DELIVERY: 'no' is unknown; use one of stream, redirect, none"},
		{[]string{"MEETD_MEDIA_REDIRECT_EXPIRY=0"}, "MEETD_MEDIA_REDIRECT_EXPIRY: 0 seconds is not possible; use 1 to 604800"},
		{[]string{"MEETD_MEDIA_REDIRECT_EXPIRY=604801"}, "MEETD_MEDIA_REDIRECT_EXPIRY: 604801 seconds is not possible; use 1 to 604800"},
		{[]string{"AWS_S3_UPLOAD_POLICY_EXPIRATION=1m"}, "AWS_S3_UPLOAD_POLICY_EXPIRATION: Cannot interpret value '1m'; use a whole number from 0 to 2147483647"},
		{[]string{"AWS_STORAGE_BUCKET_NAME="}, "AWS_STORAGE_BUCKET_NAME: it is empty; set it or remove the variable"},
		{[]string{"OIDC_RP_SIGN_ALGO=none"}, "OIDC_RP_SIGN_ALGO: 'none' is unknown; use one of " + algos},
		{[]string{"OIDC_OP_USER_ENDPOINT_FORMAT=json"}, "OIDC_OP_USER_ENDPOINT_FORMAT: 'json' is unknown; use one of AUTO, JSON, JWT"},
		{[]string{"OIDC_OP_TOKEN_ENDPOINT=/token"}, "OIDC_OP_TOKEN_ENDPOINT: '/token' is not a complete URL; write it as https:// or http://host"},
		{[]string{"OIDC_USE_PKCE=1", "OIDC_PKCE_CODE_CHALLENGE_METHOD=s256"}, "OIDC_PKCE_CODE_CHALLENGE_METHOD: 's256' is unknown; use one of S256, plain"},
		{[]string{"OIDC_USE_PKCE=1", "OIDC_PKCE_CODE_VERIFIER_SIZE=42"}, "OIDC_PKCE_CODE_VERIFIER_SIZE: 42 is out of range; use 43 to 128"},
		{[]string{"OIDC_USE_PKCE=1", "OIDC_PKCE_CODE_VERIFIER_SIZE=129"}, "OIDC_PKCE_CODE_VERIFIER_SIZE: 129 is out of range; use 43 to 128"},
		{[]string{"OIDC_USE_PKCE=1", "OIDC_PKCE_CODE_VERIFIER_SIZE=43"}, ""},
		{[]string{"OIDC_USE_PKCE=1", "OIDC_PKCE_CODE_VERIFIER_SIZE=128"}, ""},
		{[]string{"OIDC_RS_ENCRYPTION_ALGO=dir"}, "OIDC_RS_ENCRYPTION_ALGO: 'dir' is unknown; use one of RSA-OAEP, RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW, ECDH-ES+A256KW"},
		{[]string{"MEETD_LOGIN_FAILURE_THROTTLE_RATES=many"}, "MEETD_LOGIN_FAILURE_THROTTLE_RATES: 'many' is not a rate; write it as 30/minute, with second, minute, hour or day"},
		{[]string{"MEETD_LOGIN_FAILURE_THROTTLE_RATES=0/m"}, "MEETD_LOGIN_FAILURE_THROTTLE_RATES: '0/m' is not a rate; write it as 30/minute, with second, minute, hour or day"},
		{[]string{"FILE_UPLOAD_RESTRICTIONS={}"}, "FILE_UPLOAD_RESTRICTIONS: it needs 'background_image' with max_size, max_count_by_user, allowed_extensions and allowed_mimetypes; see its default"},
		{[]string{"DJANGO_EMAIL_USE_TLS=1", "DJANGO_EMAIL_USE_SSL=1"}, "DJANGO_EMAIL_USE_TLS and DJANGO_EMAIL_USE_SSL: only one of them can be on; the first is STARTTLS, the second TLS from the beginning"},
		{[]string{"DJANGO_EMAIL_PORT=70000"}, "DJANGO_EMAIL_PORT: 70000 is not a port; use a number from 1 to 65535"},
		{[]string{"DJANGO_EMAIL_FROM=nobody"}, "DJANGO_EMAIL_FROM: 'nobody' is not an address; write it as name@host or Name <name@host>"},
		{[]string{"OIDC_TIMEOUT=0"}, "OIDC_TIMEOUT: 0 is not a time to wait; use 1 or more seconds"},
		{[]string{"OIDC_AUTH_REQUEST_EXTRA_PARAMS={'a': [1]}"}, "OIDC_AUTH_REQUEST_EXTRA_PARAMS: the value of 'a' is not text; put it between quotes"},
		{[]string{"LIVEKIT_API_URL=livekit"}, "LIVEKIT_API_URL: 'livekit' is not a complete URL; write it as https:// or http:// or wss:// or ws://host"},
		{[]string{"LIVEKIT_DEFAULT_SOURCES=camera,mic"}, "LIVEKIT_DEFAULT_SOURCES: 'mic' is unknown; use one of " + sources},
		{[]string{"RESOURCE_DEFAULT_ACCESS_LEVEL=private"}, "RESOURCE_DEFAULT_ACCESS_LEVEL: 'private' is unknown; use one of public, trusted, restricted"},
		{[]string{"LOBBY_COOKIE_NAME=a b"}, "LOBBY_COOKIE_NAME: 'a b' is not a name for a cookie; use letters and digits"},
		{[]string{"LOBBY_COOKIE_NAME="}, "LOBBY_COOKIE_NAME: '' is not a name for a cookie; use letters and digits"},
		{[]string{"ROOM_TELEPHONY_PIN_LENGTH=3"}, ""},
		{[]string{"FILE_UPLOAD_PATH=a", "FILE_UPLOAD_TMP_PATH=a"}, "FILE_UPLOAD_TMP_PATH cannot be the same as FILE_UPLOAD_PATH; choose another folder"},
		{[]string{"ROOM_TELEPHONY_ENABLED=1", "ROOM_TELEPHONY_PIN_LENGTH=3"}, "ROOM_TELEPHONY_PIN_LENGTH: 3 is too short; use 4 or more"},
		{[]string{"ROOMKIT_ENABLED=1", "ROOM_TELEPHONY_PIN_LENGTH=3"}, "ROOM_TELEPHONY_PIN_LENGTH: 3 is too short; use 4 or more"},
		{[]string{"ROOMKIT_ENABLED=1", "ROOM_TELEPHONY_PIN_LENGTH=4"}, ""},
		{[]string{"DJANGO_LANGUAGES=en-us,English;fr"}, "DJANGO_LANGUAGES: 'fr' is not a language; write code,label;code,label"},
		{[]string{"RECORDING_WORKER_CLASSES={'a': 'my.Worker'}"}, worker},
		{[]string{"RECORDING_WORKER_CLASSES={'a': 1}"}, worker},
		{[]string{"RECORDING_WORKER_CLASSES={'a'}"}, "RECORDING_WORKER_CLASSES: Cannot interpret dict value '{'a'}'; character 2: a key without a value; sets are not accepted; write it like {'key': 'value'}"},
		{[]string{"RECORDING_EVENT_PARSER_CLASS=GcsParser"}, "RECORDING_EVENT_PARSER_CLASS: 'GcsParser' is unknown; use one of core.recording.event.parsers.MinioParser, core.recording.event.parsers.S3Parser, minio, s3, auto"},
		{[]string{"RECORDING_ENCODING_KEY_FRAME_INTERVAL_S=nan"}, "RECORDING_ENCODING_KEY_FRAME_INTERVAL_S: NaN is out of range; use 0 to 3600 seconds"},
		{[]string{"RECORDING_ENCODING_KEY_FRAME_INTERVAL_S=-1"}, "RECORDING_ENCODING_KEY_FRAME_INTERVAL_S: -1 is out of range; use 0 to 3600 seconds"},
		{[]string{"RECORDING_ENCODING_KEY_FRAME_INTERVAL_S=inf"}, "RECORDING_ENCODING_KEY_FRAME_INTERVAL_S: +Inf is out of range; use 0 to 3600 seconds"},
		{[]string{"RECORDING_EXPIRATION_DAYS=-1"}, "RECORDING_EXPIRATION_DAYS: -1 is out of range; use 1 to 36500 days, or 0 for never"},
		{[]string{"RECORDING_EXPIRATION_DAYS=36501"}, "RECORDING_EXPIRATION_DAYS: 36501 is out of range; use 1 to 36500 days, or 0 for never"},
		{[]string{"RECORDING_EXPIRATION_DAYS=36500"}, ""},
		{[]string{"MEETD_RECONCILE_PERIOD=0"}, "MEETD_RECONCILE_PERIOD: 0 is not a period; use 1 or more seconds"},
		{
			[]string{"MEETD_WEBHOOK_URLS=https://a.example.org"},
			"MEETD_WEBHOOK_SECRET: it is not set, so nobody could tell our calls from others; make one with openssl rand -base64 32",
		},
		{
			[]string{"MEETD_WEBHOOK_URLS=https://a.example.org", "MEETD_WEBHOOK_SECRET=short"},
			"MEETD_WEBHOOK_SECRET: it is not 24 to 64 bytes in base64; make one with openssl rand -base64 32",
		},
		{
			[]string{"MEETD_WEBHOOK_URLS=a.example.org/hook?key=1", "MEETD_WEBHOOK_SECRET=" + webhookSecret},
			"MEETD_WEBHOOK_URLS: 'a.example.org/hook?***' is not a complete URL; write it as https:// or http://host",
		},
		{
			[]string{"MEETD_WEBHOOK_URLS=https://u:p@a.example.org/hook?key=1", "MEETD_WEBHOOK_SECRET=" + webhookSecret},
			"MEETD_WEBHOOK_URLS: 'https://u:***@a.example.org/hook?***' has a user in it; leave that out, the signature says who calls",
		},
		{
			[]string{"MEETD_WEBHOOK_URLS=https://a.example.org,https://a.example.org", "MEETD_WEBHOOK_SECRET=" + webhookSecret},
			"MEETD_WEBHOOK_URLS: 'https://a.example.org' is there twice; name it once",
		},
		{[]string{"SUMMARY_SERVICE_VERSION=3"}, "SUMMARY_SERVICE_VERSION: 3 is unknown; use 1 or 2"},
		{[]string{"SUMMARY_SERVICE_VERSION=0"}, "SUMMARY_SERVICE_VERSION: 0 is unknown; use 1 or 2"},
		{[]string{"SUMMARY_SERVICE_ENDPOINT=summary:8000/api"}, "SUMMARY_SERVICE_ENDPOINT: 'summary:8000/api' is not a complete URL; write it as https:// or http://host"},
		{[]string{"SUMMARY_SERVICE_CLOUD_STORAGE_SIGNED_URL_EXPIRY_SECONDS=0"}, ""},
		{
			[]string{"SUMMARY_SERVICE_ENDPOINT=https://s", "SUMMARY_SERVICE_CLOUD_STORAGE_SIGNED_URL_EXPIRY_SECONDS=0"},
			"SUMMARY_SERVICE_CLOUD_STORAGE_SIGNED_URL_EXPIRY_SECONDS: 0 is no time to read a file in; use 1 or more seconds",
		},
		{[]string{"BREVO_API_CONTACT_LIST_IDS=3,x"}, "BREVO_API_CONTACT_LIST_IDS: 'x' is not the number of a list; write numbers, as 3,12"},
		{[]string{"MEETD_BREVO_URL=brevo"}, "MEETD_BREVO_URL: 'brevo' is not a complete URL; write it as https:// or http://host"},
		{[]string{"MEETD_BREVO_URL=", "BREVO_API_TIMEOUT=0", "MARKETING_SERVICE_CLASS=my.Service"}, ""},
		{[]string{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1", "MEETD_BREVO_URL="}, "MEETD_BREVO_URL: it is empty; set it or remove the variable"},
		{[]string{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1", "BREVO_API_TIMEOUT=0"}, "BREVO_API_TIMEOUT: 0 is not a time to wait; use 1 or more seconds"},
		{[]string{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1", "MARKETING_SERVICE_CLASS=BrevoMarketingService"}, ""},
		{
			[]string{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1", "MARKETING_SERVICE_CLASS=my.Service"},
			"MARKETING_SERVICE_CLASS: 'my.Service' is unknown; use one of core.services.marketing.BrevoMarketingService",
		},
		{[]string{"MEETD_METRICS_LISTEN=9090"}, "MEETD_METRICS_LISTEN: '9090' is not an address; write it as host:port or :port"},
		{[]string{"DJANGO_SENTRY_DSN=https://sentry"}, "DJANGO_SENTRY_DSN: it is no address of a Sentry project; write it as https://key@host/number"},
		{[]string{collector, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.25", "OTEL_EXPORTER_OTLP_HEADERS=a=b%20c,d=e"}, ""},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=c:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT: 'c:4318' is not a complete URL; write it as https:// or http://host"},
		{[]string{collector, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is unknown; use one of http/protobuf"},
		{[]string{collector, "OTEL_TRACES_SAMPLER=xray"}, "OTEL_TRACES_SAMPLER: 'xray' is unknown; use one of parentbased_always_on, parentbased_traceidratio"},
		{
			[]string{collector, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=2"},
			"OTEL_TRACES_SAMPLER_ARG: 2 is out of range; use 0 to 1",
		},
		{[]string{collector, "OTEL_EXPORTER_OTLP_HEADERS=sentinel"}, "OTEL_EXPORTER_OTLP_HEADERS: it is not a list of pairs; write it as name=value,name=value"},
		{[]string{posthog, "ANALYTICS_BACKEND_SETTINGS={'api_key': 'k'}"}, ""},
		{[]string{posthog}, "ANALYTICS_BACKEND_SETTINGS: it has no 'api_key'; write it as {'api_key': 'phc_…'}"},
		{
			[]string{"ANALYTICS_BACKEND=my.Analytics", "ANALYTICS_BACKEND_SETTINGS={'api_key': 'k'}"},
			"ANALYTICS_BACKEND: 'my.Analytics' is unknown; use one of core.analytics.posthog.PostHogAnalytics",
		},
		{
			[]string{posthog, "ANALYTICS_BACKEND_SETTINGS={'api_key': 'k', 'host': 'posthog'}"},
			"ANALYTICS_BACKEND_SETTINGS: 'posthog' is not a complete URL; write it as https:// or http://host",
		},
		{[]string{posthog, "ANALYTICS_BACKEND_SETTINGS={'api_key': 'k', 'host': ''}"}, "ANALYTICS_BACKEND_SETTINGS: 'host' is empty; set it or leave it out"},
		{
			[]string{posthog, "ANALYTICS_BACKEND_SETTINGS={'api_key': 'k', 'feature_flags_cache_ttl': 1.5}"},
			"ANALYTICS_BACKEND_SETTINGS: the value of 'feature_flags_cache_ttl' cannot be used; texts stand in quotes, times are whole seconds",
		},
		{
			[]string{"ANALYTICS_BACKEND_SETTINGS={'api_key': 'phc_sentinel"},
			"ANALYTICS_BACKEND_SETTINGS: Cannot interpret dict value '***'; write it like {'api_key': 'phc_…'}",
		},
		{
			[]string{"FRONTEND_IDLE_DISCONNECT_WARNING_DELAY=-5"},
			"FRONTEND_IDLE_DISCONNECT_WARNING_DELAY: Cannot interpret value '-5'; use a whole number from 0 to 2147483647",
		},
		{[]string{"RECORDING_ENABLE=1"}, fmt.Sprintf(recording, "LIVEKIT_API_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET, AWS_S3_ENDPOINT_URL")},
		{
			[]string{"RECORDING_ENABLE=1", "LIVEKIT_API_URL=http://l", "LIVEKIT_API_KEY=k", "LIVEKIT_API_SECRET=s"},
			fmt.Sprintf(recording, "AWS_S3_ENDPOINT_URL"),
		},
		{[]string{"RECORDING_ENABLE=1", "LIVEKIT_API_URL=http://l", "LIVEKIT_API_KEY=k", "LIVEKIT_API_SECRET=s", "AWS_S3_ENDPOINT_URL=http://m"}, ""},
		{
			[]string{
				"LIVEKIT_INTERNAL_URL=x", "MEET_BASE_URL=x", "STORAGES_STATICFILES_BACKEND=x", "DATA_DIR=x", "SENTRY_DSN=x",
				"SUSTAINED_THROTTLE_RATES=x", "BURST_THROTTLE_RATES=x", "DJANGO_JWT_PRIVATE_SIGNING_KEY=x", "OIDC_OP_BASE_URL=x",
				"DJANGO_SUPERUSER_EMAIL=x", "DJANGO_SUPERUSER_PASSWORD=x", "POSTGRES_PASSWORD=x", "CELERY_RESULT_BACKEND=x",
				"USER_NAME=x", "HOME=x", "DJANGO_SETTINGS_MODULE=x",
			}, "",
		},
	}
	for _, c := range cases {
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if diff := cmp.Diff(want, faultsOf(t, c.vars...)); diff != "" {
			t.Errorf("%v: %s", c.vars, diff)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	vars := []string{
		"DJANGO_CONFIGURATION=Production",
		"DATABASE_URL=hunter2",
		"SESSION_COOKIE_AGE=",
		"LOGGING_LEVEL_LOGGERS_APP=x",
		"AWS_S3_SECRET_ACCESS_KEY_FILE=/none",
		"AWS_S3_ACCESS_KEY_ID_FILE=unreadable",
		"OIDC_USE_NONCE=on",
		"LIVEKIT_DEFAULT_SOURCES=a,b",
		"ROOM_TELEPHONY_PIN_LENGTH=-1",
		"DJANGO_LANGUAGES=a",
		"RECORDING_ENABLE=1",
		"RECORDING_EXPIRATION_DAYS=many",
		"MEETD_RECONCILE_PERIOD=0",
	}
	var names []string
	for _, fault := range faultsOf(t, vars...) {
		name, _, _ := strings.Cut(fault, ":")
		names = append(names, name)
	}
	want := []string{
		"DJANGO_SECRET_KEY", "SESSION_COOKIE_AGE", "DATABASE_URL", "LOGGING_LEVEL_LOGGERS_APP", "AWS_S3_ACCESS_KEY_ID_FILE",
		"AWS_S3_SECRET_ACCESS_KEY_FILE", "OIDC_USE_NONCE", "LIVEKIT_DEFAULT_SOURCES", "LIVEKIT_DEFAULT_SOURCES",
		"ROOM_TELEPHONY_PIN_LENGTH", "DJANGO_LANGUAGES", "RECORDING_EXPIRATION_DAYS", "MEETD_RECONCILE_PERIOD", "RECORDING_ENABLE",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// complete is a configuration without warnings.
var complete = []string{
	"DJANGO_CONFIGURATION=Production", "DJANGO_SECRET_KEY=k", "DJANGO_ALLOWED_HOSTS=meet.example",
	"LIVEKIT_API_URL=wss://l", "LIVEKIT_API_KEY=k", "LIVEKIT_API_SECRET=s",
	"OIDC_RP_CLIENT_SECRET=s", "OIDC_OP_AUTHORIZATION_ENDPOINT=https://p/a", "OIDC_OP_TOKEN_ENDPOINT=https://p/t",
	"OIDC_OP_USER_ENDPOINT=https://p/u", "OIDC_OP_JWKS_ENDPOINT=https://p/j", "LOGIN_REDIRECT_URL=/", "LOGIN_REDIRECT_URL_FAILURE=/",
	"LOGOUT_REDIRECT_URL=/",
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	const token = "RECORDING_STORAGE_EVENT_TOKEN: it is not set, so every storage event is refused; set it or turn RECORDING_ENABLE_STORAGE_EVENT_AUTH off"
	const redirect = "OIDC_REDIRECT_ALLOWED_HOSTS: %s never matches; write host or host:port without scheme"
	cases := []struct {
		vars []string
		want []string
	}{
		{nil, nil},
		{[]string{"DJANGO_ALLOWED_HOSTS="}, []string{"DJANGO_ALLOWED_HOSTS: it is empty, so every request is refused; set it to the names of this server"}},
		{
			[]string{"DJANGO_CSRF_TRUSTED_ORIGINS=meet.example,https://ok"},
			[]string{"DJANGO_CSRF_TRUSTED_ORIGINS: 'meet.example' never matches; write it with its scheme, as https://host"},
		},
		{[]string{"DJANGO_CONFIGURATION=Base", "DJANGO_CSRF_TRUSTED_ORIGINS=meet.example"}, nil},
		{[]string{"AWS_S3_SIGNATURE_VERSION=s3"}, []string{"AWS_S3_SIGNATURE_VERSION: 's3' is not supported, URLs are signed as s3v4; remove the variable"}},
		{[]string{"MEETD_LEGACY_TOKENS=1"}, []string{"MEETD_LEGACY_TOKENS: every participant may mute and remove the others; unset it unless the front end is of early 2025"}},
		{[]string{"AWS_S3_ACCESS_KEY_ID=k"}, []string{"AWS_S3_ACCESS_KEY_ID and AWS_S3_SECRET_ACCESS_KEY: only one of them is set; set both or none"}},
		{[]string{"OIDC_PROXY=http://u:hunter2@p"}, []string{"OIDC_PROXY: it has no effect; set HTTPS_PROXY and NO_PROXY instead"}},
		{
			[]string{`OIDC_REDIRECT_ALLOWED_HOSTS=https://a,["b"],c:1`},
			[]string{fmt.Sprintf(redirect, "'https://a'"), fmt.Sprintf(redirect, `'["b"]'`)},
		},
		{
			[]string{"OIDC_OP_TOKEN_ENDPOINT=", "OIDC_OP_JWKS_ENDPOINT="},
			[]string{"OIDC_OP_TOKEN_ENDPOINT, OIDC_OP_JWKS_ENDPOINT: not set, so login does not work completely; set them"},
		},
		{[]string{"OIDC_OP_JWKS_ENDPOINT=", "OIDC_RP_SIGN_ALGO=HS256"}, nil},
		{[]string{"DJANGO_EMAIL_FROM="}, []string{"DJANGO_EMAIL_FROM: it is empty, so no mail can be sent; write it as name@host or Name <name@host>"}},
		{
			[]string{"DJANGO_EMAIL_APP_BASE_URL=meet.example.org"},
			[]string{"DJANGO_EMAIL_APP_BASE_URL: 'meet.example.org' is not a complete URL, so nobody can click the links of invitations; write it as https://host"},
		},
		{
			[]string{"ANALYTICS_BACKEND=core.analytics.posthog.PostHogAnalytics", "ANALYTICS_BACKEND_SETTINGS={'api_key': 'k', 'feature_flags_cache_ttl': 99999999999}"},
			[]string{"ANALYTICS_BACKEND_SETTINGS: 'feature_flags_cache_ttl' is more than a day; features are looked up once a day"},
		},
		{[]string{"FILE_UPLOAD_ENABLED=0"}, nil},
		{
			[]string{"FILE_UPLOAD_ENABLED=1"},
			[]string{"FILE_UPLOAD_ENABLED: the files API is not there yet, so the front end is told that nothing can be uploaded; turn it off"},
		},
		{[]string{"LIVEKIT_API_KEY="}, []string{"LIVEKIT_API_KEY: not set, so nobody can join a room; set them"}},
		{
			[]string{"LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX=("},
			[]string{"LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX: '(' is not a regular expression (RE2 syntax), events are not filtered; correct it"},
		},
		{
			[]string{"CONNECTION_TEST_ROOM_PREFIX="},
			[]string{"CONNECTION_TEST_ROOM_PREFIX: it is empty, so rooms of connection tests are not told from others; set it or remove the variable"},
		},
		{[]string{"DJANGO_LANGUAGE_CODE=xx"}, []string{"DJANGO_LANGUAGE_CODE: 'xx' is not one of DJANGO_LANGUAGES; add it there"}},
		{[]string{"RECORDING_STORAGE_EVENT_ENABLE=1"}, []string{token}},
		{[]string{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1"}, []string{
			"BREVO_API_KEY: Brevo API key is required; until it is set, nobody is signed up",
			"BREVO_API_CONTACT_LIST_IDS: Default Brevo List IDs must be configured in settings. Until they are, nobody is signed up",
		}},
		{[]string{"SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1", "BREVO_API_KEY=k", "BREVO_API_CONTACT_LIST_IDS=3"}, nil},
		{
			[]string{"ANALYTICS_BACKEND=core.analytics.posthog.PostHogAnalytics", "ANALYTICS_BACKEND_SETTINGS={'api_key': 'k', 'feature_flags_cache_prefix': 'p', 'gzip': True}"},
			[]string{"ANALYTICS_BACKEND_SETTINGS: 'gzip' has no effect; leave it out"},
		},
		{[]string{"SUMMARY_SERVICE_ENDPOINT=https://s", "SUMMARY_SERVICE_API_TOKEN=t", "SUMMARY_SERVICE_VERSION=2"}, nil},
		{[]string{"SUMMARY_SERVICE_ENDPOINT=https://s", "SUMMARY_SERVICE_VERSION=2"}, []string{
			"SUMMARY_SERVICE_API_TOKEN: it is not set, so no recording is handed to the summary service; set it",
		}},
		{[]string{"SUMMARY_SERVICE_ENDPOINT=https://s", "SUMMARY_SERVICE_API_TOKEN=t"}, []string{
			"SUMMARY_SERVICE_VERSION: version 1 is old; use 2 if the summary service knows it",
		}},
		{[]string{"RECORDING_STORAGE_EVENT_ENABLE=1", "RECORDING_STORAGE_EVENT_TOKEN=t"}, nil},
		{[]string{"RECORDING_STORAGE_EVENT_ENABLE=1", "RECORDING_ENABLE_STORAGE_EVENT_AUTH=0"}, nil},
		{
			[]string{"SCREEN_RECORDING_BASE_URL=https://s", "RECORDING_DOWNLOAD_BASE_URL=https://d"},
			[]string{"SCREEN_RECORDING_BASE_URL: it is deprecated; use RECORDING_DOWNLOAD_BASE_URL"},
		},
	}
	for _, c := range cases {
		cfg := loadVars(t, append(slices.Clone(complete), c.vars...)...)
		if diff := cmp.Diff(c.want, cfg.Warnings); diff != "" {
			t.Errorf("%v: %s", c.vars, diff)
		}
	}
	if !loadVars(t, "SIGNUP_NEW_USER_TO_MARKETING_EMAIL=1", "BREVO_API_KEY=k", "BREVO_API_CONTACT_LIST_IDS=3").Marketing.SignUp {
		t.Error("nothing is missing, yet nobody is signed up")
	}
	if filter := loadVars(t, "LIVEKIT_WEBHOOK_EVENTS_FILTER_REGEX=(").LiveKit.WebhookFilter; filter != nil {
		t.Errorf("the filter is %v, want off", filter)
	}
}

// TestNoSecretIsPrinted gives every secret a value that would be recognized.
func TestNoSecretIsPrinted(t *testing.T) {
	t.Parallel()
	const leak = "hunter2"
	vars := map[string]string{}
	for _, s := range loadVars(t).Table() {
		if s.Kind == KindSecret {
			vars[s.Name] = leak + s.Name
		}
	}
	if len(vars) < 8 {
		t.Fatalf("only %d secrets found", len(vars))
	}
	vars["DATABASE_URL"] = "postgres://u:" + leak + "@h/n?sslpassword=" + leak
	vars["DJANGO_SENTRY_DSN"] = "https://" + leak + "@sentry/1"
	vars["OTEL_EXPORTER_OTLP_ENDPOINT"], vars["OTEL_EXPORTER_OTLP_HEADERS"] = "https://collector", "x-key="+leak
	vars["ANALYTICS_BACKEND"], vars["ANALYTICS_BACKEND_SETTINGS"] = "core.analytics.posthog.PostHogAnalytics", `{"api_key": "`+leak+`"}`
	vars["OIDC_PROXY"] = "http://u:" + leak + "@proxy"
	vars["MEETD_WEBHOOK_URLS"] = "https://h/hook?key=" + leak
	vars["MEETD_WEBHOOK_SECRET"] = base64.StdEncoding.EncodeToString([]byte(leak + leak + leak + leak))

	withURL := maps.Clone(vars)
	delete(vars, "DATABASE_URL")
	for _, vars := range []map[string]string{vars, withURL} {
		lookup, readFile := env(vars, nil)
		c, err := load(lookup, readFile, noAddress)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(c.Database.DSN(), leak) || c.OIDC.ClientSecret.Reveal() != leak+"OIDC_RP_CLIENT_SECRET" {
			t.Fatal("the secrets were not read")
		}
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb+"\n", c)
			fmt.Fprintf(&out, verb+"\n", *c)
			fmt.Fprintf(&out, verb+"\n", c.Table())
		}
		for _, v := range []any{c, c.Table()} {
			if err := json.NewEncoder(&out).Encode(v); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.WriteTable(&out); err != nil {
			t.Fatal(err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("config", "config", c, "value", *c)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("config", "config", c, "value", *c)
		for _, text := range []string{leak, vars["MEETD_WEBHOOK_SECRET"], fmt.Sprintf("%x", leak)} {
			if i := strings.Index(out.String(), text); i >= 0 {
				t.Errorf("a secret is printed: …%q…", out.String()[max(0, i-80):i+40])
			}
		}
	}

	vars["RECORDING_ENABLE"] = "1"
	vars["DATABASE_URL"] = leak
	vars["AWS_S3_DOMAIN_REPLACE"] = "ftp://u:" + leak + "@host"
	vars["OIDC_TIMEOUT"] = "0"
	lookup, readFile := env(vars, nil)
	_, err := load(lookup, readFile, noAddress)
	if err == nil || strings.Contains(err.Error(), leak) {
		t.Errorf("error %v", err)
	}
}

// Telephone numbers as people write them (http-recordings-files.md §4).
func TestPhone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		number, country string
		want            Phone
	}{
		{"0123456789", "FR", Phone{"FR", "+33 1 23 45 67 89"}},
		{"+33123456789", "US", Phone{"FR", "+33 1 23 45 67 89"}},
		{"2025550123", "US", Phone{"US", "+1 202-555-0123"}},
		{"03012345678", "DE", Phone{"DE", "+49 30 12345678"}},
		{"", "FR", Phone{}},
		{"nonsense", "FR", Phone{}},
		{"1", "FR", Phone{}},
		{"0123456789", "XX", Phone{}},
	} {
		got := loadVars(t, "ROOM_TELEPHONY_PHONE_NUMBER="+c.number, "ROOM_TELEPHONY_DEFAULT_COUNTRY="+c.country)
		if got.FrontEnd.Phone != c.want {
			t.Errorf("%s in %s: %+v, want %+v", c.number, c.country, got.FrontEnd.Phone, c.want)
		}
		if warned := slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.HasPrefix(w, "ROOM_TELEPHONY_PHONE_NUMBER") }); warned != (c.number != "" && c.want.Number == "") {
			t.Errorf("%s in %s: warnings %q", c.number, c.country, got.Warnings)
		}
	}
}
