package http

import (
	"github.com/labstack/echo/v4"

	"meetd/ports"
)

// counted is where a request is counted, and how many of them there may be. The
// zero rate is no limit.
type counted struct {
	bucket string
	rate   ports.Rate
}

// limits says, for each path that is limited, how its requests are counted
// (http-overview.md §6).
func (s *Server) limits() map[string]func(echo.Context) counted {
	return map[string]func(echo.Context) counted{
		API + "/rooms/creation-callback/": s.limitCallback,
		API + "/rooms/:id/request-entry/": s.limitEntry,
		API + "/diagnostics/connection/":  s.limitTest,
	}
}

// limitCallback leaves those alone who are logged in.
func (s *Server) limitCallback(c echo.Context) counted {
	if current(c) != nil {
		return counted{}
	}
	return counted{"creation_callback " + s.clientAddress(c.Request()), s.Config.CallbackRate}
}

// count refuses a request when there were too many.
func (s *Server) count(c echo.Context, what counted) error {
	return s.Throttle.Hit(c.Request().Context(), what.bucket, what.rate, s.Now())
}
