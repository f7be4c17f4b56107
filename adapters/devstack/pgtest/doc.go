// Package pgtest gives every test a PostgreSQL database of its own. Only _test.go
// files import it, and tests inside package postgres cannot, since it uses
// postgres.Migrate: they are of package postgres_test.
//
// One server is started on first use in a test process, and one migrated
// template database that DSN clones. A package that uses it must stop it:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// The server is a private cluster of package pg. With MEETD_TEST_SERVERS=docker
// it is a container of the image MEETD_TEST_POSTGRES_IMAGE (postgres:16-alpine
// if unset). Without a server tests fail; none is skipped.
package pgtest
