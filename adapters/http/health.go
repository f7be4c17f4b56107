package http

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"
)

// pingTimeout is how long the database may take to answer a probe.
const pingTimeout = 800 * time.Millisecond

// heartbeat tells whether the service can work: the database answers.
func (s *Server) heartbeat(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), pingTimeout)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		s.Log.ErrorContext(ctx, "the database does not answer", "error", err)
		return c.JSONBlob(http.StatusInternalServerError, []byte(`{"status": "error"}`))
	}
	return c.JSONBlob(http.StatusOK, []byte(`{"status": "ok"}`))
}

// lbHeartbeat tells that the process runs.
func (s *Server) lbHeartbeat(c echo.Context) error { return c.NoContent(http.StatusOK) }

// version shows the file that the build left.
func (s *Server) version(c echo.Context) error {
	b, err := os.ReadFile(s.Config.VersionFile)
	if errors.Is(err, fs.ErrNotExist) {
		return c.String(http.StatusNotFound, "version.json not found")
	} else if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	return c.JSONBlob(http.StatusOK, b)
}

// frontEnd tells the front end how this installation is configured.
func (s *Server) frontEnd(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/json", s.Config.FrontEnd)
}

// root lists the collections of the API (http-overview.md §1).
func (s *Server) root(c echo.Context) error {
	at := func(name string) string { return s.absolute(c.Request(), API+"/"+name+"/") }
	return respond(c, http.StatusOK, struct {
		Users      string `json:"users"`
		Rooms      string `json:"rooms"`
		Recordings string `json:"recordings"`
		Files      string `json:"files"`
		Accesses   string `json:"resource-accesses"`
	}{at("users"), at("rooms"), at("recordings"), at("files"), at("resource-accesses")})
}
