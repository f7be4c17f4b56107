package http

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

// accessBody is somebody's role on a room (http-users-rooms.md §11).
type accessBody struct {
	ID       uuid.UUID   `json:"id"`
	User     uuid.UUID   `json:"user"`
	Resource uuid.UUID   `json:"resource"`
	Role     access.Role `json:"role"`
}

func toAccessBody(a ports.RoomAccess) accessBody {
	return accessBody{ID: a.ID, User: a.UserID, Resource: a.RoomID, Role: a.Role}
}

func (s *Server) listAccesses(c echo.Context) error {
	fetch := func(offset, limit int) ([]ports.RoomAccess, int, error) {
		return s.Rooms.ListAccesses(c.Request().Context(), current(c), offset, limit)
	}
	return respondPage(s, c, pageSize, fetch, func(a ports.RoomAccess) (any, error) { return toAccessBody(a), nil })
}

func (s *Server) retrieveAccess(c echo.Context) error {
	a, err := s.accessOf(c)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, toAccessBody(a))
}

// accessOf finds the access in the path.
func (s *Server) accessOf(c echo.Context) (ports.RoomAccess, error) {
	id, err := pathID(c)
	if err != nil {
		return ports.RoomAccess{}, err
	}
	return s.Rooms.Access(c.Request().Context(), current(c), id)
}

func (s *Server) createAccess(c echo.Context) error {
	in, err := readObject(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	wish, err := s.readAccess(ctx, current(c), in, true)
	if err != nil {
		return err
	}
	if wish.Role == access.None {
		wish.Role = access.Member
	}
	a, err := s.Rooms.Grant(ctx, current(c), wish)
	if err != nil {
		return err
	}
	return respond(c, http.StatusCreated, toAccessBody(a))
}

// replaceAccess is a PUT: user and resource must be there, and change nothing.
func (s *Server) replaceAccess(c echo.Context) error { return s.editAccess(c, true) }

// changeAccess is a PATCH.
func (s *Server) changeAccess(c echo.Context) error { return s.editAccess(c, false) }

func (s *Server) editAccess(c echo.Context, whole bool) error {
	a, err := s.accessOf(c)
	if err != nil {
		return err
	}
	in, err := readObject(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	wish, err := s.readAccess(ctx, current(c), in, whole)
	if err != nil {
		return err
	}
	if wish.Role == access.None {
		wish.Role = a.Role
	}
	if a, err = s.Rooms.ChangeRole(ctx, current(c), a, wish.Role); err != nil {
		return err
	}
	return respond(c, http.StatusOK, toAccessBody(a))
}

func (s *Server) deleteAccess(c echo.Context) error {
	id, err := pathID(c)
	if err != nil {
		return err
	}
	if err := s.Rooms.Revoke(c.Request().Context(), current(c), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// readAccess reads an access. That the room is not the caller's to give roles on
// is said before anything else.
func (s *Server) readAccess(ctx context.Context, u *user.User, in *object, whole bool) (a ports.RoomAccess, err error) {
	var errs fieldErrors
	note := func(field string, bad []string) {
		if bad != nil {
			errs = append(errs, fieldError{field, bad})
		}
	}
	if _, ok := in.get("user"); ok || whole {
		var bad []string
		if a.UserID, bad = idField(in, "user"); bad == nil {
			known, err := s.Rooms.IsUser(ctx, a.UserID)
			if err != nil {
				return a, err
			}
			if !known {
				bad = unknownID(in, "user")
			}
		}
		note("user", bad)
	}
	if _, ok := in.get("resource"); ok || whole {
		var bad []string
		if a.RoomID, bad = idField(in, "resource"); bad == nil {
			err := s.Rooms.MayAddTo(ctx, u, a.RoomID)
			if errors.Is(err, fault.NotFound) {
				bad = unknownID(in, "resource")
			} else if err != nil {
				return a, err
			}
		}
		note("resource", bad)
	}
	role, bad := choiceField(in, "role", string(access.Member), string(access.Administrator), string(access.Owner))
	a.Role = access.Role(role)
	note("role", bad)
	if errs != nil {
		return a, errs
	}
	return a, nil
}

// idField reads the id of something else. The second result is empty when it is
// one.
func idField(in *object, name string) (uuid.UUID, []string) {
	v, ok := in.get(name)
	if v == nil {
		if ok {
			return uuid.Nil, []string{"This field may not be null."}
		}
		return uuid.Nil, []string{"This field is required."}
	}
	if text, isText := v.(string); isText {
		if id, ok := room.ParseID(text); ok {
			return id, nil
		}
	}
	return uuid.Nil, []string{"“" + pythonText(v) + "” is not a valid UUID."}
}

func unknownID(in *object, name string) []string {
	v, _ := in.get(name)
	return []string{`Invalid pk "` + pythonText(v) + `" - object does not exist.`}
}
