package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/domain/fault"
)

// wire is how a fault looks: status, the key of its message, the message. %s
// stands for what the fault is about.
type wire struct {
	status  int
	key     string // detail, error or status
	message string
}

// codes has the wording of the contract for the faults that have their own.
var codes = map[string]wire{
	"host":           {400, "detail", "Bad Request"},
	"path":           {404, "detail", "Not found."},
	"feature_off":    {404, "detail", "Not found."},
	"method":         {405, "detail", `Method "%s" not allowed.`},
	"not_acceptable": {406, "detail", "Could not satisfy the request Accept header."},
	"media_type":     {415, "detail", `Unsupported media type "%s" in request.`},
	"body_late":      {408, "detail", "The request body did not come in time."},
	"body_too_large": {413, "detail", "Request body exceeds %s bytes."},
	"body_json":      {400, "detail", "JSON parse error - %s"},
	"body_form":      {400, "detail", "Multipart form parse error - %s"},
	"csrf":           {403, "detail", "CSRF Failed: %s"},
	"credentials":    {401, "detail", "Authentication credentials were not provided."},
	"session":        {401, "detail", "Authentication credentials were not provided."},
	"permission":     {403, "detail", "You do not have permission to perform this action."},
	"page":           {404, "detail", "Invalid page."},
	"throttled":      {429, "detail", "Request was throttled. Expected available in %s."},

	"logout_token_missing": {400, oauthError, "Missing logout_token parameter"},
	"logout_token":         {400, oauthError, "Invalid logout token"},
	"logout_subject":       {400, oauthError, "Token must contain either sub or sid claim"},
	"logout_replayed":      {400, oauthError, "Token already processed"},
	"logout_failed":        {400, oauthError, "Logout failed"},
	"logout_error":         {400, oauthError, "Internal server error during logout"},

	"user": {404, "detail", "No User matches the given query."},

	"room":            {404, "detail", "No Room matches the given query."},
	"room_privileges": {403, "detail", "You must have privileges on room to perform this action."},

	"lobby_none":        {404, "message", "Room has no lobby system."},
	"lobby_participant": {404, "message", "Participant not found."},

	"presence":       {403, "detail", "Authentication credentials were not provided."},
	"livekit_header": {403, "detail", "Authorization header must be: Bearer <token>"},
	"livekit_token":  {403, "detail", "Invalid LiveKit token: %s"},

	"participant":               {404, "error", "Participant not found"},
	"participant_caller":        {403, "error", "Could not verify caller presence"},
	"participant_absent_caller": {403, "detail", "You must be connected to the meeting to perform this action."},
	"participant_permission":    {400, "detail", "Bad Request"},
	"participant_mute":          {500, "error", "Failed to mute participant"},
	"participant_update":        {500, "error", "Failed to update participant"},
	"participant_remove":        {500, "error", "Failed to remove participant"},
	"participant_rename":        {500, "error", "Failed to rename participant"},
	"participant_hand":          {500, "error", "Failed to update participant hand state"},
	"subtitle_start":            {500, "error", "Subtitles failed to start for room %s"},

	"role_own":        {403, "error", "You cannot change your own role."},
	"role_owner":      {403, "error", "Room owners cannot be demoted."},
	"role_absent":     {404, "error", "Participant is not connected to this meeting."},
	"role_no_account": {404, "error", "This participant has no user account and cannot be assigned a role."},
	"role_check":      {500, "error", "Failed to look for the participant"},

	"room_access":       {404, "detail", "No ResourceAccess matches the given query."},
	"room_access_add":   {403, "detail", "You must be administrator or owner of a room to add accesses to it."},
	"room_access_owner": {403, "detail", "Only owners of a room can assign other users as owners."},
	"room_last_owner":   {403, "detail", "A resource should keep at least one owner."},

	"recording":             {404, "detail", "No Recording matches the given query."},
	"recording_request":     {400, "detail", "Invalid request."},
	"recording_open":        {409, "error", "A recording is already in progress for room %s"},
	"recording_start":       {502, "error", "Recording failed to start for room %s"},
	"recording_stop":        {500, "error", "Recording failed to stop for room %s"},
	"recording_none_active": {404, "detail", "No active recording found for this room."},
	"recording_not_savable": {
		403, "detail",
		"Recording with ID %s cannot be saved because it is either, in an error state or has already been saved.",
	},

	"recording_held": {403, "detail", "This recording is on legal hold and cannot be deleted."},
	"room_held":      {403, "detail", "A recording of this room is on legal hold: the room cannot be deleted."},

	"storage_event":     {403, "detail", "Invalid request data."},
	"storage_bucket":    {403, "detail", "Invalid bucket specified."},
	"storage_recording": {404, "detail", "No recording found for this event."},
	"media_extension":   {400, "detail", "Unsupported extension."},
	"media_mode":        {404, "detail", "No recording found with this extension."},
	"media_proxy":       {403, "detail", "You do not have permission to perform this action."},
	"object":            {404, "detail", "Not found."},

	"room_pin_unknown":      {404, "detail", "No room found for this PIN code."},
	"dial_in":               {500, "detail", "Could not create dispatch rule."},
	"gateway_token_unset":   {401, "detail", "Server-to-server token is not configured."},
	"gateway_header":        {401, "detail", "Authorization header is missing."},
	"gateway_header_format": {401, "detail", "Invalid authorization header."},
	"gateway_token":         {401, "detail", "Invalid server-to-server token."},

	"hook_token_unset":   {401, "detail", "Authentication is enabled but token is not configured."},
	"hook_header":        {401, "detail", "Authorization header is required"},
	"hook_header_format": {401, "detail", "Invalid authorization header format."},
	"hook_token":         {401, "detail", "Invalid token"},
	"cursor":             {400, "detail", "This is no cursor of this service: go on without one, from the beginning."},
	"events_limit":       {400, "detail", "The limit must be a whole number from 1 to 1000."},
	"webhook_header":     {401, "status", "error"},
	"livekit_webhook":    {400, "status", "error"},
	"webhook_event":      {422, "status", "error"},
}

// oauthError is the key of a message that goes with "error": "invalid_request".
const oauthError = "error_description"

// kinds has the answer for every other fault of a kind.
var kinds = map[fault.Kind]wire{
	fault.Invalid:         {400, "detail", "Bad Request"},
	fault.Unauthenticated: {401, "detail", "Authentication credentials were not provided."},
	fault.Forbidden:       {403, "detail", "You do not have permission to perform this action."},
	fault.NotFound:        {404, "detail", "Not found."},
	fault.Conflict:        {409, "detail", "The request contradicts the present state."},
	fault.Upstream:        {502, "detail", "A service this one depends on failed."},
	fault.TooMany:         {429, "detail", "Request was throttled."},
	fault.Unavailable:     {503, "detail", "The service cannot answer now. Try again in a few seconds."},
}

// sessionChallenge goes with a 401; hooks have their own.
const sessionChallenge = "Session"

type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// fieldErrors are messages per field, in the order of the fields.
type fieldErrors []fieldError

type fieldError struct {
	field    string
	messages any // []string, or the structured errors of a configuration
}

func (f fieldErrors) Error() string {
	names := make([]string, len(f))
	for i, e := range f {
		names[i] = e.field
	}
	return "invalid fields: " + strings.Join(names, ", ")
}

// MarshalJSON keeps the order of the fields.
func (f fieldErrors) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, e := range f {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := marshal(e.field)
		if err != nil {
			return nil, err
		}
		messages, err := marshal(e.messages)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, name...), ':'), messages...)
	}
	return append(out, '}'), nil
}

// writeError is the only writer of error bodies.
func (s *Server) writeError(err error, c echo.Context) {
	c.Set(keyFault, err)
	if c.Response().Committed {
		return
	}
	// What was refused now may be allowed in a moment, and the other way round.
	c.Response().Header()["Cache-Control"] = noStore
	if werr := s.respondError(err, c); werr != nil {
		s.Log.WarnContext(c.Request().Context(), "an error could not be answered", "error", werr)
	}
}

func (s *Server) respondError(err error, c echo.Context) error {
	var (
		fields fieldErrors
		f      *fault.Error
		he     *echo.HTTPError
	)
	switch {
	case c.Request().Context().Err() != nil && isOurs(err):
		return c.NoContent(statusGone)
	case errors.As(err, &fields):
		return respond(c, http.StatusBadRequest, fields)
	case errors.As(err, &f):
		if len(f.Fields) > 0 {
			return respond(c, http.StatusBadRequest, f.Fields)
		}
		w := shape(f)
		if w.status == http.StatusUnauthorized && c.Response().Header().Get("WWW-Authenticate") == "" {
			c.Response().Header().Set("WWW-Authenticate", sessionChallenge)
		}
		if w.status == http.StatusServiceUnavailable {
			c.Response().Header().Set("Retry-After", "5")
		}
		if f.Kind == fault.TooMany {
			c.Response().Header().Set("Retry-After", f.Subject)
		}
		if c.Get(keyPage) != nil && w.key != oauthError {
			return refusalPage(c, w)
		}
		body := map[string]string{w.key: w.message}
		if w.key == oauthError {
			body["error"] = "invalid_request"
		}
		return respond(c, w.status, body)
	case errors.As(err, &he) && he.Code == http.StatusMethodNotAllowed:
		return respond(c, he.Code, map[string]string{"detail": `Method "` + c.Request().Method + `" not allowed.`})
	case errors.As(err, &he):
		return page(c, http.StatusNotFound, "Not Found", "The requested resource was not found on this server.")
	}
	return page(c, http.StatusInternalServerError, "Server Error (500)", "")
}

// statusGone is for nobody: the browser went away before it was answered. Whatever
// broke off because of that is no failure of ours, and proxies call it so, too.
const statusGone = 499

// isOurs reports whether an error would be answered as a failure of the service. A
// panic is left out: it is told whether anybody waits for the answer or not.
func isOurs(err error) bool {
	var (
		fields fieldErrors
		f      *fault.Error
		he     *echo.HTTPError
		p      *panicError
	)
	switch {
	case errors.As(err, &p), errors.As(err, &fields), errors.As(err, &he):
		return false
	case errors.As(err, &f):
		return len(f.Fields) == 0 && shape(f).status >= http.StatusInternalServerError
	}
	return true
}

// shape finds the answer to a fault.
func shape(f *fault.Error) wire {
	w, ok := codes[f.Code]
	if !ok {
		w = kinds[f.Kind]
	}
	if f.Kind == fault.Invalid && w.status == http.StatusInternalServerError {
		w.status = http.StatusBadRequest // it failed because of what was sent
	}
	subject := f.Subject
	if f.Kind == fault.TooMany {
		subject += " seconds"
		if f.Subject == "1" {
			subject = "1 second"
		}
	}
	if strings.Contains(w.message, "%s") {
		w.message = fmt.Sprintf(w.message, subject)
	}
	return w
}

// refusalPage is for endpoints that people come to with their browser: what
// they read says no more than the contract's pages do.
func refusalPage(c echo.Context, w wire) error {
	switch w.status {
	case http.StatusMethodNotAllowed:
		return c.NoContent(w.status)
	case http.StatusBadRequest:
		return page(c, w.status, "Bad Request (400)", "")
	case http.StatusForbidden:
		return page(c, w.status, "403 Forbidden", "CSRF verification failed. Request aborted.")
	}
	return page(c, w.status, http.StatusText(w.status), w.message)
}

func page(c echo.Context, status int, title, text string) error {
	return c.Blob(status, "text/html; charset=utf-8", []byte("\n<!doctype html>\n<html lang=\"en\">\n<head>\n  <title>"+title+"</title>\n</head>\n<body>\n  <h1>"+
		title+"</h1><p>"+text+"</p>\n</body>\n</html>\n"))
}

// respond writes compact JSON, in UTF-8 as it is, without charset parameter.
func respond(c echo.Context, status int, body any) error {
	b, err := marshal(body)
	if err != nil {
		return err
	}
	return c.Blob(status, "application/json", b)
}

func marshal(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
