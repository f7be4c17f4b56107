package op

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	zop "github.com/zitadel/oidc/v3/pkg/op"
)

// signingKey is a key of the provider.
type signingKey struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
	published bool
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }
func (k signingKey) Key() any                                    { return k.private }

// publicKey is its public half.
type publicKey signingKey

func (k publicKey) ID() string                         { return k.id }
func (k publicKey) Algorithm() jose.SignatureAlgorithm { return k.algorithm }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return k.private.Public() }

// newKey makes a key for the algorithm. A provider that signs with the secrets
// of its clients (HS256) has an RSA key too, for its access tokens.
func newKey(algorithm jose.SignatureAlgorithm) (signingKey, error) {
	key := signingKey{id: rand.Text(), algorithm: algorithm, published: true}
	var err error
	switch algorithm {
	case jose.ES256:
		key.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.RS256, jose.HS256:
		key.algorithm = jose.RS256
		key.private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		return signingKey{}, fmt.Errorf("the OpenID provider cannot sign with %s: choose RS256, ES256 or HS256", algorithm)
	}
	if err != nil {
		return signingKey{}, fmt.Errorf("make the signing key of the OpenID provider: %w", err)
	}
	return key, nil
}

// RotateKey makes a new signing key with another id. The old ones are no longer
// published unless keep is set; the provider itself still knows them.
func (p *Provider) RotateKey(keep bool) error {
	key, err := newKey(p.storage.algorithm)
	if err != nil {
		return err
	}
	p.storage.mu.Lock()
	defer p.storage.mu.Unlock()
	for i := range p.storage.keys {
		p.storage.keys[i].published = p.storage.keys[i].published && keep
	}
	p.storage.keys = append(p.storage.keys, key)
	return nil
}

// PublicKey is the public half of the key that signs now, an *rsa.PublicKey or
// an *ecdsa.PublicKey, and its id.
func (p *Provider) PublicKey() (key crypto.PublicKey, id string) {
	now := p.storage.key()
	return now.private.Public(), now.id
}

func (s *storage) key() signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[len(s.keys)-1]
}

// newToken is a token for a client, ready to be signed as it expects it.
func (s *storage) newToken(clientID, typ string, claims map[string]any) *Token {
	if s.algorithm == jose.HS256 {
		return &Token{
			Header: map[string]any{"alg": string(jose.HS256), "typ": typ}, Claims: claims,
			Key: []byte(s.clients[clientID].Secret),
		}
	}
	key := s.key()
	return &Token{
		Header: map[string]any{"alg": string(key.algorithm), "kid": key.id, "typ": typ}, Claims: claims, Key: key.private,
	}
}

func (s *storage) SigningKey(context.Context) (zop.SigningKey, error) { return s.key(), nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{s.algorithm}, nil
}

func (s *storage) KeySet(context.Context) ([]zop.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := []zop.Key{}
	for _, key := range s.keys {
		if key.published {
			keys = append(keys, publicKey(key))
		}
	}
	return keys, nil
}

// ownKeys verifies what this provider has signed itself, whatever it publishes.
type ownKeys struct{ *storage }

// VerifySignature returns the payload of a token with a good signature.
func (s ownKeys) VerifySignature(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	if jws.Signatures[0].Header.Algorithm == string(jose.HS256) {
		return s.verifyWithSecret(jws)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.keys {
		if key.id == jws.Signatures[0].Header.KeyID {
			return jws.Verify(key.private.Public())
		}
	}
	return nil, errUnknownKey
}

// verifyWithSecret does what the library refuses for secrets under 32 bytes.
func (s ownKeys) verifyWithSecret(jws *jose.JSONWebSignature) ([]byte, error) {
	payload := jws.UnsafePayloadWithoutVerification()
	var claims struct{ Azp string }
	if err := decode(payload, &claims); err != nil {
		return nil, err
	}
	client, ok := s.clients[claims.Azp]
	if !ok || client.Secret == "" {
		return nil, errUnknownClient
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		return nil, err
	}
	input := compact[:strings.LastIndexByte(compact, '.')]
	want, err := (&Token{Header: map[string]any{"alg": string(jose.HS256)}, Key: []byte(client.Secret)}).signature(input)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(jws.Signatures[0].Signature, want) != 1 {
		return nil, errUnknownKey
	}
	return payload, nil
}
