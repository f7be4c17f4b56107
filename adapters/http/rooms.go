package http

import (
	"encoding/json"
	"net/http"

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
	Accesses      []accessBody       `json:"accesses,omitempty"`
	LiveKit       *liveKitBody       `json:"livekit,omitempty"`
}

type unregisteredRoomBody struct {
	ID              *uuid.UUID       `json:"id"`
	Slug            string           `json:"slug"`
	IsAdministrable bool             `json:"is_administrable"`
	AccessLevel     room.AccessLevel `json:"access_level"`
	LiveKit         *liveKitBody     `json:"livekit"`
}

type accessBody struct {
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
	for _, a := range v.Accesses {
		body.Accesses = append(body.Accesses, accessBody{ID: a.ID, User: toUserBody(a.User), Resource: v.Room.ID, Role: string(a.Role)})
	}
	return body, nil
}

func (s *Server) createRoom(c echo.Context) error {
	in, err := readObject(c)
	if err != nil {
		return err
	}
	var errs fieldErrors
	name, bad := textField(in, "name", 500)
	if bad != nil {
		errs = append(errs, fieldError{"name", bad})
	}
	conf, wrong := configurationField(in, "configuration")
	if wrong != nil {
		errs = append(errs, fieldError{"configuration", wrong})
	}
	level, bad := choiceField(in, "access_level", string(room.Public), string(room.Trusted), string(room.Restricted))
	if bad != nil {
		errs = append(errs, fieldError{"access_level", bad})
	}
	if errs != nil {
		return errs
	}
	v, err := s.Rooms.Create(c.Request().Context(), current(c), rooms.Draft{
		Name: name, AccessLevel: room.AccessLevel(level), Configuration: conf,
	}, c.QueryParam("username"))
	if err != nil {
		return err
	}
	return s.answerRoom(c, http.StatusCreated, v)
}

func (s *Server) retrieveRoom(c echo.Context) error {
	id, err := identifier(c)
	if err != nil {
		return err
	}
	v, err := s.Rooms.Retrieve(c.Request().Context(), current(c), id, c.QueryParam("username"))
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
