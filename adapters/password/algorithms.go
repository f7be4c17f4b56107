package password

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // what old rows were hashed with
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// What one verification may cost: some seconds and 256 MiB. Django's defaults
// are at most a tenth of it.
const (
	maxIterations  = 10_000_000
	maxArgonMemory = 256 << 10 // KiB
	maxArgonWork   = 1 << 20   // KiB × passes
	maxThreads     = 64
	maxBcryptCost  = 15
	maxScryptBlock = 1 << 21 // N × r: 128 bytes each
	maxScryptWork  = 1 << 23 // N × r × p
)

// stored is a hash that was read and found affordable.
type stored struct {
	matches func(plain string) (bool, error)
	current bool // as good as what Hash writes
}

// algorithms read what follows the name and the first dollar.
var algorithms = map[string]func(rest string) (stored, error){
	"pbkdf2_sha256": func(rest string) (stored, error) { return parsePBKDF2(rest, sha256.New, sha256.Size) },
	"pbkdf2_sha1":   func(rest string) (stored, error) { return parsePBKDF2(rest, sha1.New, sha1.Size) },
	"argon2":        parseArgon2,
	"bcrypt":        func(rest string) (stored, error) { return parseBcrypt(rest, func(s string) string { return s }) },
	"bcrypt_sha256": func(rest string) (stored, error) { return parseBcrypt(rest, hexSHA256) },
	"scrypt":        parseScrypt,
}

// parsePBKDF2 reads iterations$salt$hash.
func parsePBKDF2(rest string, digest func() hash.Hash, size int) (stored, error) {
	f := strings.Split(rest, "$")
	if len(f) != 3 {
		return stored{}, errForm
	}
	rounds, err := number(f[0], maxIterations)
	if err != nil {
		return stored{}, err
	}
	want, err := base64.StdEncoding.Strict().DecodeString(f[2])
	if err != nil || len(want) != size {
		return stored{}, errForm
	}
	return stored{
		matches: func(plain string) (bool, error) {
			got, err := pbkdf2.Key(digest, plain, []byte(f[1]), rounds, size)
			return same(got, want), err
		},
		current: size == hashLength && rounds >= iterations && len(f[1]) >= saltLength,
	}, nil
}

// parseArgon2 reads argon2id$v=19$m=KiB,t=passes,p=threads$salt$hash, or
// argon2i.
func parseArgon2(rest string) (stored, error) {
	f := strings.Split(rest, "$")
	if len(f) != 5 || f[1] != "v="+strconv.Itoa(argon2.Version) {
		return stored{}, errForm
	}
	derive := map[string]func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte{
		"argon2id": argon2.IDKey, "argon2i": argon2.Key,
	}[f[0]]
	if derive == nil {
		return stored{}, errForm
	}
	var cost [3]int // memory, passes, threads
	given := strings.Split(f[2], ",")
	if len(given) != len(cost) {
		return stored{}, errForm
	}
	for i, limit := range []int{maxArgonMemory, maxArgonWork, maxThreads} {
		value, ok := strings.CutPrefix(given[i], []string{"m=", "t=", "p="}[i])
		if !ok {
			return stored{}, errForm
		}
		var err error
		if cost[i], err = number(value, limit); err != nil {
			return stored{}, err
		}
	}
	if cost[0] < 8*cost[2] || cost[0]*cost[1] > maxArgonWork {
		return stored{}, errCost
	}
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(f[3])
	want, err := base64.RawStdEncoding.Strict().DecodeString(f[4])
	if saltErr != nil || err != nil || len(salt) < 8 || len(want) < 4 {
		return stored{}, errForm
	}
	return stored{matches: func(plain string) (bool, error) {
		got := derive([]byte(plain), salt, uint32(cost[1]), uint32(cost[0]), uint8(cost[2]), uint32(len(want))) //nolint:gosec // all are bounded above
		return same(got, want), nil
	}}, nil
}

// parseBcrypt reads $2b$cost$salt-and-hash. Only the first 72 bytes of a password
// count; bcrypt_sha256 hashes it before, so that all of it does.
func parseBcrypt(rest string, before func(string) string) (stored, error) {
	if len(rest) != 60 || !strings.HasPrefix(rest, "$2a$") && !strings.HasPrefix(rest, "$2b$") && !strings.HasPrefix(rest, "$2y$") {
		return stored{}, errForm
	}
	cost, err := bcrypt.Cost([]byte(rest))
	if err != nil {
		return stored{}, errForm
	}
	if cost > maxBcryptCost {
		return stored{}, errCost
	}
	return stored{matches: func(plain string) (bool, error) {
		err := bcrypt.CompareHashAndPassword([]byte(rest), []byte(before(plain)))
		if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return false, nil
		}
		return err == nil, err
	}}, nil
}

func hexSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// parseScrypt reads N$salt$r$p$hash.
func parseScrypt(rest string) (stored, error) {
	f := strings.Split(rest, "$")
	if len(f) != 5 {
		return stored{}, errForm
	}
	var cost [3]int // N, r, p
	for i, value := range []string{f[0], f[2], f[3]} {
		var err error
		if cost[i], err = number(value, maxScryptBlock); err != nil {
			return stored{}, err
		}
	}
	n, r, p := cost[0], cost[1], cost[2]
	// The last clause bounds the product: each factor is below 2^22.
	if n < 2 || n&(n-1) != 0 || p > maxThreads || r > maxScryptBlock/n || n*r*p > maxScryptWork {
		return stored{}, errCost
	}
	want, err := base64.StdEncoding.Strict().DecodeString(f[4])
	if err != nil || len(want) != 64 {
		return stored{}, errForm
	}
	return stored{matches: func(plain string) (bool, error) {
		got, err := scrypt.Key([]byte(plain), []byte(f[1]), n, r, p, len(want))
		return same(got, want), err
	}}, nil
}

func same(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

var errCost = errors.New("its cost is not between what is possible and what is affordable")

// number reads a decimal number from 1 to limit.
func number(s string, limit int) (int, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, errForm
	case err != nil || n < 1 || n > uint64(limit): //nolint:gosec // limits are positive
		return 0, fmt.Errorf("%w: %s", errCost, s)
	}
	return int(n), nil
}
