package http

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/app/accounts"
	"meetd/domain/room"
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

func (s *Server) listUsers(c echo.Context) error {
	fetch := func(offset, limit int) ([]*user.User, int, error) {
		return s.Accounts.List(c.Request().Context(), queryParam(c, "q"), offset, limit)
	}
	return respondPage(s, c, pageSize, fetch, func(u *user.User) (any, error) { return toUserBody(u), nil })
}

// replaceUser is a PUT: the time zone must be there.
func (s *Server) replaceUser(c echo.Context) error { return s.editUser(c, true) }

// changeUser is a PATCH: what is not there stays.
func (s *Server) changeUser(c echo.Context) error { return s.editUser(c, false) }

func (s *Server) editUser(c echo.Context, whole bool) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := s.Accounts.MayEdit(ctx, current(c), id); err != nil {
		return err
	}
	in, err := readObject(c)
	if err != nil {
		return err
	}
	change, err := s.readPreferences(in, whole)
	if err != nil {
		return err
	}
	u, err := s.Accounts.Edit(ctx, current(c), change)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, toUserBody(u))
}

// readPreferences reads what people may change of their account
// (http-users-rooms.md §1.1). Everything else in the body is ignored.
func (s *Server) readPreferences(in *object, whole bool) (func(*user.User), error) {
	var (
		errs    fieldErrors
		changes []func(*user.User)
	)
	note := func(field string, messages any, change func(*user.User)) {
		if messages != nil {
			errs = append(errs, fieldError{field, messages})
			return
		}
		changes = append(changes, change)
	}
	if v, ok := in.get("timezone"); ok || whole {
		name, bad := timezone(v, ok)
		note("timezone", orNil(bad), func(u *user.User) { u.Timezone = name })
	}
	if _, ok := in.get("language"); ok {
		code, bad := choiceField(in, "language", s.Accounts.Config.Languages...)
		note("language", orNil(bad), func(u *user.User) { u.Language = code })
	}
	if v, ok := in.get("default_room_access_level"); ok {
		level, bad := defaultLevel(in, v)
		note("default_room_access_level", orNil(bad), func(u *user.User) { u.DefaultRoomAccessLevel = level })
	}
	if _, ok := in.get("default_room_configuration"); ok {
		conf, wrong := configurationField(in, "default_room_configuration")
		note("default_room_configuration", wrong, func(u *user.User) { u.DefaultRoomConfiguration = conf })
	}
	if errs != nil {
		return nil, errs
	}
	return func(u *user.User) {
		for _, change := range changes {
			change(u)
		}
	}, nil
}

// orNil keeps an empty list of messages from being an answer.
func orNil(messages []string) any {
	if messages == nil {
		return nil
	}
	return messages
}

func timezone(v any, there bool) (string, []string) {
	name, isText := v.(string)
	switch {
	case !there:
		return "", []string{"This field is required."}
	case v == nil:
		return "", []string{"This field may not be null."}
	case isText && name == "":
		return "", []string{"This field may not be blank."}
	case !isText || !accounts.KnowsTimezone(name):
		return "", []string{"A valid timezone is required."}
	}
	return name, nil
}

// defaultLevel takes null and the empty text for "as the installation has it".
func defaultLevel(in *object, v any) (*string, []string) {
	if v == nil {
		return nil, nil
	}
	level, bad := choiceField(in, "default_room_access_level", "", string(room.Public), string(room.Trusted), string(room.Restricted))
	return &level, bad
}
