package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
)

func TestLaxBool(t *testing.T) {
	t.Parallel()
	for _, v := range []any{true, json.Number("1"), json.Number("1.0"), "y", "on", "TRUE", "Yes", "t", "1"} {
		if value, ok := laxBool(v); !value || !ok {
			t.Errorf("%v is not true", v)
		}
	}
	for _, v := range []any{false, json.Number("0"), "n", "off", "False", "no", "f", "0"} {
		if value, ok := laxBool(v); value || !ok {
			t.Errorf("%v is not false", v)
		}
	}
	for _, v := range []any{nil, json.Number("12"), json.Number("0.5"), "foo", "", " true", []any{}, &object{}} {
		if _, ok := laxBool(v); ok {
			t.Errorf("%v was taken", v)
		}
	}
}

// Text of a form that is no UTF-8 becomes some, as in Django.
func TestReadForm(t *testing.T) {
	t.Parallel()
	const head = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n"
	o, err := readForm([]byte(head+"first\r\n"+head+"b\xffé\xc3\r\n--x--\r\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := o.get("a"); !ok || got != "b\uFFFDé\uFFFD" {
		t.Errorf("%q", got)
	}
}

// A body that is cut off by the server's deadline is the client's fault.
func TestLateBody(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/", io.MultiReader(strings.NewReader("{"), iotest.ErrReader(os.ErrDeadlineExceeded)))
	c := echo.New().NewContext(r, w)
	_, err := readObject(c)
	(&Server{}).writeError(err, c)
	if w.Code != http.StatusRequestTimeout {
		t.Errorf("%d, %v, want 408", w.Code, err)
	}
}

// A number that stands for a text is written as Python writes it.
func TestNumberAsText(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"5": "5", "-7": "-7", "-0": "0", "123456789012345678901234567890": "123456789012345678901234567890",
		"1.50": "1.5", "1e2": "100.0", "1E+2": "100.0", "0.1": "0.1", "-0.0": "-0.0", "1e-4": "0.0001", "1e-5": "1e-05", "2.5e-7": "2.5e-07",
		"1e15": "1000000000000000.0", "1e16": "1e+16", "123456789012345678.5": "1.2345678901234568e+17", "1e400": "inf", "-1e400": "-inf",
		"1e-400": "0.0",
	} {
		in, err := decodeObject([]byte(`{"name":` + sent + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, bad := textField(in, "name", 0); got != want || bad != nil {
			t.Errorf("%s: %q, %v, want %q", sent, got, bad, want)
		}
		if got := pythonText(in.values["name"]); got != want {
			t.Errorf("%s in an error: %q, want %q", sent, got, want)
		}
	}
}

// What is no text is refused, not replaced.
func TestNoText(t *testing.T) {
	t.Parallel()
	for body, good := range map[string]bool{
		`"\ud83d\ude00"`:       true,
		`"\uD83D\uDE00 é 😀"`:   true,
		`"\\ud800"`:            true, // a backslash, and letters
		`"\u0041\ud7ff\ue000"`: true,
		`"\"\\\/\b\n\u00e9"`:   true,
		`"\ufffd"`:             true,
		`"\ud800"`:             false,
		`"\ud800x"`:            false,
		`"\ud800\n"`:           false,
		`"\ud800\ud800"`:       false,
		`"\ude00\ud83d"`:       false,
		`"\ud83d\u0041"`:       false,
		`"\ud83d\ude00\udc00"`: false,
		`{"a\udfff":1}`:        false,
		"\"a\xff\"":            false,
		"\"\xed\xa0\x80\"":     false,
	} {
		_, err := decodeAny([]byte(body))
		var f *fault.Error
		if (err == nil) != good || err != nil && (!errors.As(err, &f) || f.Code != "body_json") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A body of strangers cannot cost much more memory than its length.
func TestManyValues(t *testing.T) {
	t.Parallel()
	list := func(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	for name, c := range map[string]struct {
		body string
		good bool
	}{
		"as many as may be": {list(maxValues-1, "1"), true},
		"numbers":           {list(maxValues, "1"), false},
		"objects":           {list(800000, "{}"), false},
		"lists":             {list(800000, "[]"), false},
		"fields":            {list(maxValues/3, `{"a":1}`), true},
		"more fields":       {list(maxValues/3+1, `{"a":1}`), false},
		"nested":            {strings.Repeat("[", 9000) + strings.Repeat("]", 9000), true},
	} {
		_, err := decodeAny([]byte(c.body))
		var f *fault.Error
		if (err == nil) != c.good || err != nil && (!errors.As(err, &f) || f.Code != "body_json") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However much is wrong, what is said about it is bounded.
func TestManyErrors(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range 1000 {
		keys = append(keys, fmt.Sprintf(`"k%d":1`, i))
	}
	many := strings.Join(keys, ",")
	for name, c := range map[string]struct {
		conf string
		want int
		kind string
	}{
		"sources":      {`{"can_publish_sources":[` + strings.Repeat(`1,`, maxSources) + `1]}`, 1, "too_long"},
		"fewer":        {`{"can_publish_sources":[` + strings.Repeat(`1,`, maxSources-1) + `1]}`, 100, "literal_error"},
		"unknown keys": {`{` + many + `}`, 100, "extra_forbidden"},
		"both":         {`{"can_publish_sources":[1,1],"everyone_can_mute":"x",` + many + `}`, 100, "literal_error"},
	} {
		in, err := decodeObject([]byte(`{"configuration":` + c.conf + `,"permission":` + c.conf + `}`))
		if err != nil {
			t.Fatal(err)
		}
		_, conf := configurationField(in, "configuration")
		_, _, permission := permissionField(in)
		for what, wrong := range map[string]any{"configuration": conf, "permission": permission} {
			if got, _ := wrong.([]structuredError); len(got) != c.want || got[0].Type != c.kind {
				t.Errorf("%s of a %s: %d errors, want %d %s", name, what, len(got), c.want, c.kind)
			}
		}
	}
}

func FuzzDecodeObject(f *testing.F) {
	f.Add(`{"name":"x","configuration":{"can_publish_sources":["camera"],"everyone_can_mute":"yes"}}`)
	f.Add(`[]`)
	f.Add(`{"a":NaN}`)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := decodeObject([]byte(body))
		if err != nil {
			var fields fieldErrors
			if !errors.Is(err, fault.Invalid) && !errors.As(err, &fields) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !json.Valid([]byte(body)) {
			t.Fatalf("%q was taken", body)
		}
		conf, wrong := configurationField(o, "configuration")
		if _, err := marshal(wrong); err != nil {
			t.Fatalf("%q: the errors cannot be sent: %v", body, err)
		}
		if _, err := marshal(conf); err != nil {
			t.Fatalf("%q: the configuration cannot be stored: %v", body, err)
		}
		_, _, _ = recordingRequest(o)
		_, _ = textField(o, "name", 500)
	})
}
