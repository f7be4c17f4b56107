package app

import (
	"errors"
	"net"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Database is the connection to PostgreSQL.
type Database struct {
	URL      Secret // postgres://…, with the password
	Address  string // host, port and name for logs
	PoolSize int
}

// DSN returns the connection URL with its password.
func (d Database) DSN() string { return d.URL.Reveal() }

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
