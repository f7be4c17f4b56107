package app

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDict(t *testing.T) {
	t.Parallel()
	list := func(items ...any) []any { return append([]any{}, items...) }
	cases := []struct {
		name, text string
		want       Dict
	}{
		{"empty", " {} ", Dict{}},
		{"order", "{'z': 1, 'a': 2, 'm': 3}", Dict{{"z", int64(1)}, {"a", int64(2)}, {"m", int64(3)}}},
		{"the last value counts", "{'a': 1, 'b': 2, 'a': 3}", Dict{{"a", int64(3)}, {"b", int64(2)}}},
		{"names", "{'a': True, 'b': False, 'c': None}", Dict{{"a", true}, {"b", false}, {"c", nil}}},
		{"JSON names", `{"a": true, "b": false, "c": null}`, Dict{{"a", true}, {"b", false}, {"c", nil}}},
		{"quotes", `{'a"': "b'"}`, Dict{{`a"`, `b'`}}},
		{"triple quotes", "{'''a\n'b''': \"\"\"c\"d\r\ne\"\"\", '': ''''''}", Dict{{"a\n'b", "c\"d\ne"}, {"", ""}}},
		{"joined strings", `{'a' "b" u'c': ('d'` + "\n" + `'''e''')}`, Dict{{"abc", "de"}}},
		{"unicode prefix", `{u'a': U"b"}`, Dict{{"a", "b"}}},
		{"escapes", `{'a': '\\\'\"\a\b\f\n\r\t\v\0\101\x41\u00e9\U0001f600'}`, Dict{{"a", "\\'\"\a\b\f\n\r\t\v\x00AAé😀"}}},
		{"short octal", `{'a': '\18\400\1011'}`, Dict{{"a", "\x018ĀA1"}}},
		{"unknown escapes stay", `{'a': '\d\/\é'}`, Dict{{"a", `\d\/\é`}}},
		{"continued string", "{'a': 'b\\\nc'}", Dict{{"a", "bc"}}},
		{"surrogate pair", `{"a": "\ud83d\ude00"}`, Dict{{"a", "😀"}}},
		{"not ASCII", "{'é': '日本'}", Dict{{"é", "日本"}}},
		{"integers", "{'a': [0, 00, -1, +2, - 3, 1_000, 0xFf, 0X_f, 0o17, 0B1_0]}", Dict{{"a", list(int64(0), int64(0), int64(-1), int64(2), int64(-3), int64(1000), int64(255), int64(15), int64(15), int64(2))}}},
		{"limits", "{'a': [9223372036854775807, -9223372036854775808]}", Dict{{"a", list(int64(9223372036854775807), int64(-9223372036854775808))}}},
		{"floats", "{'a': [1.5, 1., .5, -1e3, 1E-2, 1_0.0_1, 012.5, 1e+2, 1e-999]}", Dict{{"a", list(1.5, 1., .5, -1000., .01, 10.01, 12.5, 100., 0.)}}},
		{"nested", "{'a': {'b': [{'c': ()}, (1,), (2), [3,], ((4, 5),)]}}", Dict{{"a", Dict{{"b", list(Dict{{"c", list()}}, list(int64(1)), int64(2), list(int64(3)), list(list(int64(4), int64(5))))}}}}},
		{"odd keys", "{1: 'a', 1.5: 'b', True: 'c', None: 'd', ('e'): 'f'}", Dict{{"1", "a"}, {"1.5", "b"}, {"true", "c"}, {"null", "d"}, {"e", "f"}}},
		{"white space and comments", "\n{ # one\n\t'a' :\\\n 1 , # }\r\n}\f# end", Dict{{"a", int64(1)}}},
		{"parentheses", "(({'a': 1}))", Dict{{"a", int64(1)}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseDict(c.text)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", c.text, err, diff)
			}
		})
	}
}

func TestParseDictDepth(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("[", literalMaxDepth) + strings.Repeat("]", literalMaxDepth)
	d, err := parseDict("{'a': " + nested + "}")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(d); string(b) != `{"a":`+nested+`}` || err != nil {
		t.Errorf("got %s, %v", b, err)
	}
}

func TestParseDictRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct{ text, want string }{
		{"", "character 1: it ends too early"},
		{"  ", "character 3: it ends too early"},
		{"[1]", "it is not a dict"},
		{"'a'", "it is not a dict"},
		{"{'a': 1", "character 8: it ends too early"},
		{"{'a': 1}}", "character 9: text after the end"},
		{"{'a': 1} x", "character 10: text after the end"},
		{"{'a': 1 'b': 2}", "character 9: ''' is not expected here"},
		{"{'a' 1}", "character 6: '1' is not expected here"},
		{"{,}", "character 2: ',' is not expected here"},
		{"{'a': 1,,}", "character 9: ',' is not expected here"},
		{"{'a': [,]}", "character 8: ',' is not expected here"},
		{"{'a': [1,,]}", "character 10: ',' is not expected here"},
		{"{'a': (1]}", "character 9: ']' is not expected here"},
		{"{'a': 1 + 2}", "character 9: '+' is not expected here"},
		{"{'é': *}", "character 7: '*' is not expected here"},
		{"{'a', 'b'}", "character 2: a key without a value; sets are not accepted"},
		{"{'a': {1}}", "character 8: a key without a value; sets are not accepted"},
		{"{[1]: 2}", "character 2: a key must be text or a number"},
		{"{(1,): 2}", "character 2: a key must be text or a number"},
		{"{{}: 2}", "character 2: a key must be text or a number"},
		{"{'a': r'b'}", "character 7: a string with the prefix 'r' is not accepted; write it without"},
		{"{'a': b\"b\"}", "character 7: a string with the prefix 'b' is not accepted; write it without"},
		{"{'a': f'{b}'}", "character 7: a string with the prefix 'f' is not accepted; write it without"},
		{"{a: 1}", "character 2: the name 'a' is not accepted; put text between quotes"},
		{"{'a': dict()}", "character 7: the name 'dict' is not accepted; put text between quotes"},
		{"{'a': TRUE}", "character 7: the name 'TRUE' is not accepted; put text between quotes"},
		{"{'a': NaN}", "character 7: the name 'NaN' is not accepted; put text between quotes"},
		{"{'a': 'b}", "character 7: the string has no closing quote"},
		{"{'a': '''b''}", "character 7: the string has no closing quote"},
		{"{'a': 'b\n'}", "character 9: a line ends inside a string; use \\n or triple quotes"},
		{"{'a': 'b\r'}", "character 9: a line ends inside a string; use \\n or triple quotes"},
		{`{'a': '\`, "character 8: it ends too early"},
		{`{'a': '\x4'}`, "character 8: this is not a complete escape; double the backslash if it is meant as one"},
		{`{'a': '\u+123'}`, "character 8: this is not a complete escape; double the backslash if it is meant as one"},
		{`{'a': '\U0000`, "character 8: this is not a complete escape; double the backslash if it is meant as one"},
		{`{'a': '\U00110000'}`, "character 8: this escape is not a character"},
		{`{'a': '\ud83d'}`, "character 8: this escape is not a character"},
		{`{'a': '\ud83d\u0041'}`, "character 8: half of a surrogate pair is not a character"},
		{`{'a': '\N{BULLET}'}`, `character 8: \N{…} is not accepted; write the character itself`},
		{"{'a': 012}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 0_7}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 1__0}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 1_}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 0x}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 0o8}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 1e}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 1e-}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 1.2.3}", "character 7: this is not a number; put text between quotes"},
		{"{'a': .}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 1j}", "character 7: this is not a number; put text between quotes"},
		{"{'a': --1}", "character 7: this is not a number; put text between quotes"},
		{"{'a': -True}", "character 7: this is not a number; put text between quotes"},
		{"{'a': 1e999}", "character 7: the number is too large"},
		{"{'a': 9223372036854775808}", "character 7: the number is too large; put it between quotes"},
		{"{'a\xff': 1}", "it is not text in UTF-8"},
		{"{'a\x00': 1}", "it is not text in UTF-8"},
		{"{'a': " + strings.Repeat("[", 51) + strings.Repeat("]", 51) + "}", "character 57: it is nested deeper than 50 levels"},
		{strings.Repeat("{'a':", 100_000), "it is longer than 262144 bytes"},
		{strings.Repeat("(", 100_000), "character 52: it is nested deeper than 50 levels"},
	}
	for _, c := range cases {
		name := c.text[:min(len(c.text), 20)]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := parseDict(c.text)
			if err == nil || err.Error() != c.want {
				t.Errorf("%s: got %v, %v, want %s", name, d, err, c.want)
			}
		})
	}
}

func TestDictMarshalJSON(t *testing.T) {
	t.Parallel()
	d := Dict{{"b", Dict{}}, {`a"é`, []any{nil, true, int64(-1), 1.5, "x\n"}}, {"n", Dict(nil)}}
	b, err := json.Marshal(map[string]any{"d": d})
	if want := `{"d":{"b":{},"a\"é":[null,true,-1,1.5,"x\n"],"n":{}}}`; string(b) != want || err != nil {
		t.Errorf("got %s, %v, want %s", b, err, want)
	}
	if _, err := json.Marshal(Dict{{"f", func() {}}}); err == nil {
		t.Error("a value that JSON cannot hold was written")
	}
}

// FuzzParseDict checks that nothing panics, that what is accepted is valid JSON
// when written again, and that JSON means the same as to encoding/json.
func FuzzParseDict(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDict(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		b, err := json.Marshal(d)
		if err != nil || !json.Valid(b) {
			t.Fatalf("%q gives invalid JSON %s: %v", text, b, err)
		}
		var want, got any
		if strings.Contains(text, `\/`) || json.Unmarshal([]byte(text), &want) != nil {
			return // not JSON, or the one escape that Python reads otherwise
		}
		if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q became %s, %v", text, b, err)
		}
	})
}

// What the front end is told is JSON, not HTML.
func TestFrontEndIsNotEscaped(t *testing.T) {
	t.Parallel()
	c := loadVars(t, "FRONTEND_EXTERNAL_HOME_URL=https://h/?a=1&b=<2>", "FRONTEND_SUPPORT={'x&y': '<&>'}", "LIVEKIT_DEFAULT_SOURCES=")
	body, err := frontEndBody(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"https://h/?a=1&b=<2>"`, `{"x&y":"<&>"}`, `"default_sources":[]`} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}
