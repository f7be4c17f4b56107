package http

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
)

// eventsPage is how many events are told at once, maxEventsPage how many may be
// asked for.
const eventsPage, maxEventsPage = 100, 1000

// eventsBody is a page of what was announced (docs/events.md).
type eventsBody struct {
	Results []json.RawMessage `json:"results"`
	Next    string            `json:"next"`
}

// isListener lets another program in.
func (s *Server) isListener(c echo.Context) error {
	if !s.Config.Events.Enabled {
		return fault.New(fault.NotFound, "feature_off")
	}
	return checkHook(c, s.Config.Events, "Recording events API")
}

// listEvents tells another program again what was announced.
func (s *Server) listEvents(c echo.Context) error {
	if err := s.isListener(c); err != nil {
		return err
	}
	limit := eventsPage
	if text := queryParam(c, "limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxEventsPage {
			return fault.New(fault.Invalid, "events_limit")
		}
	}
	bodies, next, err := s.Outgoing.List(c.Request().Context(), queryParam(c, "after"), limit)
	if err != nil {
		return err
	}
	out := eventsBody{Results: make([]json.RawMessage, len(bodies)), Next: next}
	for i, b := range bodies {
		out.Results[i] = b
	}
	c.Response().Header()["Cache-Control"] = noStore
	return respond(c, http.StatusOK, out)
}
