package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
)

// maxKeyAge is how long the provider's keys are believed without asking again.
const maxKeyAge = time.Hour

var (
	errNoKeyID    = errors.New("the token does not name its key")
	errUnknownKey = errors.New("the provider has no key of that name and algorithm")
)

// minSecret is the longest secret the library insists on, in bytes (HS512).
const minSecret = 64

// secretKey verifies what the provider signed with the client's secret.
type secretKey string

// VerifySignature implements oidc.KeySet.
func (k secretKey) VerifySignature(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	key := []byte(k)
	if len(key) < minSecret {
		// The library wants long secrets. Zeros at the end of a short one change
		// no HMAC: that is how it is defined (RFC 2104).
		key = append(key, make([]byte, minSecret-len(key))...)
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, fmt.Errorf("verify with the client secret: %w", err)
	}
	return payload, nil
}

// remoteKeys are the keys the provider publishes. They are our own rather than
// zitadel's: a token must name its key (oidc.md §3), and strangers who send
// logout tokens with invented names must not make us ask the provider each time.
type remoteKeys struct {
	url    string
	client *http.Client
	fetch  singleflight.Group
	extra  *rate.Limiter // of refreshes for a name that is not known

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time
}

func newRemoteKeys(url string, client *http.Client) *remoteKeys {
	return &remoteKeys{url: url, client: client, extra: rate.NewLimiter(rate.Every(10*time.Second), 5)}
}

// VerifySignature implements oidc.KeySet. A name that is not known is asked for
// once: the provider may have begun to use a new key.
func (k *remoteKeys) VerifySignature(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	header := jws.Signatures[0].Header
	if header.KeyID == "" {
		return nil, errNoKeyID
	}
	key, fresh := k.find(header)
	if !fresh || (key == nil && k.extra.Allow()) {
		if err := k.refresh(ctx); err != nil {
			return nil, err
		}
		key, _ = k.find(header)
	}
	if key == nil {
		return nil, errUnknownKey
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, fmt.Errorf("verify with key %q: %w", header.KeyID, err)
	}
	return payload, nil
}

// find takes the last key that fits, as the Django backend does.
func (k *remoteKeys) find(h jose.Header) (key *jose.JSONWebKey, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, candidate := range k.keys {
		if candidate.KeyID == h.KeyID && candidate.Use != "enc" && (candidate.Algorithm == "" || candidate.Algorithm == h.Algorithm) {
			key = &candidate
		}
	}
	return key, time.Since(k.fetched) < maxKeyAge
}

// refresh fetches the keys; whoever needs them meanwhile waits for the same
// answer.
func (k *remoteKeys) refresh(ctx context.Context) error {
	_, err, _ := k.fetch.Do("", func() (any, error) {
		set, err := k.get(context.WithoutCancel(ctx))
		if err != nil {
			return nil, upstream("JWKS endpoint", err)
		}
		k.mu.Lock()
		defer k.mu.Unlock()
		k.keys, k.fetched = set.Keys, time.Now() //nolint:forbidigo // an age, not a moment that is kept
		return nil, nil
	})
	return err //nolint:wrapcheck // says where it comes from
}

func (k *remoteKeys) get(ctx context.Context) (*jose.JSONWebKeySet, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, fmt.Errorf("OIDC_OP_JWKS_ENDPOINT: %w", err)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // names the request
	}
	defer resp.Body.Close() //nolint:errcheck // read as far as it is wanted
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	// Keys of kinds we do not know must not hide the others.
	var raw struct{ Keys []json.RawMessage }
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&raw); err != nil {
		return nil, fmt.Errorf("not a key set: %w", err)
	}
	set := &jose.JSONWebKeySet{}
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil && key.IsPublic() {
			set.Keys = append(set.Keys, key)
		}
	}
	return set, nil
}

// OwnKey is our private key, to which others encrypt (OIDC_RS_PRIVATE_KEY_STR).
type OwnKey struct {
	private    any
	algorithm  jose.KeyAlgorithm
	encryption jose.ContentEncryption
}

// ErrNoKey means that no private key is configured.
var ErrNoKey = errors.New("OIDC_RS_PRIVATE_KEY_STR setting is missing or empty.") //nolint:revive,staticcheck // the contract's words

// ErrBadKey means that the private key cannot be read.
var ErrBadKey = errors.New("Could not load key") //nolint:staticcheck // the contract's words

// ParseOwnKey reads a private key, in PEM or as a JWK, that is used with the key
// algorithm and content encryption named (OIDC_RS_ENCRYPTION_ALGO and
// OIDC_RS_ENCRYPTION_ENCODING). The error is ErrNoKey or wraps ErrBadKey.
func ParseOwnKey(text, algorithm, encryption string) (*OwnKey, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, ErrNoKey
	}
	private, err := parsePrivate([]byte(text))
	if err != nil {
		return nil, errors.Join(ErrBadKey, err)
	}
	switch private.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey:
		return &OwnKey{private, jose.KeyAlgorithm(algorithm), jose.ContentEncryption(encryption)}, nil
	}
	return nil, fmt.Errorf("%w: it is neither an RSA nor an EC key", ErrBadKey)
}

func parsePrivate(text []byte) (any, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(text); err != nil {
			return nil, errors.New("it is neither PEM nor a JWK") // the cause might show the text
		}
		return key.Key, nil
	}
	for _, parse := range []func([]byte) (any, error){
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		if key, err := parse(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("PEM block %q holds no private key", block.Type)
}

// Public is the key set that is served at /jwks (oidc.md §8).
func (k *OwnKey) Public() ([]byte, error) {
	signer, ok := k.private.(crypto.Signer)
	if !ok {
		return nil, ErrBadKey
	}
	key := jose.JSONWebKey{Key: signer.Public(), Algorithm: string(k.algorithm), Use: "enc"}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, errors.Join(ErrBadKey, err)
	}
	key.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
}

// decrypt opens a compact JWE.
func (k *OwnKey) decrypt(token string) ([]byte, error) {
	jwe, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{k.algorithm}, []jose.ContentEncryption{k.encryption})
	if err != nil {
		return nil, fmt.Errorf("parse the encrypted token: %w", err)
	}
	text, err := jwe.Decrypt(k.private)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	return text, nil
}
