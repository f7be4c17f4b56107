// Package oidc is the relying party: it sends browsers to the OpenID provider
// and redeems what they bring back (oidc.md §2 and §3). It is built on zitadel's
// client, whose single checks are composed here, because the endpoints come
// from the settings and not from discovery, and the issuer may be unknown.
package oidc
