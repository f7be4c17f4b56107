package app

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"meetd/adapters/oidc"
	"meetd/ports"
)

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

	StartRate    ports.Rate // logins of browsers that were not seen before, for each address
	CallbackRate ports.Rate // answers of the provider, for each address
	FailureRate  ports.Rate // failed logins and logout tokens, for each address
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
		StartRate:             r.rate("MEETD_LOGIN_START_THROTTLE_RATES", "1200/minute"),
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
