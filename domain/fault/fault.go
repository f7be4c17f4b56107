package fault

import (
	"errors"
	"math"
	"strconv"
	"time"
)

// A Kind is a class of failure. Kinds are errors, so errors.Is(err, NotFound)
// works through any wrapping.
type Kind string

// The kinds of failure.
const (
	Invalid         Kind = "invalid"         // what was sent breaks a rule
	Unauthenticated Kind = "unauthenticated" // nobody is logged in, or a credential is wrong
	Forbidden       Kind = "forbidden"       // known, but not allowed
	NotFound        Kind = "not found"
	Conflict        Kind = "conflict"    // contradicts the present state
	Upstream        Kind = "upstream"    // another system refused or failed
	Unavailable     Kind = "unavailable" // we cannot decide now; try again
	TooMany         Kind = "too many"    // asked too often; Subject has the seconds to wait
)

func (k Kind) Error() string { return string(k) }

// Error is a failure with its kind.
type Error struct {
	Kind    Kind
	Code    string              // stable name of the failure, such as "recording_open"
	Subject string              // what it is about (a slug, an id); safe to show
	Fields  map[string][]string // messages per field, only with Invalid
	Err     error               // cause: logged, never shown
}

// New makes a fault without cause.
func New(kind Kind, code string) *Error { return &Error{Kind: kind, Code: code} }

// About makes a fault that names what it is about.
func About(kind Kind, code, subject string) *Error {
	return &Error{Kind: kind, Code: code, Subject: subject}
}

// Wrap makes a fault of err, which is logged and never shown.
func Wrap(kind Kind, code string, err error) *Error {
	return &Error{Kind: kind, Code: code, Err: err}
}

// Field makes an Invalid fault for one field.
func Field(field, message string) *Error {
	return &Error{Kind: Invalid, Code: "field", Fields: map[string][]string{field: {message}}}
}

// Scope names a limit that was reached, in a TooMany fault.
type Scope string

func (s Scope) Error() string { return "the limit of " + string(s) }

// Throttled makes a TooMany fault: it may be tried again after wait.
func Throttled(s Scope, wait time.Duration) *Error {
	return &Error{Kind: TooMany, Code: "throttled", Subject: strconv.Itoa(int(math.Ceil(wait.Seconds()))), Err: s}
}

// IgnoreMissing takes it for success that something is not there.
func IgnoreMissing(err error) error {
	if errors.Is(err, NotFound) {
		return nil
	}
	return err
}

func (e *Error) Error() string {
	s := e.Code
	if s == "" {
		s = string(e.Kind)
	}
	if e.Subject != "" {
		s += " (" + e.Subject + ")"
	}
	for field, messages := range e.Fields {
		for _, m := range messages {
			s += "; " + field + ": " + m
		}
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the kind and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
