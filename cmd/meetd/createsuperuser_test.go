package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/password"
)

func TestCreateSuperuser(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	for _, c := range []struct {
		args, env string
		code      int
		out, err  string
	}{
		{"--email root@example.org", "", 2, "", "DJANGO_SUPERUSER_PASSWORD"},
		{"--password pw1", "", 2, "", "DJANGO_SUPERUSER_EMAIL"},
		{"--email root --password pw1", "", 2, "", `"root" is no e-mail address`},
		{"--email root@example.org --password pw1 more", "", 2, "", `no argument "more"`},
		{"--email root@example.org --password pw1", "", 0, "Superuser created successfully.\n", ""},
		{"--email root@example.org --password pw1", "", 0, "Superuser already exists.\n", ""},
		{"", "DJANGO_SUPERUSER_EMAIL=root@example.org DJANGO_SUPERUSER_PASSWORD=pw2", 0, "Superuser already exists.\n", ""},
		// What is said on the command line goes before what the environment says.
		{"--email ada@example.org --password pw3", "DJANGO_SUPERUSER_EMAIL=root@example.org DJANGO_SUPERUSER_PASSWORD=pw4", 0, "User already existed and was upgraded to superuser.\n", "disabled"},
	} {
		env := map[string]string{"DATABASE_URL": dsn}
		for _, v := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(v, "=")
			env[name] = value
		}
		if strings.Contains(c.args, "ada@") {
			if _, err := db.Exec(t.Context(), `INSERT INTO meet_user (id, password, is_superuser, created_at, updated_at, admin_email, language, timezone,
				is_device, is_staff, is_active, default_room_configuration)
				VALUES (gen_random_uuid(), '!', false, now(), now(), 'ada@example.org', 'en-us', 'UTC', false, false, false, '{}')`); err != nil {
				t.Fatal(err)
			}
		}
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"createsuperuser"}, strings.Fields(c.args)...), lookup(env), &out, &errs)
		if code != c.code || out.String() != c.out || !strings.Contains(errs.String(), c.err) || (c.err == "") != (errs.Len() == 0) {
			t.Errorf("%s %s: code %d, %q, %q", c.args, c.env, code, out.String(), errs.String())
		}
	}
	for email, want := range map[string]string{"root@example.org": "pw2", "ada@example.org": "pw3"} {
		var stored string
		if err := db.QueryRow(t.Context(), `SELECT password FROM meet_user WHERE admin_email = $1 AND is_staff AND is_superuser`, email).Scan(&stored); err != nil {
			t.Fatal(err)
		}
		ok, _, err := password.Verify(stored, want)
		if !ok || err != nil || !regexp.MustCompile(`^pbkdf2_sha256\$1000000\$[A-Za-z0-9]{22}\$[A-Za-z0-9+/]{43}=$`).MatchString(stored) {
			t.Errorf("%s: %s is not %s: %v", email, stored, want, err)
		}
	}
}
