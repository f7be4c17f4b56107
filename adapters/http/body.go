package http

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
	"meetd/domain/user"
)

// maxBody bounds a request body, in bytes (settings.md §2).
const maxBody = 2621440

// object is a JSON object whose order is kept.
type object struct {
	keys   []string
	values map[string]any
}

func (o *object) get(key string) (any, bool) {
	v, ok := o.values[key]
	return v, ok
}

func (o *object) set(key string, value any) {
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

// plain gives the object to those who do not mind its order.
func (o *object) plain() map[string]any {
	out := make(map[string]any, len(o.keys))
	for k, v := range o.values {
		out[k] = plainValue(v)
	}
	return out
}

func plainValue(v any) any {
	switch v := v.(type) {
	case *object:
		return v.plain()
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plainValue(item)
		}
		return out
	}
	return v
}

// readAll reads a body of bounded size.
func readAll(c echo.Context, limit int64) ([]byte, error) {
	r := c.Request()
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fault.About(fault.Invalid, "body_too_large", strconv.FormatInt(limit, 10))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fault.Wrap(fault.Invalid, "body_late", err)
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, "body", err)
	}
	return body, nil
}

// readObject reads the body of a write (http-overview.md §2): a JSON object, or
// the plain fields of a multipart form. An empty body is an empty object.
func readObject(c echo.Context) (*object, error) {
	kind, params, err := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if err != nil {
		kind = c.Request().Header.Get("Content-Type")
	}
	body, err := readAll(c, maxBody)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return &object{}, nil
	}
	switch kind {
	case "application/json":
		return decodeObject(body)
	case "multipart/form-data":
		return readForm(body, params["boundary"])
	}
	return nil, fault.About(fault.Invalid, "media_type", c.Request().Header.Get("Content-Type"))
}

// about finds what the :id of a room path is about, or refuses who may not.
func about[T any](c echo.Context, find func(ctx context.Context, u *user.User, identifier string) (T, error)) (found T, err error) {
	id, err := identifier(c)
	if err != nil {
		return found, err
	}
	return find(c.Request().Context(), current(c), id)
}

// readAbout is about, and reads the body after it: that is the order of the
// contract.
func readAbout[T any](c echo.Context, find func(ctx context.Context, u *user.User, identifier string) (T, error)) (found T, in *object, err error) {
	if found, err = about(c, find); err != nil {
		return found, nil, err
	}
	in, err = readObject(c)
	return found, in, err
}

func readForm(body []byte, boundary string) (*object, error) {
	r := &http.Request{
		Method: http.MethodPost,
		Header: http.Header{"Content-Type": {mime.FormatMediaType("multipart/form-data", map[string]string{"boundary": boundary})}},
		Body:   io.NopCloser(bytes.NewReader(body)),
	}
	if err := r.ParseMultipartForm(maxBody); err != nil {
		return nil, fault.About(fault.Invalid, "body_form", err.Error())
	}
	o := &object{values: map[string]any{}}
	for name, values := range r.MultipartForm.Value {
		o.set(name, strings.ToValidUTF8(values[len(values)-1], "\uFFFD"))
	}
	return o, nil
}

// decodeAny reads one JSON value and keeps the order of objects.
func decodeAny(body []byte) (any, error) {
	// Valid first: it bounds the depth and refuses what follows the value.
	if !json.Valid(body) {
		return nil, fault.About(fault.Invalid, "body_json", jsonFault(body))
	}
	// What is no text would be replaced, and something else stored than was sent.
	if !utf8.Valid(body) {
		return nil, fault.About(fault.Invalid, "body_json", "not UTF-8")
	}
	if halfCharacter(body) {
		return nil, fault.About(fault.Invalid, "body_json", "half of a surrogate pair")
	}
	d := decoder{json.NewDecoder(bytes.NewReader(body)), maxValues}
	d.UseNumber()
	value, err := d.value()
	if err != nil {
		return nil, fault.About(fault.Invalid, "body_json", err.Error())
	}
	return value, nil
}

func decodeObject(body []byte) (*object, error) {
	value, err := decodeAny(body)
	if err != nil {
		return nil, err
	}
	switch v := value.(type) {
	case *object:
		return v, nil
	case nil:
		return nil, fieldErrors{{"non_field_errors", []string{"No data provided"}}}
	}
	return nil, fieldErrors{{"non_field_errors", []string{
		"Invalid data. Expected a dictionary, but got " + pythonType(value) + ".",
	}}}
}

// jsonFault says where the JSON breaks.
func jsonFault(body []byte) string {
	var v any
	err := json.Unmarshal(body, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("%s (char %d)", syntax.Error(), syntax.Offset)
	}
	return "not JSON"
}

// halfCharacter reports whether a valid JSON text has an escape for half of a
// character, as \ud800 without the other half.
func halfCharacter(text []byte) bool {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 {
			return false
		}
		first := escape(text[at:])
		if first < 0 {
			text = text[at+2:]
			continue
		}
		text = text[at+6:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		if utf16.DecodeRune(first, escape(text)) == utf8.RuneError {
			return true
		}
		text = text[6:]
	}
}

// escape reads the \uXXXX that a text begins with; negative when it does not.
func escape(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(r)
}

// maxValues bounds what a body may hold: objects, lists, texts, numbers and names
// of fields together. Small ones take fifty times their size in memory.
const maxValues = 10000

// decoder reads no more values than are left.
type decoder struct {
	*json.Decoder
	left int
}

func (d *decoder) token() (json.Token, error) {
	if d.left--; d.left < 0 {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	t, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return t, nil
}

// end reads what closes an object or a list.
func (d *decoder) end() error {
	d.left++ // it is no value
	_, err := d.token()
	return err
}

func (d *decoder) value() (any, error) {
	t, err := d.token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &object{values: map[string]any{}}
		for d.More() {
			key, err := d.token()
			if err != nil {
				return nil, err
			}
			value, err := d.value()
			if err != nil {
				return nil, err
			}
			o.set(key.(string), value) //nolint:forcetypeassert // keys of JSON objects are strings
		}
		return o, d.end()
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := d.value()
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, d.end()
	}
	return t, nil
}

// pythonType names the type the way clients of the contract know it.
func pythonType(v any) string {
	switch v := v.(type) {
	case *object:
		return "dict"
	case []any:
		return "list"
	case string:
		return "str"
	case bool:
		return "bool"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "float"
		}
		return "int"
	}
	return "NoneType"
}

// textField reads a trimmed, non-blank text (http-overview.md §4.2). The second
// result is empty when the field is fine.
func textField(o *object, name string, maxLength int) (string, []string) {
	v, ok := o.get(name)
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = pythonNumber(v)
	case nil:
		if ok {
			return "", []string{"This field may not be null."}
		}
		return "", []string{"This field is required."}
	default:
		return "", []string{"Not a valid string."}
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", []string{"This field may not be blank."}
	case strings.ContainsRune(text, 0):
		return "", []string{"Null characters are not allowed."}
	case maxLength > 0 && utf8.RuneCountInString(text) > maxLength:
		return "", []string{fmt.Sprintf("Ensure this field has no more than %d characters.", maxLength)}
	}
	return text, nil
}

// optionalText is textField for one that may be absent, null or blank.
func optionalText(o *object, name string) (string, []string) {
	v, _ := o.get(name)
	if text, isText := v.(string); v == nil || isText && strings.TrimSpace(text) == "" {
		return "", nil
	}
	return textField(o, name, 0)
}

// choiceField reads one of the choices; absent is empty.
func choiceField(o *object, name string, choices ...string) (string, []string) {
	v, ok := o.get(name)
	switch text := v.(type) {
	case nil:
		if ok {
			return "", []string{"This field may not be null."}
		}
		return "", nil
	case string:
		if slices.Contains(choices, text) {
			return text, nil
		}
		return "", []string{`"` + text + `" is not a valid choice.`}
	}
	return "", []string{`"` + pythonText(v) + `" is not a valid choice.`}
}

// laxBool reads a boolean as generously as the contract does: the words in any
// case, and numbers that equal 0 or 1.
func laxBool(v any) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case json.Number:
		f, err := v.Float64()
		return f == 1, err == nil && (f == 0 || f == 1)
	case string:
		switch strings.ToLower(v) {
		case "t", "true", "y", "yes", "on", "1":
			return true, true
		case "f", "false", "n", "no", "off", "0":
			return false, true
		}
	}
	return false, false
}

// pythonText shows a value the way clients of the contract know it.
func pythonText(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case json.Number:
		return pythonNumber(v)
	case string:
		return v
	}
	b, err := json.Marshal(plainValue(v))
	if err != nil {
		return ""
	}
	return string(b)
}

// pythonNumber shows a number the way clients of the contract know it: a fraction
// by as few digits as name it, with an exponent only where it is very small or
// large.
func pythonNumber(n json.Number) string {
	text := n.String()
	if !strings.ContainsAny(text, ".eE") {
		if text == "-0" {
			return "0"
		}
		return text
	}
	f, err := n.Float64()
	if math.IsInf(f, 0) {
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+"))
	} else if err != nil {
		return text
	}
	if size := math.Abs(f); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text = strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// isFraction reports whether a number is neither 0 nor 1 nor whole.
func isFraction(n json.Number) bool {
	f, err := n.Float64()
	return err == nil && f != math.Trunc(f)
}
