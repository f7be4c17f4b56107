package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// Keys in files can be changed while the program runs; a file that is missing or
// half written changes nothing.
func TestKeysInFiles(t *testing.T) {
	t.Parallel()
	files := map[string]string{"/key": "one\n", "/secret": "s1\n", "/token": "t1\n"}
	read := func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, errors.New("no such file")
		}
		return []byte(text), nil
	}
	vars, _ := env(map[string]string{
		"DATABASE_URL": "postgres://u@h/d", "AWS_S3_ACCESS_KEY_ID_FILE": "/key", "AWS_S3_SECRET_ACCESS_KEY_FILE": "/secret",
		"MEETD_AWS_SESSION_TOKEN_FILE": "/token",
	}, nil)
	c, err := load(vars, read, func() []string { return nil })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	keys, err := storeKeys(t.Context(), c.S3, func() time.Time { return now }, read, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what, want string) {
		t.Helper()
		got, err := keys.Retrieve(context.WithoutCancel(t.Context()))
		if err != nil || got.AccessKeyID+" "+got.SecretAccessKey+" "+got.SessionToken != want {
			t.Errorf("%s: %v, %v; want %s", what, got, err, want)
		}
	}
	check("at the start", "one s1 t1")
	files["/key"], files["/secret"], files["/token"] = "two\n", "s2", "t2\n"
	check("changed a moment ago", "one s1 t1")
	now = now.Add(30 * time.Second)
	check("after half a minute", "two s2 t2")
	files["/key"], files["/secret"] = "three", "\n"
	now = now.Add(30 * time.Second)
	check("half written", "two s2 t2")
	delete(files, "/secret")
	now = now.Add(30 * time.Second)
	check("missing", "two s2 t2")
	files["/secret"] = "s3"
	now = now.Add(30 * time.Second)
	check("there again", "three s3 t2")
}

func TestKeysThatStay(t *testing.T) {
	t.Parallel()
	read := func(path string) ([]byte, error) {
		t.Errorf("%s is read", path)
		return nil, nil
	}
	keys, err := storeKeys(t.Context(), S3{AccessKeyID: "k", SecretAccessKey: "s", SessionToken: "t"}, time.Now, read, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Retrieve(t.Context()); err != nil || got.AccessKeyID != "k" || got.SecretAccessKey != "s" || got.SessionToken != "t" {
		t.Errorf("%v, %v", got, err)
	}
}

// Without keys of ours the AWS SDK looks for some in its own places.
func TestKeysOfTheSDK(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "sdk")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("AWS_SESSION_TOKEN", "t")
	keys, err := storeKeys(t.Context(), S3{}, time.Now, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := keys.Retrieve(t.Context()); err != nil || got.AccessKeyID != "sdk" || got.SessionToken != "t" {
		t.Errorf("%v, %v", got, err)
	}
}
