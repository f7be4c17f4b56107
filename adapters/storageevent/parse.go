package storageevent

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"meetd/domain/fault"
	"meetd/ports"
)

const (
	maxDepth   = 4    // envelopes inside each other; SNS inside SQS is two
	maxRecords = 1000 // in one body
	maxLogged  = 200  // bytes of what a stranger wrote that may come into the log
)

// lenient reads what a store means where its JSON is sloppy. The reader that does not
// go through a body several times, as Go's does for types that read themselves, matters
// here: storage events are what comes in floods.
var lenient = json.JoinOptions(json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

var tooMany = fmt.Sprintf("there are more than %d records", maxRecords)

// Parser reads notifications. Envelopes are taken off whatever the dialect is.
type Parser struct {
	Dialect Dialect
	Log     *slog.Logger
}

var _ ports.StorageEvents = Parser{}

// Parse reads all records. A body about no object, such as the test that stores
// send when notifications are switched on, gives none.
func (p Parser) Parse(body []byte) ([]ports.StorageEvent, error) {
	r := reading{Parser: p}
	if err := r.message(body, 0); err != nil {
		return nil, err
	}
	return r.events, nil
}

// message has every shape that a body or what an envelope holds may have.
type message struct {
	Records list[record] // S3, its copies, and SQS and SNS as functions are given them

	Messages jsontext.Value // SQS as its clients receive it

	Type     text // SNS
	TopicARN text `json:"TopicArn"`
	Message  text

	Source     text // EventBridge
	DetailType text `json:"detail-type"`
	Detail     jsontext.Value

	Event text // S3 and versitygw, testing
}

type record struct {
	EventName text     `json:"eventName"`
	S3        *subject `json:"s3"`
	Body      *text    `json:"body"` // SQS
	SNS       *struct{ Message text }
}

// subject is the object that an event is about. Pointers tell null and absent
// from empty.
type subject struct {
	Bucket *struct {
		Name *string `json:"name"`
	} `json:"bucket"`
	Object *struct {
		Key         *string `json:"key"`
		ContentType *string `json:"contentType"`
		Sequencer   text    `json:"sequencer"`
		ETag        text    `json:"eTag"`
	} `json:"object"`
}

// reading is one body on its way to events.
type reading struct {
	Parser
	events []ports.StorageEvent
}

// message reads a body, or what an envelope at that depth holds.
func (r *reading) message(body []byte, depth int) error {
	if depth > maxDepth {
		return malformed(fmt.Sprintf("there are more than %d envelopes inside each other", maxDepth))
	}
	var m message
	if err := json.Unmarshal(body, &m, lenient); err != nil {
		return malformed(err.Error())
	}
	switch {
	case len(m.Records) > 0:
		return r.records(m.Records, depth)
	case m.Type == "Notification":
		return r.message([]byte(m.Message), depth+1)
	case m.Type == "SubscriptionConfirmation":
		r.Log.Warn("Amazon SNS asks whether a topic may send its notifications here: "+
			"confirm the subscription by hand, its address is not fetched", "topic", cut(string(m.TopicARN)))
		return nil
	case m.Type == "UnsubscribeConfirmation":
		r.Log.Warn("Amazon SNS says that a topic sends its notifications here no more: "+
			"if it should, subscribe again and confirm it by hand, the address is not fetched", "topic", cut(string(m.TopicARN)))
		return nil
	case len(m.Messages) > 0:
		return r.messages(m.Messages, depth)
	case m.Source == "aws.s3":
		var s subject
		if err := json.Unmarshal(m.Detail, &s, lenient); err != nil {
			return malformed(err.Error())
		}
		return r.add(string(m.DetailType), &s, raw)
	case m.Event == "s3:TestEvent":
		return nil
	}
	return malformed("the body has no records")
}

func (r *reading) records(records []record, depth int) error {
	for _, one := range records {
		var err error
		switch {
		case one.S3 == nil && one.Body != nil:
			err = r.message([]byte(*one.Body), depth+1)
		case one.S3 == nil && one.SNS != nil:
			err = r.message([]byte(one.SNS.Message), depth+1)
		default:
			err = r.add(string(one.EventName), one.S3, r.Dialect)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) messages(body []byte, depth int) error {
	var messages list[struct{ Body text }]
	if err := json.Unmarshal(body, &messages, lenient); err != nil {
		return malformed(err.Error())
	}
	if len(messages) == 0 {
		return malformed("the body has no messages")
	}
	for _, one := range messages {
		if err := r.message([]byte(one.Body), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) add(event string, s *subject, dialect Dialect) error {
	if s == nil || s.Bucket == nil || s.Bucket.Name == nil || s.Object == nil || s.Object.Key == nil {
		return malformed(fmt.Sprintf("record %d lacks the bucket or the object", len(r.events)))
	}
	if len(r.events) == maxRecords {
		return malformed(tooMany)
	}
	o := s.Object
	name, kind, err := dialect(*o.Key, o.ContentType)
	if err != nil {
		return err
	}
	r.events = append(r.events, ports.StorageEvent{
		Created: created(event), Bucket: *s.Bucket.Name, Key: name, ContentType: kind,
		Sequencer: string(o.Sequencer + o.ETag),
	})
	return nil
}

// text is a string of JSON; anything else, where nothing depends on it, is none.
type text string

// UnmarshalJSONFrom takes any value.
func (t *text) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*t = ""
	if d.PeekKind() != '"' {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err == nil {
		*t = text(token.String())
	}
	return err
}

// list is an array of JSON that is given up when it has too many members: empty
// ones are far longer here than in the body.
type list[T any] []T

// UnmarshalJSONFrom fails on what is no array, and on more than maxRecords members.
func (l *list[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	*l = nil
	start, err := d.ReadToken()
	switch {
	case err != nil:
		return err
	case start.Kind() == 'n':
		return nil
	case start.Kind() != '[':
		return errors.New("what should be a list is none")
	}
	for d.PeekKind() != ']' {
		if len(*l) == maxRecords {
			return errors.New(tooMany)
		}
		var one T
		if err := json.UnmarshalDecode(d, &one); err != nil {
			return err
		}
		*l = append(*l, one)
	}
	_, err = d.ReadToken()
	return err
}

func malformed(why string) error {
	return fault.Wrap(fault.Invalid, "storage_event", errors.New("malformed storage event: "+cut(why)))
}

// cut shortens what a stranger wrote.
func cut(s string) string {
	if len(s) <= maxLogged {
		return s
	}
	return strings.ToValidUTF8(s[:maxLogged], "") + "…"
}
