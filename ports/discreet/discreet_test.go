package discreet

import "testing"

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "EOF": "EOF",
		"dial tcp 127.0.0.1:5432: connection refused":     "dial tcp 127.0.0.1:5432: connection refused",
		"550 5.1.1 <ada+x@example.org>: unknown":          "550 5.1.1 <***>: unknown",
		"affected recipient(s): ada@example.org, b@x.org": "affected recipient(s): ***, ***",
		"to=ada@example.org":                              "***",
		"ada@localhost":                                   "***",
		"Key (email)=(ada@example.org) already exists":    "Key (email)=(***) already exists",
		`Get "https://s3/b/k?X-Amz-Signature=abc": EOF`:   `Get "https://s3/b/k?***": EOF`,
		"postgres://meet:geheim@db/meet":                  "postgres://***@db/meet",
		"Authorization: Bearer abc.def failed":            "Authorization: Bearer *** failed",
		`{"api_key":"phc_x","a":1}`:                       `{"api_key":"***","a":1}`,
		"password=geheim host=db":                         "password=*** host=db",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
