// Package jwttest signs JSON web tokens for tests, good ones and forged ones.
// Only _test.go files import it.
package jwttest
