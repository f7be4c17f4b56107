package password

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// golden is what Django 5.2 makes of s3cret (database.md §5).
const golden = "pbkdf2_sha256$1000000$abcdefghijklmnopqrstuv$EY+7ovJAqxjwt/daUr0DEYhWWQjAKXTKWYRnKapI3ow="

// Made by Django, argon2-cffi, bcrypt and hashlib of Python.
var vectors = []struct{ plain, encoded string }{
	{"pässwörd ✓", "pbkdf2_sha256$260000$saltSALT1234$B5UN4msCnHUdQTZffyJ2dffD19huzWjSqvhJsEGEiOQ="},
	{"", "pbkdf2_sha256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc="},
	{"s3cret", "pbkdf2_sha1$1000$abcdefghijkl$IQ6BsUqUmcrv+0HIIwu31LFvGtA="},
	{"s3cret", "argon2$argon2id$v=19$m=102400,t=2,p=8$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dg$MT00MohL4q6EGeZYdNUXMQ"},
	{"s3cret", "argon2$argon2i$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$MQ4aLpOAfLS6q8qFrWQvAA"},
	{"s3cret", "argon2$argon2id$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$1NcYUABXkHGv56PjrfZxYA"},
	{"pä", "argon2$argon2id$v=19$m=100,t=3,p=3$c2FsdHNhbHRzYWx0c2FsdA$lTgQjJ+/fcRSEp5Z6vPhQHNspYOnQ1/94uIUpyrkq0Y"},
	{"s3cret", "bcrypt_sha256$$2b$04$29PDGsZT4D1dpLr86K/XZuwW3CxFx4ZgOPCrGieYdhaAMazGR5YCi"},
	{strings.Repeat("x", 100) + "é", "bcrypt_sha256$$2b$04$azIq5IrPtR1Ts4MSJyMY8.Zuyr0g.qLaoBXTu9.lu8Gcv9T6TAfBC"},
	{"s3cret", "bcrypt$$2b$04$ttK7eOMMKdpXSbqiREhD2./xhubU6dEFlGu/K9p7283abi7KjMbUG"},
	{strings.Repeat("z", 72) + "tail", "bcrypt$$2b$04$0gi4JiwBgcxLSCAbNCIEbu2xcFpkexQo0l/fCHATo2pODMmIa/HfG"},
	{"s3cret", "scrypt$16384$abcdefghijklmnopqrstuv$8$5$P8HEVhG7665lmBsjgBKZLc29SwSetKOFWdRLVkiPZzmXSQ7TNTXp/Mw1db3U2k7uZUK1QJJHx5+tGo/ayvHd2A=="},
	{"pä", "scrypt$16$salt$1$1$2XLu99OAFqvLG2sGQrPmbeeXU5IVCiwXssy8UpORYB4fDGXQ3rbDjCX9ZoeyaHiZDfYziJGPWMcJ1yq3VbPFDw=="},
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		if ok, outdated, err := Verify(v.encoded, v.plain); !ok || !outdated || err != nil {
			t.Errorf("%s: %t, outdated %t, %v", v.encoded, ok, outdated, err)
		}
		if strings.Contains(v.encoded, "102400") || strings.Contains(v.encoded, "16384") || strings.Contains(v.encoded, "260000") {
			continue // as costly as real ones
		}
		if ok, outdated, err := Verify(v.encoded, "x"+v.plain); ok || outdated || err != nil {
			t.Errorf("%s with another password: %t, outdated %t, %v", v.encoded, ok, outdated, err)
		}
	}
}

func TestOutdated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rounds, salt string
		current      bool
	}{
		{"999999", "abcdefghijklmnopqrstuv", false},
		{"1000000", "abcdefghijklmnopqrstu", false},
		{"1000000", "abcdefghijklmnopqrstuv", true},
		{"1200000", "abcdefghijklmnopqrstuv", true}, // a newer Django: never made weaker
	} {
		s, err := algorithms["pbkdf2_sha256"](c.rounds + "$" + c.salt + "$EY+7ovJAqxjwt/daUr0DEYhWWQjAKXTKWYRnKapI3ow=")
		if err != nil || s.current != c.current {
			t.Errorf("%s rounds, salt %s: current %t, %v", c.rounds, c.salt, s.current, err)
		}
	}
}

func TestHash(t *testing.T) {
	t.Parallel()
	if got, err := encode("s3cret", "abcdefghijklmnopqrstuv"); err != nil || got != golden {
		t.Errorf("%s, %v", got, err)
	}
	form := regexp.MustCompile(`^pbkdf2_sha256\$1000000\$[A-Za-z0-9]{22}\$[A-Za-z0-9+/]{43}=$`)
	encoded, err := (Hasher{}).Hash("correct horse")
	if err != nil || !form.MatchString(encoded) {
		t.Errorf("%s, %v", encoded, err)
	}
	if ok, outdated, err := (Hasher{}).Verify(encoded, "correct horse"); !ok || outdated || err != nil {
		t.Errorf("%s: %t, outdated %t, %v", encoded, ok, outdated, err)
	}
	used := map[rune]int{}
	salts := map[string]bool{}
	for range 1000 {
		salt := newSalt()
		salts[salt] = true
		for _, c := range salt {
			used[c]++
		}
	}
	if len(salts) != 1000 {
		t.Errorf("%d different salts of 1000", len(salts))
	}
	for c, n := range used { // 355 on average
		if n < 250 || n > 460 {
			t.Errorf("%c is in salts %d times of 22000", c, n)
		}
	}
	if len(used) != 62 {
		t.Errorf("salts are made of %d characters", len(used))
	}
}

// Accounts without a password, and what is not known here, match nothing.
func TestNothingMatches(t *testing.T) {
	t.Parallel()
	for _, encoded := range []string{
		"", "!", "!abc", "!" + golden, "s3cret", "plain$s3cret", "md5$salt$5d41402abc4b2a76b9719d911017c592",
		"sha1$salt$x", "PBKDF2_SHA256$1$x$yb9iKunqNijXRQKUvO6LoyiwVgfOzKs1+3gaWy8rzxc=", "$",
		"pbkdf2_sha512$1$x$y", " " + golden,
	} {
		for _, plain := range []string{"", encoded, "s3cret", "!"} {
			if ok, outdated, err := Verify(encoded, plain); ok || outdated || err != nil {
				t.Errorf("%q with %q: %t, outdated %t, %v", encoded, plain, ok, outdated, err)
			}
		}
	}
}

// What is damaged or too expensive is refused without the work.
func TestRefused(t *testing.T) {
	t.Parallel()
	const (
		h32 = "EY+7ovJAqxjwt/daUr0DEYhWWQjAKXTKWYRnKapI3ow="
		h64 = "2XLu99OAFqvLG2sGQrPmbeeXU5IVCiwXssy8UpORYB4fDGXQ3rbDjCX9ZoeyaHiZDfYziJGPWMcJ1yq3VbPFDw=="
		b60 = "04$29PDGsZT4D1dpLr86K/XZuwW3CxFx4ZgOPCrGieYdhaAMazGR5YCi"
	)
	argon := func(cost string) string {
		return "argon2$argon2id$v=19$" + cost + "$c2FsdHNhbHQ$1NcYUABXkHGv56PjrfZxYA"
	}
	for _, encoded := range []string{
		"pbkdf2_sha256$", "pbkdf2_sha256", "pbkdf2_sha256$1$x", "pbkdf2_sha256$1$x$" + h32 + "$", "pbkdf2_sha256$1$x$", "pbkdf2_sha256$1$x$====",
		"pbkdf2_sha256$0$x$" + h32, "pbkdf2_sha256$-1$x$" + h32, "pbkdf2_sha256$+1$x$" + h32, "pbkdf2_sha256$1e3$x$" + h32,
		"pbkdf2_sha256$10000001$x$" + h32, "pbkdf2_sha256$99999999999999999999$x$" + h32, "pbkdf2_sha256$1$x$" + strings.TrimSuffix(h32, "="),
		"pbkdf2_sha256$1$x$" + h64, "pbkdf2_sha1$1$x$" + h32, "pbkdf2_sha256$1$" + strings.Repeat("x", 600) + "$" + h32,
		"pbkdf2_sha256$1$x$" + h32[:42] + "x=", // bits that mean nothing
		argon("m=262145,t=1,p=1"), argon("m=4294967295,t=1,p=1"), argon("m=262144,t=5,p=1"), argon("m=64,t=16385,p=1"),
		argon("m=64,t=0,p=1"), argon("m=64,t=1,p=0"), argon("m=0,t=1,p=1"), argon("m=7,t=1,p=1"), argon("m=100000,t=1,p=65"),
		argon("t=1,m=64,p=1"), argon("m=64,t=1"), argon("m=64,t=1,p=1,x=1"), argon(""),
		"argon2$argon2d$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$1NcYUABXkHGv56PjrfZxYA", "argon2$argon2id$v=16$m=64,t=1,p=2$c2FsdHNhbHQ$1NcYUABXkHGv56PjrfZxYA",
		"argon2$argon2id$m=64,t=1,p=2$c2FsdHNhbHQ$1NcYUABXkHGv56PjrfZxYA", "argon2$argon2id$v=19$m=64,t=1,p=2$c2FsdA$1NcYUABXkHGv56PjrfZxYA",
		"argon2$argon2id$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$1N", "argon2$argon2id$v=19$m=64,t=1,p=2$c2FsdHNhbHQ$",
		"bcrypt$$2b$16" + b60[2:], "bcrypt$$2b$31" + b60[2:], "bcrypt$$2b$03" + b60[2:], "bcrypt$$2x$" + b60, "bcrypt$$2b$" + b60[:50], "bcrypt$" + b60,
		"bcrypt_sha256$$2b$xx" + b60[2:], "bcrypt_sha256$$2b$" + b60 + "A", "bcrypt$",
		"scrypt$2097152$salt$2$1$" + h64, "scrypt$16384$salt$8$65$" + h64, "scrypt$1$salt$8$1$" + h64, "scrypt$15$salt$8$1$" + h64,
		"scrypt$0$salt$8$1$" + h64, "scrypt$16$salt$0$1$" + h64, "scrypt$16$salt$1$0$" + h64, "scrypt$131072$salt$8$9$" + h64,
		"scrypt$4294967296$salt$8$1$" + h64, "scrypt$16$salt$4194304$1$" + h64, "scrypt$16$salt$1$1$" + h32, "scrypt$16$salt$1$1",
	} {
		start := time.Now()
		ok, outdated, err := Verify(encoded, "s3cret")
		if ok || outdated || err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %t, outdated %t, %v", encoded, ok, outdated, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: refused after %s", encoded, took)
		}
	}
}

func TestAffordable(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{"m=262144,t=4,p=1", "m=102400,t=10,p=64"} {
		if _, err := parseArgon2("argon2id$v=19$" + rest + "$c2FsdHNhbHQ$1NcYUABXkHGv56PjrfZxYA"); err != nil {
			t.Errorf("%s: %v", rest, err)
		}
	}
	if _, err := parseScrypt(fmt.Sprintf("131072$salt$8$8$%s==", strings.Repeat("A", 86))); err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.encoded, v.plain)
	}
	f.Add("!", "")
	f.Add("argon2$argon2id$v=19$m=4294967295,t=4294967295,p=255$$", "x")
	f.Fuzz(func(t *testing.T, encoded, plain string) {
		ok, outdated, err := Verify(encoded, plain)
		if ok && (err != nil || encoded == "" || encoded[0] == '!') || outdated && !ok {
			t.Errorf("%q with %q: %t, outdated %t, %v", encoded, plain, ok, outdated, err)
		}
	})
}
