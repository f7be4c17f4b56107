// Package op is the OpenID provider of the development stack and the tests.
//
// The protocol (discovery, authorization code with PKCE, tokens, keys,
// introspection, end of session) is done by zitadel/oidc; this package adds the
// users, the login page, the provider's own session that makes prompt=none
// work, and the userinfo answer, whose claims can be bent into every form that
// real providers send. Loopback http is allowed and everything is forgotten
// when the process ends.
//
// It knows nothing of the application: clients and users are given to New.
package op
