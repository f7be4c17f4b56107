package password

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"meetd/ports"
)

// What Hash writes.
const (
	iterations = 1_000_000
	saltLength = 22
	hashLength = sha256.Size
)

// Hasher is the package as a port.
type Hasher struct{}

var _ ports.Passwords = Hasher{}

// Hash calls Hash.
func (Hasher) Hash(plain string) (string, error) { return Hash(plain) }

// Verify calls Verify.
func (Hasher) Verify(encoded, plain string) (ok, outdated bool, err error) {
	return Verify(encoded, plain)
}

// Hash makes a new salt and returns what is stored: pbkdf2_sha256 with a million
// iterations, 89 characters. It takes some hundred milliseconds of work.
func Hash(plain string) (string, error) { return encode(plain, newSalt()) }

func encode(plain, salt string) (string, error) {
	key, err := pbkdf2.Key(sha256.New, plain, []byte(salt), iterations, hashLength)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$%s$%s", iterations, salt, base64.StdEncoding.EncodeToString(key)), nil
}

// newSalt draws letters and digits, each with the same chance.
func newSalt() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	salt := make([]byte, 0, saltLength)
	for len(salt) < saltLength {
		b := make([]byte, 2*saltLength)
		_, _ = rand.Read(b) // never fails
		for _, c := range b {
			if c < 4*62 && len(salt) < saltLength {
				salt = append(salt, alphabet[c%62])
			}
		}
	}
	return string(salt)
}

// maxEncoded is more than any column holds.
const maxEncoded = 512

var errForm = errors.New("it is not in the form of its algorithm")

// Verify tells whether plain is the password that encoded was made of, and if it
// is whether encoded is weaker than what Hash writes today. Nothing matches an
// unusable password (it starts with "!"), the empty string, or an algorithm that
// is not known here. The error, without a word of either, is about a hash that
// is damaged or would cost too much.
func Verify(encoded, plain string) (ok, outdated bool, err error) {
	algorithm, rest, _ := strings.Cut(encoded, "$")
	parse, known := algorithms[algorithm]
	if !known {
		return false, false, nil
	}
	if len(encoded) > maxEncoded {
		return false, false, fmt.Errorf("stored password: %d characters are too many", len(encoded))
	}
	s, err := parse(rest)
	if err == nil {
		ok, err = s.matches(plain)
	}
	if err != nil {
		return false, false, fmt.Errorf("stored password (%s): %w", algorithm, err)
	}
	return ok, ok && !s.current, nil
}
