package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"meetd/ports"
)

// mask stands for a secret wherever one would be printed.
const mask = "***"

// Secret is text that must not be shown. Every way of printing or encoding it
// gives ***, or nothing if it is empty; Reveal gives the text. It must not be the
// key of a map: encoding/json writes such keys without asking the type.
type Secret string

// Reveal returns the secret itself, for the one place that uses it.
func (s Secret) Reveal() string { return string(s) }

// String returns *** or, for an empty secret, nothing.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return s.String() }

// Format hides the secret from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText hides the secret from text encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the secret from JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue hides the secret from log handlers.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Kind is the syntax of a variable.
type Kind string

// The kinds of variables.
const (
	KindText        Kind = "text"
	KindBoolean     Kind = "boolean"
	KindInteger     Kind = "integer"
	KindUnsigned    Kind = "unsigned integer"
	KindFloat       Kind = "number"
	KindList        Kind = "list"
	KindTuples      Kind = "list of tuples"
	KindDict        Kind = "dict"
	KindSecret      Kind = "secret"
	KindDatabaseURL Kind = "database URL"
)

// Source says where the effective value of a setting comes from.
type Source string

// The sources of values.
const (
	SourceDefault     Source = "default"
	SourceEnvironment Source = "environment"
	SourceFile        Source = "file"    // the file named by <NAME>_FILE
	SourceProfile     Source = "profile" // set or changed by DJANGO_CONFIGURATION
)

// Setting is one variable as it was read. Default and Value are written in the
// syntax of the variable, except for dicts, which are JSON; secrets and the
// passwords inside URLs are masked.
type Setting struct {
	Name    string
	Kind    Kind
	Default string
	Value   string
	Source  Source
}

// reader reads variables, remembers each of them and collects all faults.
type reader struct {
	lookup   func(string) (string, bool)
	readFile func(string) ([]byte, error)
	settings []Setting
	faults   []error
	warnings []string
}

func (r *reader) faultf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

func (r *reader) warnf(format string, args ...any) {
	r.warnings = append(r.warnings, fmt.Sprintf(format, args...))
}

// read is the common part of all kinds: look up, parse, remember.
func read[T any](r *reader, name string, kind Kind, def T, parse func(string) (T, error), show func(T) string) T {
	value, source := def, SourceDefault
	if text, ok := r.lookup(name); ok {
		source = SourceEnvironment
		parsed, err := parse(text)
		if err == nil {
			value = parsed
		} else {
			r.faultf("%s: %w", name, err)
		}
	}
	r.settings = append(r.settings, Setting{name, kind, show(def), show(value), source})
	return value
}

// override notes that the profile, not the variable read last, decides.
func (r *reader) override(value string) {
	last := &r.settings[len(r.settings)-1]
	last.Value, last.Source = value, SourceProfile
}

// text reads S: the variable as it is. An empty variable is an empty value;
// def is "" where the contract has no default.
func (r *reader) text(name, def string) string {
	same := func(s string) (string, error) { return s, nil }
	return read(r, name, KindText, def, same, redactURL)
}

// forcedOn reads B, which the profile may force on.
func (r *reader) forcedOn(name string, forced bool) bool {
	given := r.boolean(name, false)
	if forced {
		r.override("true")
	}
	return given || forced
}

// boolean reads B.
func (r *reader) boolean(name string, def bool) bool {
	return read(r, name, KindBoolean, def, parseBoolean, strconv.FormatBool)
}

// integer reads I.
func (r *reader) integer(name string, def int) int {
	return read(r, name, KindInteger, def, parseInteger, strconv.Itoa)
}

// optionalUnsigned reads U without a default: nil if the variable is not set.
func (r *reader) optionalUnsigned(name string) *int {
	return r.optional(name, KindUnsigned, parseUnsigned)
}

// optionalInteger reads I without a default: nil if the variable is not set.
func (r *reader) optionalInteger(name string) *int {
	return r.optional(name, KindInteger, parseInteger)
}

func (r *reader) optional(name string, kind Kind, number func(string) (int, error)) *int {
	parse := func(s string) (*int, error) {
		n, err := number(s)
		return &n, err
	}
	show := func(n *int) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(*n)
	}
	return read(r, name, kind, nil, parse, show)
}

// optionalText tells a variable that is empty from one that is not there.
func (r *reader) optionalText(name string) *string {
	if _, ok := r.lookup(name); !ok {
		r.text(name, "")
		return nil
	}
	text := r.text(name, "")
	return &text
}

// unsigned reads U.
func (r *reader) unsigned(name string, def int) int {
	return read(r, name, KindUnsigned, def, parseUnsigned, strconv.Itoa)
}

// seconds reads U as a time in seconds.
func (r *reader) seconds(name string, def time.Duration) time.Duration {
	return time.Duration(r.unsigned(name, int(def/time.Second))) * time.Second
}

// float reads F.
// rate reads N/period; the first letter of the period counts. Empty is none.
func (r *reader) rate(name, def string) ports.Rate {
	text := r.text(name, def)
	if text == "" {
		return ports.Rate{}
	}
	count, period, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	periods := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	if err != nil || n < 1 || period == "" || periods[period[0]] == 0 {
		r.faultf("%s: %s is not a rate; write it as 30/minute, with second, minute, hour or day", name, quote(text))
		return ports.Rate{}
	}
	return ports.Rate{Count: n, Period: periods[period[0]]}
}

func (r *reader) float(name string, def float64) float64 {
	show := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	return read(r, name, KindFloat, def, parseFloat, show)
}

// list reads L.
func (r *reader) list(name string, def ...string) []string {
	parse := func(s string) ([]string, error) { return splitList(s, ","), nil }
	return read(r, name, KindList, def, parse, showList)
}

// tuples reads T.
func (r *reader) tuples(name string, def [][]string) [][]string {
	show := func(tuples [][]string) string {
		shown := make([]string, len(tuples))
		for i, t := range tuples {
			shown[i] = strings.Join(t, ",")
		}
		return strings.Join(shown, ";")
	}
	return read(r, name, KindTuples, def, parseTuples, show)
}

// dict reads D.
func (r *reader) dict(name string, def Dict) Dict {
	show := func(d Dict) string {
		b, err := json.Marshal(d)
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	return read(r, name, KindDict, def, parseDictValue, show)
}

// secret reads X: the content of the file named by <name>_FILE without one
// newline at its end, else the variable, else def.
func (r *reader) secret(name string, def Secret) Secret {
	path, fromFile := r.lookup(name + "_FILE")
	if !fromFile {
		same := func(s string) (Secret, error) { return Secret(s), nil }
		return read(r, name, KindSecret, def, same, Secret.String)
	}
	var value Secret
	switch content, err := r.readFile(path); {
	case errors.Is(err, fs.ErrNotExist):
		r.faultf("%s_FILE: Path %s does not exist.; create it or unset the variable", name, quote(path))
	case err != nil:
		r.faultf("%s_FILE: Path %s cannot be read: %w; make it readable or unset the variable", name, quote(path), err)
	default:
		value = Secret(strings.TrimSuffix(string(content), "\n"))
	}
	r.settings = append(r.settings, Setting{name, KindSecret, def.String(), value.String(), SourceFile})
	return value
}

// file is where a secret comes from; empty when it is no file.
func (r *reader) file(name string) string {
	path, _ := r.lookup(name + "_FILE")
	return path
}

// databaseURL reads a database URL; an empty variable is as good as none.
func (r *reader) databaseURL(name string) *databaseTarget {
	show := func(t *databaseTarget) string {
		if t == nil {
			return ""
		}
		return mask
	}
	return read(r, name, KindDatabaseURL, nil, parseDatabaseURL, show)
}

// oneOf refuses a value outside of the allowed ones.
func (r *reader) oneOf(name, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	r.faultf("%s: %s is unknown; use one of %s", name, quote(value), strings.Join(allowed, ", "))
}

// absoluteURL refuses a value that is neither empty nor a URL with a host and
// one of the schemes.
func (r *reader) absoluteURL(name, value string, schemes ...string) {
	if value == "" || isURL(value, schemes...) {
		return
	}
	r.faultf("%s: %s is not a complete URL; write it as %s://host", name, quote(redactURL(value)), strings.Join(schemes, ":// or "))
}

// isURL reports whether a value is a URL with a host and one of the schemes.
func isURL(value string, schemes ...string) bool {
	u, err := url.Parse(value)
	return err == nil && u.Hostname() != "" && slices.Contains(schemes, u.Scheme)
}

// syntaxError says that a value is not written as its kind demands.
type syntaxError struct{ what, value, hint string }

func (e syntaxError) Error() string {
	return "Cannot interpret " + e.what + " " + quote(e.value) + "; " + e.hint
}

func parseBoolean(text string) (bool, error) {
	switch strings.ToLower(strip(text)) {
	case "yes", "y", "true", "1":
		return true, nil
	case "no", "n", "false", "0", "":
		return false, nil
	}
	return false, syntaxError{"boolean value", text, "use true or false"}
}

const digits = `[0-9](?:_?[0-9])*`

var (
	wholeNumber = regexp.MustCompile(`^[+-]?` + digits + `$`)
	realNumber  = regexp.MustCompile(`^[+-]?(?:(?:` + digits + `\.?(?:` + digits + `)?|\.` + digits + `)(?:[eE][+-]?` + digits + `)?|(?i:inf(?:inity)?|nan))$`)
)

func parseInteger(text string) (int, error) {
	s := strip(text)
	if wholeNumber.MatchString(s) {
		if n, err := strconv.Atoi(strings.ReplaceAll(s, "_", "")); err == nil {
			return n, nil
		}
	}
	return 0, syntaxError{"value", text, "use a whole number"}
}

// parseUnsigned also refuses what does not fit 32 bits: no count or time in
// seconds is that large, and the protocols behind have no room for more.
func parseUnsigned(text string) (int, error) {
	n, err := parseInteger(text)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, syntaxError{"value", text, fmt.Sprintf("use a whole number from 0 to %d", math.MaxInt32)}
	}
	return n, nil
}

func parseFloat(text string) (float64, error) {
	if s := strip(text); realNumber.MatchString(s) {
		// Out of range gives an infinity, as in Python.
		f, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
		if err == nil || errors.Is(err, strconv.ErrRange) {
			return f, nil
		}
	}
	return 0, syntaxError{"value", text, "use a number"}
}

func parseTuples(text string) ([][]string, error) {
	var tuples [][]string
	for _, item := range splitList(text, ";") {
		tuples = append(tuples, splitList(item, ","))
	}
	return tuples, nil
}

// parseDictValue reads a dict; an empty variable is an empty dict.
func parseDictValue(text string) (Dict, error) {
	if text == "" {
		return Dict{}, nil
	}
	d, err := parseDict(text)
	if err != nil {
		return nil, syntaxError{"dict value", text, err.Error() + "; write it like {'key': 'value'}"}
	}
	return d, nil
}

// splitList cuts text at sep, trims the items and drops empty ones.
func splitList(text, sep string) []string {
	items := []string{}
	for item := range strings.SplitSeq(text, sep) {
		if item = strip(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func showList(items []string) string { return strings.Join(items, ",") }

// strip trims what Python's str.strip trims.
func strip(s string) string {
	return strings.TrimFunc(s, func(c rune) bool { return unicode.IsSpace(c) || '\x1c' <= c && c <= '\x1f' })
}

// quote shows the beginning of a value on one line between single quotes.
func quote(s string) string {
	const most = 100
	if chars := []rune(s); len(chars) > most {
		s = string(chars[:most]) + "…"
	}
	return "'" + oneLine(s) + "'"
}

// oneLine replaces control characters by spaces.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
}

var urlPassword = regexp.MustCompile(`(?s)(://[^:@/\s]*):.*@`)

// redactURL masks a password inside a URL.
func redactURL(s string) string { return urlPassword.ReplaceAllString(s, "$1:"+mask+"@") }
