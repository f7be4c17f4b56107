package http

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/domain/user"
)

// userBody is an account on the wire (http-users-rooms.md §1.1).
type userBody struct {
	ID                       uuid.UUID      `json:"id"`
	Email                    *string        `json:"email"`
	FullName                 *string        `json:"full_name"`
	ShortName                *string        `json:"short_name"`
	Timezone                 string         `json:"timezone"`
	Language                 string         `json:"language"`
	DefaultRoomAccessLevel   *string        `json:"default_room_access_level"`
	DefaultRoomConfiguration map[string]any `json:"default_room_configuration"`
}

func toUserBody(u *user.User) userBody {
	return userBody{
		ID: u.ID, Email: u.Email, FullName: u.FullName, ShortName: u.ShortName, Timezone: u.Timezone, Language: u.Language,
		DefaultRoomAccessLevel: u.DefaultRoomAccessLevel, DefaultRoomConfiguration: u.DefaultRoomConfiguration,
	}
}

func (s *Server) me(c echo.Context) error {
	return respond(c, http.StatusOK, toUserBody(current(c)))
}
