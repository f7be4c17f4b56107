package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Dict is a dict literal with its keys in the order written. A value is a
// string, bool, int64, float64, nil, []any or Dict.
type Dict []DictItem

// DictItem is one key of a Dict. A key that was not text is written as JSON
// would write the value: 1 is "1", True is "true".
type DictItem struct {
	Key   string
	Value any
}

// MarshalJSON writes the dict as an object, keeping the order of its keys.
func (d Dict) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false) // whether that is wanted is decided by who asks for the whole
	b.WriteByte('{')
	for i, item := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := out.Encode(item.Key); err != nil {
			return nil, fmt.Errorf("write key: %w", err)
		}
		b.WriteByte(':')
		if err := out.Encode(item.Value); err != nil {
			return nil, fmt.Errorf("write value of %s: %w", item.Key, err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Limits of a literal.
const (
	literalMaxSize  = 1 << 18
	literalMaxDepth = 50
)

// parseDict reads a Python dict literal as ast.literal_eval does, with true,
// false and null of JSON added. What JSON cannot hold is refused: sets, bytes,
// complex and non-finite numbers, half surrogates, integers over 64 bits.
func parseDict(text string) (Dict, error) {
	if len(text) > literalMaxSize {
		return nil, fmt.Errorf("it is longer than %d bytes", literalMaxSize)
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, errors.New("it is not text in UTF-8")
	}
	p := literalParser{text: strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)}
	value, err := p.value(0)
	if err != nil {
		return nil, fmt.Errorf("character %d: %w", p.character(), err)
	}
	if p.skip(); p.pos < len(p.text) {
		return nil, fmt.Errorf("character %d: text after the end", p.character())
	}
	d, ok := value.(Dict)
	if !ok {
		return nil, errors.New("it is not a dict")
	}
	return d, nil
}

// literalParser is a recursive descent over text. After an error pos is where
// the fault was noticed.
type literalParser struct {
	text string
	pos  int
}

var errUnfinished = errors.New("it ends too early")

// character returns the position for people, counted from 1.
func (p *literalParser) character() int { return utf8.RuneCountInString(p.text[:p.pos]) + 1 }

// peek returns the next byte, or 0 at the end.
func (p *literalParser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

// skip passes over white space, line continuations and comments.
func (p *literalParser) skip() {
	for p.pos < len(p.text) {
		rest := p.text[p.pos:]
		switch {
		case strings.IndexByte(" \t\n\r\f", rest[0]) >= 0:
			p.pos++
		case strings.HasPrefix(rest, "\\\n"):
			p.pos += 2
		case rest[0] == '#':
			line, _, _ := strings.Cut(rest, "\n")
			p.pos += len(line)
		default:
			return
		}
	}
}

func (p *literalParser) value(depth int) (any, error) {
	if depth > literalMaxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d levels", literalMaxDepth)
	}
	p.skip()
	switch c := p.peek(); {
	case c == 0:
		return nil, errUnfinished
	case c == '{':
		return p.dict(depth)
	case c == '[':
		p.pos++
		items, _, err := p.items(']', depth)
		return items, err
	case c == '(':
		p.pos++
		items, comma, err := p.items(')', depth)
		if err == nil && len(items) == 1 && !comma {
			return items[0], nil // just parentheses around a value
		}
		return items, err
	case c == '"' || c == '\'':
		return p.strings()
	case c == '+' || c == '-' || c == '.' || '0' <= c && c <= '9':
		return p.number()
	case isNameByte(c):
		return p.name()
	default:
		return nil, p.unexpected()
	}
}

// items reads the rest of a list or tuple. comma tells whether there was one
// after the last item.
func (p *literalParser) items(end byte, depth int) (items []any, comma bool, err error) {
	items = []any{}
	for {
		p.skip()
		if p.peek() == end && (comma || len(items) == 0) {
			p.pos++
			return items, comma, nil
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, false, err
		}
		items = append(items, item)
		if comma, err = p.comma(end); err != nil {
			return nil, false, err
		}
		if !comma {
			p.pos++
			return items, false, nil
		}
	}
}

// comma passes over a comma, or stops before the end.
func (p *literalParser) comma(end byte) (bool, error) {
	p.skip()
	switch p.peek() {
	case ',':
		p.pos++
		return true, nil
	case end:
		return false, nil
	default:
		return false, p.unexpected()
	}
}

func (p *literalParser) dict(depth int) (Dict, error) {
	p.pos++
	d, index := Dict{}, map[string]int{}
	for {
		p.skip()
		if p.peek() == '}' {
			p.pos++
			return d, nil
		}
		start := p.pos
		k, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, err := dictKey(k)
		if err != nil {
			p.pos = start
			return nil, err
		}
		p.skip()
		if c := p.peek(); c == ',' || c == '}' {
			p.pos = start
			return nil, errors.New("a key without a value; sets are not accepted")
		} else if c != ':' {
			return nil, p.unexpected()
		}
		p.pos++
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if i, again := index[key]; again { // the last value counts, at the first place
			d[i].Value = value
		} else {
			index[key] = len(d)
			d = append(d, DictItem{key, value})
		}
		if _, err := p.comma('}'); err != nil {
			return nil, err
		}
	}
}

func dictKey(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case []any, Dict:
		return "", errors.New("a key must be text or a number")
	default:
		b, err := json.Marshal(v)
		return string(b), err
	}
}

func isNameByte(c byte) bool {
	return c == '_' || c >= utf8.RuneSelf || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func (p *literalParser) word(more string) string {
	end := p.pos
	for end < len(p.text) && (isNameByte(p.text[end]) || strings.IndexByte(more, p.text[end]) >= 0) {
		end++
	}
	return p.text[p.pos:end]
}

func (p *literalParser) name() (any, error) {
	word := p.word("")
	after := p.text[p.pos+len(word):]
	if quoted := strings.HasPrefix(after, "'") || strings.HasPrefix(after, `"`); quoted {
		if word == "u" || word == "U" {
			return p.strings()
		}
		return nil, fmt.Errorf("a string with the prefix %s is not accepted; write it without", quote(word))
	}
	switch word {
	case "True", "true":
		p.pos += len(word)
		return true, nil
	case "False", "false":
		p.pos += len(word)
		return false, nil
	case "None", "null":
		p.pos += len(word)
		return nil, nil
	}
	return nil, fmt.Errorf("the name %s is not accepted; put text between quotes", quote(word))
}

var (
	pythonInteger = regexp.MustCompile(`^(?:0(?:_?0)*|[1-9](?:_?[0-9])*|0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+)$`)
	pythonFloat   = regexp.MustCompile(`^(?:(?:` + digits + `\.(?:` + digits + `)?|\.` + digits + `)(?:[eE][+-]?` + digits + `)?|` + digits + `[eE][+-]?` + digits + `)$`)
)

func (p *literalParser) number() (any, error) {
	start := p.pos
	sign := ""
	if c := p.peek(); c == '+' || c == '-' {
		sign = string(c)
		p.pos++
		p.skip()
	}
	word := p.word(".")
	if mantissa := len(word) - 1; mantissa > 0 && strings.IndexByte("eE", word[mantissa]) >= 0 {
		// the sign of an exponent
		if rest := p.text[p.pos+len(word):]; strings.HasPrefix(rest, "+") || strings.HasPrefix(rest, "-") {
			exponent := literalParser{text: rest, pos: 1}
			word += rest[:1] + exponent.word("")
		}
	}
	plain := strings.ReplaceAll(word, "_", "")
	switch {
	case pythonInteger.MatchString(word):
		n, err := strconv.ParseInt(sign+plain, 0, 64)
		if err != nil {
			p.pos = start
			return nil, errors.New("the number is too large; put it between quotes")
		}
		p.pos += len(word)
		return n, nil
	case pythonFloat.MatchString(word):
		f, err := strconv.ParseFloat(sign+plain, 64)
		if err != nil {
			p.pos = start
			return nil, errors.New("the number is too large")
		}
		p.pos += len(word)
		return f, nil
	default:
		p.pos = start
		return nil, errors.New("this is not a number; put text between quotes")
	}
}

// strings reads a string and those that follow it directly: Python joins them.
func (p *literalParser) strings() (string, error) {
	var b strings.Builder
	for {
		if c := p.peek(); c == 'u' || c == 'U' {
			p.pos++
		}
		if err := p.string(&b); err != nil {
			return "", err
		}
		p.skip()
		rest := strings.TrimLeft(p.text[p.pos:min(p.pos+2, len(p.text))], "uU")
		if rest == "" || rest[0] != '"' && rest[0] != '\'' {
			return b.String(), nil
		}
	}
}

func (p *literalParser) string(b *strings.Builder) error {
	start := p.pos
	quotes := p.text[p.pos : p.pos+1]
	if triple := strings.Repeat(quotes, 3); strings.HasPrefix(p.text[p.pos:], triple) {
		quotes = triple
	}
	p.pos += len(quotes)
	for p.pos < len(p.text) {
		rest := p.text[p.pos:]
		switch {
		case strings.HasPrefix(rest, quotes):
			p.pos += len(quotes)
			return nil
		case rest[0] == '\\':
			if err := p.escape(b); err != nil {
				return err
			}
		case rest[0] == '\n' && len(quotes) == 1:
			return errors.New("a line ends inside a string; use \\n or triple quotes")
		default:
			b.WriteByte(rest[0])
			p.pos++
		}
	}
	p.pos = start
	return errors.New("the string has no closing quote")
}

const simpleEscapes = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v"

// escape reads one escape; an unknown one stays as it is written.
func (p *literalParser) escape(b *strings.Builder) error {
	if p.pos+1 == len(p.text) {
		return errUnfinished
	}
	c := p.text[p.pos+1]
	for i := 0; i < len(simpleEscapes); i += 2 {
		if c == simpleEscapes[i] {
			b.WriteByte(simpleEscapes[i+1])
			p.pos += 2
			return nil
		}
	}
	switch {
	case c == '\n':
		p.pos += 2
		return nil
	case '0' <= c && c <= '7':
		n := 1
		for n < 3 && p.pos+1+n < len(p.text) && '0' <= p.text[p.pos+1+n] && p.text[p.pos+1+n] <= '7' {
			n++
		}
		return p.codePoint(b, 1, n, 8)
	case c == 'x':
		return p.codePoint(b, 2, 2, 16)
	case c == 'u':
		return p.codePoint(b, 2, 4, 16)
	case c == 'U':
		return p.codePoint(b, 2, 8, 16)
	case c == 'N':
		return errors.New(`\N{…} is not accepted; write the character itself`)
	default:
		b.WriteByte('\\')
		p.pos++
		return nil
	}
}

// codePoint reads an escape of count digits after skip bytes. Two halves of a
// surrogate pair, as JSON writes them, become one character.
func (p *literalParser) codePoint(b *strings.Builder, skip, count, base int) error {
	c, ok := p.digits(p.pos+skip, count, base)
	if !ok {
		return errors.New("this is not a complete escape; double the backslash if it is meant as one")
	}
	end := p.pos + skip + count
	if utf16.IsSurrogate(c) && strings.HasPrefix(p.text[end:], `\u`) {
		if low, ok := p.digits(end+2, 4, 16); ok {
			c = utf16.DecodeRune(c, low)
			end += 6
			if c == utf8.RuneError {
				return errors.New("half of a surrogate pair is not a character")
			}
		}
	}
	if !utf8.ValidRune(c) {
		return errors.New("this escape is not a character")
	}
	b.WriteRune(c)
	p.pos = end
	return nil
}

// digits reads count digits at the position from.
func (p *literalParser) digits(from, count, base int) (rune, bool) {
	if from+count > len(p.text) {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[from:from+count], base, 31)
	return rune(n), err == nil
}

func (p *literalParser) unexpected() error {
	c, size := utf8.DecodeRuneInString(p.text[p.pos:])
	if size == 0 {
		return errUnfinished
	}
	return fmt.Errorf("%s is not expected here", quote(string(c)))
}
