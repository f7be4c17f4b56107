package app

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sound is a configuration without anything to find.
func sound() []string {
	key := strings.Repeat("0123456789abcdef", 4)
	return []string{
		"DJANGO_CONFIGURATION=Production", "DJANGO_SECRET_KEY=" + key, "DJANGO_ALLOWED_HOSTS=meet.example.org",
		"DATABASE_URL=postgres://meet:" + key + "@db/meet",
		"LIVEKIT_API_URL=wss://lk.example.org", "LIVEKIT_API_KEY=key", "LIVEKIT_API_SECRET=" + key,
		"OIDC_OP_AUTHORIZATION_ENDPOINT=https://op/a", "OIDC_OP_TOKEN_ENDPOINT=https://op/t", "OIDC_OP_USER_ENDPOINT=https://op/u",
		"OIDC_OP_JWKS_ENDPOINT=https://op/j", "OIDC_RP_CLIENT_SECRET=" + key, "OIDC_USE_PKCE=1",
		"LOGIN_REDIRECT_URL=https://m", "LOGIN_REDIRECT_URL_FAILURE=https://m", "LOGOUT_REDIRECT_URL=https://m",
		"AWS_S3_ENDPOINT_URL=https://s3", "AWS_S3_ACCESS_KEY_ID=a", "AWS_S3_SECRET_ACCESS_KEY=" + key,
		"RECORDING_ENABLE=1", "RECORDING_EXPIRATION_DAYS=30", "MEETD_TRUSTED_PROXIES=10.1.0.0/16",
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	if found, _ := Check(loadVars(t, sound()...)); len(found) > 0 {
		t.Fatalf("a sound configuration has %v", found)
	}
	development := []string{"security.W008", "security.W004", "security.W012", "security.W016"}
	cases := []struct {
		vars string // separated by spaces
		want []string
	}{
		{"DJANGO_CONFIGURATION=Base", development},
		{"DJANGO_CONFIGURATION=Development", append(slices.Clone(development), "security.W018", "meetd.W001", "meetd.W002")},
		{"DJANGO_ALLOWED_HOSTS=", []string{"security.W020"}},
		{"DJANGO_ALLOWED_HOSTS=a,*", []string{"meetd.W001"}},
		{"DJANGO_CORS_ALLOW_ALL_ORIGINS=1", []string{"meetd.W002"}},
		{"DJANGO_CORS_ALLOWED_ORIGINS=https://a,http://b", []string{"meetd.W003"}},
		{"MEETD_TRUSTED_PROXIES=10.0.0.0/8,0.0.0.0/0", []string{"meetd.W004"}},
		{"MEETD_TRUSTED_PROXIES=::/0", []string{"meetd.W004"}},
		{"SESSION_COOKIE_AGE=10000000", []string{"meetd.W005"}},
		{"ALLOW_UNSECURE_USER_LISTING=1", []string{"meetd.W006"}},
		{"DJANGO_SECRET_KEY=" + strings.Repeat("x", 49), []string{"security.W009"}},
		{"DJANGO_SECRET_KEY=django-insecure-" + strings.Repeat("x", 49), []string{"security.W009"}},
		{"LIVEKIT_API_SECRET=secret", []string{"meetd.W010"}},
		{"LIVEKIT_API_SECRET=0123456789012345678901234567890", []string{"meetd.W010"}},
		{"RECORDING_STORAGE_EVENT_TOKEN=x", []string{"meetd.W011"}},
		{"SUMMARY_SERVICE_WEBHOOK_API_TOKEN=x", []string{"meetd.W012"}},
		{"ROOMKIT_SERVER_TO_SERVER_API_TOKEN=x", []string{"meetd.W013"}},
		{"MEETD_EVENTS_TOKEN=x", []string{"meetd.W014"}},
		{"OIDC_RP_CLIENT_SECRET=short-but-only-shown", nil},
		{"OIDC_RP_CLIENT_SECRET=short OIDC_RP_SIGN_ALGO=HS256", []string{"meetd.W015"}},
		{"AWS_S3_SECRET_ACCESS_KEY=minioadmin", []string{"meetd.W016"}},
		{"DATABASE_URL=postgres://meet:pass@db/meet", []string{"meetd.W017"}},
		{"OIDC_VERIFY_SSL=0", []string{"meetd.W020"}},
		{"OIDC_OP_JWKS_ENDPOINT=http://op/j", []string{"meetd.W021"}},
		{"OIDC_USE_NONCE=0", []string{"meetd.W022"}},
		{"OIDC_USE_PKCE=0", []string{"meetd.W023"}},
		{"OIDC_PKCE_CODE_CHALLENGE_METHOD=plain", []string{"meetd.W024"}},
		{"OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION=1", []string{"meetd.W025"}},
		{"OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION=1 MEETD_OIDC_VERIFIED_EMAIL_ONLY=1", nil},
		{"OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION=1 MEETD_OIDC_VERIFIED_EMAIL_ONLY=1 OIDC_USER_SUB_FIELD_IMMUTABLE=0", []string{"meetd.W026"}},
		{"OIDC_REDIRECT_ALLOWED_HOSTS=a", []string{"meetd.W027"}},
		{"MEETD_LEGACY_TOKENS=1", []string{"meetd.W028", "meetd.W050"}},
		{"LIVEKIT_VERIFY_SSL=0", []string{"meetd.W030"}},
		{"LIVEKIT_API_URL=ws://lk", []string{"meetd.W031"}},
		{"LIVEKIT_API_URL=http://lk", []string{"meetd.W031"}},
		{"AWS_S3_ENDPOINT_URL=http://s3", []string{"meetd.W032"}},
		{"AWS_S3_DOMAIN_REPLACE=http://s3", []string{"meetd.W033"}},
		{"SUMMARY_SERVICE_ENDPOINT=http://s SUMMARY_SERVICE_API_TOKEN=t SUMMARY_SERVICE_VERSION=2", []string{"meetd.W034"}},
		{"MEETD_WEBHOOK_URLS=https://a,http://b MEETD_WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", []string{"meetd.W035"}},
		{"DJANGO_EMAIL_HOST=m DJANGO_EMAIL_HOST_USER=u DJANGO_EMAIL_HOST_PASSWORD=p DJANGO_EMAIL_FROM=a@b.org DJANGO_EMAIL_APP_BASE_URL=https://m", []string{"meetd.W036"}},
		{"DJANGO_EMAIL_HOST=m DJANGO_EMAIL_HOST_USER=u DJANGO_EMAIL_FROM=a@b.org DJANGO_EMAIL_APP_BASE_URL=https://m", nil},
		{"DJANGO_EMAIL_HOST=m DJANGO_EMAIL_APP_BASE_URL=https://m", []string{"meetd.W037"}},
		{"DJANGO_EMAIL_HOST=m DJANGO_EMAIL_FROM=a@b.org", []string{"meetd.W038"}},
		{"RECORDING_STORAGE_EVENT_ENABLE=1 RECORDING_ENABLE_STORAGE_EVENT_AUTH=0", []string{"meetd.W040"}},
		{"MEETD_RECORDING_VERIFY_OBJECT=0", []string{"meetd.W041"}},
		{"MEETD_MEDIA_DELIVERY=redirect MEETD_MEDIA_REDIRECT_EXPIRY=301", []string{"meetd.W042"}},
		{"RECORDING_EXPIRATION_DAYS=0", nil},
		{"SCREEN_RECORDING_BASE_URL=https://x", []string{"meetd.W050"}},
		{"REDIS_URL=redis://x", []string{"meetd.W051"}},
		{"DJANGO_SUPERUSER_PASSWORD=x", []string{"meetd.W052"}},
	}
	tested := map[string]bool{"meetd.W007": true, "meetd.W043": true} // below
	for _, c := range cases {
		found, silenced := Check(loadVars(t, append(sound(), strings.Fields(c.vars)...)...))
		var got []string
		for _, f := range found {
			got = append(got, f.ID)
			if f.Text == "" || f.Remedy == "" {
				t.Errorf("%s: %+v", c.vars, f)
			}
		}
		if !slices.Equal(got, c.want) || silenced != 0 {
			t.Errorf("%s: found %v, not %v", c.vars, got, c.want)
		}
		for _, id := range c.want {
			tested[id] = true
		}
	}
	without := func(name string) []string {
		return slices.DeleteFunc(sound(), func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	proxies := without("MEETD_TRUSTED_PROXIES")
	if found, _ := Check(loadVars(t, proxies...)); len(found) != 1 || found[0].ID != "meetd.W007" {
		t.Errorf("without proxies: %v", found)
	}
	const networks = "MEETD_TRUSTED_PROXIES=127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
	if found, _ := Check(loadVars(t, append(proxies, networks)...)); len(found) != 0 {
		t.Errorf("with proxies that are meant: %v", found)
	}
	if found, _ := Check(loadVars(t, append(proxies, "DJANGO_CONFIGURATION=Test")...)); slices.ContainsFunc(found, func(f Finding) bool { return f.ID == "meetd.W007" }) {
		t.Errorf("in a test: %v", found)
	}
	forEver := without("RECORDING_EXPIRATION_DAYS")
	if found, _ := Check(loadVars(t, forEver...)); len(found) != 1 || found[0].ID != "meetd.W043" {
		t.Errorf("without an expiration: %v", found)
	}
	source, err := os.ReadFile("check.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range regexp.MustCompile(`(meetd|security)\.W\d{3}`).FindAllString(string(source), -1) {
		if !tested[id] {
			t.Errorf("%s has no case", id)
		}
	}
}

func TestSilenced(t *testing.T) {
	t.Parallel()
	c := loadVars(t, append(sound(), "OIDC_USE_PKCE=0", "OIDC_USE_NONCE=0", "DJANGO_SILENCED_SYSTEM_CHECKS=meetd.W023,other")...)
	found, silenced := Check(c)
	var out bytes.Buffer
	if err := WriteFindings(&out, found, silenced); err != nil {
		t.Fatal(err)
	}
	const want = "System check identified some issues:\n\nWARNINGS:\n" +
		"?: (meetd.W022) OIDC_USE_NONCE: a stolen ID token can be used again.\n\tHINT: Turn it on.\n\n" +
		"System check identified 1 issue (1 silenced).\n"
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
	out.Reset()
	if err := WriteFindings(&out, nil, 0); err != nil || out.String() != "System check identified no issues (0 silenced).\n" {
		t.Errorf("got %s, %v", out.String(), err)
	}
}
