// Package op is the OpenID provider of the development stack and the tests.
//
// The protocol (discovery, authorization code with PKCE, tokens, keys,
// introspection, end of session) is done by zitadel/oidc; this package adds the
// users, the login page, the provider's own session that makes prompt=none
// work, back-channel logout, key rotation, and the userinfo answer, whose claims
// can be bent into every form that real providers send. What the token, userinfo
// and JWKS endpoints say can be tampered with (Provider.Tamper), so that tests
// see every lie and failure of a provider. Loopback http is allowed and
// everything is forgotten when the process ends.
//
// It knows nothing of the application: clients and users are given to New.
package op
