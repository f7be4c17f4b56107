package http

import (
	"encoding/json"
	"errors"
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
