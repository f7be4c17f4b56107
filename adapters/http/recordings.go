package http

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/app/recordings"
	"meetd/domain/fault"
	"meetd/domain/recording"
	"meetd/domain/room"
)

// recordingBody is a recording on the wire (http-recordings-files.md §1.1).
type recordingBody struct {
	ID        uuid.UUID         `json:"id"`
	Room      recordingRoom     `json:"room"`
	CreatedAt timestamp         `json:"created_at"`
	UpdatedAt timestamp         `json:"updated_at"`
	Status    recording.Status  `json:"status"`
	Mode      recording.Mode    `json:"mode"`
	Options   recording.Options `json:"options"`
	Key       string            `json:"key"`
	IsExpired bool              `json:"is_expired"`
	ExpiredAt *timestamp        `json:"expired_at"`
}

type recordingRoom struct {
	ID          uuid.UUID        `json:"id"`
	Name        string           `json:"name"`
	Slug        string           `json:"slug"`
	AccessLevel room.AccessLevel `json:"access_level"`
}

// timestamp is UTC with microseconds, which are left out when they are zero.
type timestamp time.Time

// MarshalJSON writes ISO 8601.
func (t timestamp) MarshalJSON() ([]byte, error) {
	at := time.Time(t).UTC()
	if at.Nanosecond()/1000 == 0 {
		return []byte(at.Format(`"2006-01-02T15:04:05Z"`)), nil
	}
	return []byte(at.Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

func toRecordingBody(v recordings.View) recordingBody {
	body := recordingBody{
		ID: v.ID, Room: recordingRoom(v.Room), CreatedAt: timestamp(v.CreatedAt), UpdatedAt: timestamp(v.UpdatedAt),
		Status: v.Status(), Mode: v.Mode, Options: v.Options, Key: v.Key, IsExpired: v.Expired, ExpiredAt: (*timestamp)(v.ExpiresAt),
	}
	if body.Options == nil {
		body.Options = recording.Options{}
	}
	return body
}

func (s *Server) listRecordings(c echo.Context) error {
	fetch := func(offset, limit int) ([]recordings.View, int, error) {
		return s.Recordings.List(c.Request().Context(), current(c), offset, limit)
	}
	return respondPage(s, c, chosenSize(c), fetch, func(v recordings.View) (any, error) { return toRecordingBody(v), nil })
}

func (s *Server) retrieveRecording(c echo.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	v, err := s.Recordings.Get(c.Request().Context(), current(c), id)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, toRecordingBody(v))
}

func (s *Server) deleteRecording(c echo.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := s.Recordings.Delete(c.Request().Context(), current(c), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

type message struct {
	Message string `json:"message"`
}

// startRecording validates before it looks at the room, and never says what
// was wrong (http-users-rooms.md §5.1).
func (s *Server) startRecording(c echo.Context) error {
	if err := s.Recordings.Available(); err != nil {
		return err
	}
	in, err := readObject(c)
	var noObject fieldErrors
	if errors.As(err, &noObject) {
		return fault.New(fault.Invalid, "recording_request")
	} else if err != nil {
		return err
	}
	mode, options, ok := recordingRequest(in)
	if !ok {
		return fault.New(fault.Invalid, "recording_request")
	}
	id, err := identifier(c)
	if err != nil {
		return err
	}
	rm, err := s.Recordings.Start(c.Request().Context(), current(c), id, mode, options)
	if err != nil {
		return err
	}
	return respond(c, http.StatusCreated, message{"Recording successfully started for room " + rm.Slug})
}

func recordingRequest(in *object) (recording.Mode, recording.Options, bool) {
	text, _ := in.values["mode"].(string)
	mode := recording.Mode(text)
	if !mode.Valid() {
		return "", nil, false
	}
	sent := in.values["options"]
	if text, isText := sent.(string); isText { // an object inside a string is taken too
		decoded, err := decodeObject([]byte(text))
		if err != nil {
			return "", nil, false
		}
		sent = decoded
	}
	options := recording.Options{}
	if sent == nil {
		return mode, options, true
	}
	o, ok := sent.(*object)
	if !ok {
		return "", nil, false
	}
	for name, v := range o.values {
		value, ok := recordingOption(name, v)
		if !ok {
			return "", nil, false
		}
		if value != nil {
			options[name] = value
		}
	}
	return mode, options, true
}

// recordingOption checks one option; null stands for not given.
func recordingOption(name string, v any) (value any, ok bool) {
	switch name {
	case "language":
		var text string
		text, ok = v.(string)
		ok = ok && !strings.ContainsRune(text, 0)
	case "original_mode":
		text, _ := v.(string)
		ok = recording.Mode(text).Valid()
	case "transcribe", "collect_metadata":
		if v != nil {
			v, ok = laxBool(v)
		}
	default:
		return nil, false
	}
	return v, ok || v == nil
}

func (s *Server) stopRecording(c echo.Context) error {
	if err := s.Recordings.Available(); err != nil {
		return err
	}
	id, err := identifier(c)
	if err != nil {
		return err
	}
	rm, err := s.Recordings.Stop(c.Request().Context(), current(c), id)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, message{"Recording stopped for room " + rm.Slug + "."})
}
