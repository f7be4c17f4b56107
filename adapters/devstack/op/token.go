package op

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Token is a JWT that is not signed yet. Its header decides how it will be:
// "alg" is RS256, ES256, HS256 or none, whatever the provider announces.
type Token struct {
	Header, Claims map[string]any
	// Key is an *rsa.PrivateKey, an *ecdsa.PrivateKey or, for HS256, the bytes
	// of the secret.
	Key any
}

// Sign returns the token in its compact form. It fails if the key does not suit
// the algorithm.
func (t *Token) Sign() (string, error) {
	header, err := json.Marshal(t.Header)
	if err != nil {
		return "", fmt.Errorf("header of a token: %w", err)
	}
	claims, err := json.Marshal(t.Claims)
	if err != nil {
		return "", fmt.Errorf("claims of a token: %w", err)
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	signature, err := t.signature(input)
	if err != nil {
		return "", err
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (t *Token) signature(input string) ([]byte, error) {
	digest := sha256.Sum256([]byte(input))
	switch t.Header["alg"] {
	case "none":
		return nil, nil
	case string(jose.RS256):
		if key, ok := t.Key.(*rsa.PrivateKey); ok {
			return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		}
	case string(jose.ES256):
		if key, ok := t.Key.(*ecdsa.PrivateKey); ok {
			r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
			if err != nil {
				return nil, err
			}
			return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
		}
	case string(jose.HS256):
		if key, ok := t.Key.([]byte); ok {
			mac := hmac.New(sha256.New, key)
			_, _ = mac.Write([]byte(input)) // never fails
			return mac.Sum(nil), nil
		}
	}
	return nil, fmt.Errorf("a token cannot be signed with algorithm %v and a key of type %T", t.Header["alg"], t.Key)
}

// Encryption is how an answer is encrypted, with A256GCM, for one client.
type Encryption struct {
	Algorithm jose.KeyAlgorithm // RSA-OAEP, RSA-OAEP-256, ECDH-ES …
	Key       any               // public key of the client
	KeyID     string            // header kid; empty means none
}

// encrypt returns a JWE around the content, whose type (cty) may be empty.
func (e *Encryption) encrypt(content []byte, contentType jose.ContentType) (string, error) {
	var options jose.EncrypterOptions
	if contentType != "" {
		options.WithContentType(contentType)
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: e.Algorithm, Key: e.Key, KeyID: e.KeyID}, &options)
	if err != nil {
		return "", fmt.Errorf("encrypt for a client: %w", err)
	}
	jwe, err := encrypter.Encrypt(content)
	if err != nil {
		return "", fmt.Errorf("encrypt for a client: %w", err)
	}
	return jwe.CompactSerialize()
}

// claimsOf reads a token without looking at its signature.
func claimsOf(compact string) (map[string]any, error) {
	jws, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, decode(jws.UnsafePayloadWithoutVerification(), &claims)
}
