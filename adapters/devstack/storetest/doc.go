// Package storetest gives tests real S3 object stores.
//
// The embedded store is always there. MinIO, the store of most installations,
// is used too where it can be had: with MEETD_TEST_SERVERS=docker as a container
// (image MEETD_TEST_MINIO_IMAGE, or the default), else as a process if a minio
// program is found. A machine that must not skip it says so: docker fails the
// test when there is no engine or image, and MEETD_TEST_REQUIRE=minio when there
// is no program.
//
// Containers are removed by the test that started them, so the reaper image of
// testcontainers is not needed and is switched off, unless
// TESTCONTAINERS_RYUK_DISABLED says otherwise; and with a local engine ports are
// dialled on localhost, unless TESTCONTAINERS_HOST_OVERRIDE says otherwise.
//
// The package is imported by tests only, and a package that uses it must call
// store.Child first thing in its TestMain.
package storetest
