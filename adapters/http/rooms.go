package http

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/app/rooms"
	"meetd/domain/room"
)

// roomBody is a room on the wire, its fields in the contract's order
// (http-users-rooms.md §2.5).
type roomBody struct {
	ID            uuid.UUID          `json:"id"`
	Name          string             `json:"name"`
	Slug          string             `json:"slug"`
	Configuration room.Configuration `json:"configuration"`
	AccessLevel   room.AccessLevel   `json:"access_level"`
	PIN           json.RawMessage    `json:"pin_code,omitempty"` // null when there is none; absent for who may not join
	Accesses      []memberBody       `json:"accesses,omitempty"`
	LiveKit       *liveKitBody       `json:"livekit,omitempty"`
}

type unregisteredRoomBody struct {
	ID              *uuid.UUID       `json:"id"`
	Slug            string           `json:"slug"`
	IsAdministrable bool             `json:"is_administrable"`
	AccessLevel     room.AccessLevel `json:"access_level"`
	LiveKit         *liveKitBody     `json:"livekit"`
}

type memberBody struct {
	ID       uuid.UUID `json:"id"`
	User     userBody  `json:"user"`
	Resource uuid.UUID `json:"resource"`
	Role     string    `json:"role"`
}

type liveKitBody struct {
	URL   string `json:"url"`
	Room  string `json:"room"`
	Token string `json:"token"`
}

func (s *Server) roomBody(v rooms.View) (any, error) {
	var join *liveKitBody
	if v.Join != nil {
		join = &liveKitBody{URL: s.Config.LiveKitURL, Room: v.Join.Room, Token: v.Join.Token}
	}
	if v.Room == nil {
		return unregisteredRoomBody{Slug: v.Slug, AccessLevel: room.Public, LiveKit: join}, nil
	}
	body := roomBody{
		ID: v.Room.ID, Name: v.Room.Name, Slug: v.Slug, Configuration: v.Room.Configuration,
		AccessLevel: v.Room.AccessLevel, LiveKit: join,
	}
	if body.Configuration == nil {
		body.Configuration = room.Configuration{}
	}
	if join != nil {
		pin, err := marshal(v.Room.PIN)
		if err != nil {
			return nil, err
		}
		body.PIN = pin
	}
	for _, a := range v.Members {
		body.Accesses = append(body.Accesses, memberBody{ID: a.ID, User: toUserBody(a.User), Resource: v.Room.ID, Role: string(a.Role)})
	}
	return body, nil
}

// maxCallName is how long the name is by which somebody may be called in a room, in
// characters: as when he renames himself.
const maxCallName = 255

// callName is how who asks wants to be called in the rooms he is shown. It goes into
// tokens; an answer that is read refuses nothing, so it is cut.
func callName(c echo.Context) string {
	name := strings.TrimSpace(strings.ReplaceAll(queryParam(c, "username"), "\x00", ""))
	if chars := []rune(name); len(chars) > maxCallName {
		return strings.TrimSpace(string(chars[:maxCallName]))
	}
	return name
}

func (s *Server) listRooms(c echo.Context) error {
	fetch := func(offset, limit int) ([]rooms.View, int, error) {
		return s.Rooms.List(c.Request().Context(), current(c), offset, limit, callName(c))
	}
	c.Response().Header()["Cache-Control"] = noStore
	return respondPage(s, c, chosenSize(c), fetch, s.roomBody)
}

// readRoom reads what people decide about a room. A name is required unless
// only a part is sent; what is not there is nil.
func readRoom(in *object, part bool) (change rooms.Change, err error) {
	var errs fieldErrors
	if _, ok := in.get("name"); ok || !part {
		name, bad := textField(in, "name", 500)
		change.Name = &name
		if bad != nil {
			errs = append(errs, fieldError{"name", bad})
		}
	}
	conf, wrong := configurationField(in, "configuration")
	change.Configuration = conf
	if wrong != nil {
		errs = append(errs, fieldError{"configuration", wrong})
	}
	level, bad := choiceField(in, "access_level", string(room.Public), string(room.Trusted), string(room.Restricted))
	if bad != nil {
		errs = append(errs, fieldError{"access_level", bad})
	} else if level != "" {
		chosen := room.AccessLevel(level)
		change.AccessLevel = &chosen
	}
	if errs != nil {
		return change, errs
	}
	return change, nil
}

func (s *Server) createRoom(c echo.Context) error {
	in, err := readObject(c)
	if err != nil {
		return err
	}
	change, err := readRoom(in, false)
	if err != nil {
		return err
	}
	v, err := s.Rooms.Create(c.Request().Context(), current(c), rooms.Wish{
		Change: change, Username: callName(c), Callback: callback(in),
	})
	if err != nil {
		return err
	}
	return s.answerRoom(c, http.StatusCreated, v)
}

// callback is what a new room is to be found by: any text or number that is not
// empty and not zero (http-users-rooms.md §3.2). Whoever asks for it sends it as
// a trimmed text.
func callback(in *object) string {
	switch v, _ := in.get("callback_id"); v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		if f, err := v.Float64(); err != nil || f != 0 {
			return v.String()
		}
	}
	return ""
}

// createdBody is what is told about a room that was created for whom who asks.
type createdBody struct {
	Status string      `json:"status"`
	Room   createdRoom `json:"room"`
}

type createdRoom struct {
	Slug string `json:"slug,omitempty"`
}

func (s *Server) takeCallback(c echo.Context) error {
	in, err := readObject(c)
	if err != nil {
		return err
	}
	id, bad := textField(in, "callback_id", 0)
	if bad != nil {
		return fieldErrors{{"callback_id", bad}}
	}
	slug, err := s.Rooms.TakeCallback(c.Request().Context(), id)
	if err != nil {
		return err
	}
	c.Response().Header()["Cache-Control"] = noStore
	return respond(c, http.StatusOK, createdBody{Status: "success", Room: createdRoom{Slug: slug}})
}

// replaceRoom is a PUT: the name must be there.
func (s *Server) replaceRoom(c echo.Context) error { return s.editRoom(c, false) }

// changeRoom is a PATCH: what is not there stays.
func (s *Server) changeRoom(c echo.Context) error { return s.editRoom(c, true) }

func (s *Server) editRoom(c echo.Context, part bool) error {
	held, in, err := readAbout(c, s.Rooms.Administered)
	if err != nil {
		return err
	}
	wish, err := readRoom(in, part)
	if err != nil {
		return err
	}
	v, err := s.Rooms.Update(c.Request().Context(), current(c), held, wish, callName(c))
	if err != nil {
		return err
	}
	return s.answerRoom(c, http.StatusOK, v)
}

func (s *Server) deleteRoom(c echo.Context) error {
	id, err := identifier(c)
	if err != nil {
		return err
	}
	if err := s.Rooms.Delete(c.Request().Context(), current(c), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) retrieveRoom(c echo.Context) error {
	id, err := identifier(c)
	if err != nil {
		return err
	}
	v, err := s.Rooms.Retrieve(c.Request().Context(), current(c), id, callName(c))
	if err != nil {
		return err
	}
	return s.answerRoom(c, http.StatusOK, v)
}

// answerRoom sends a room, which may hold a token to join: it is not to be
// kept anywhere.
func (s *Server) answerRoom(c echo.Context, status int, v rooms.View) error {
	body, err := s.roomBody(v)
	if err != nil {
		return err
	}
	c.Response().Header()["Cache-Control"] = noStore
	return respond(c, status, body)
}

var noStore = []string{"no-store"}
