package http

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
	"meetd/ports"
)

var success = status{"success"}

func (s *Server) muteParticipant(c echo.Context) error {
	by := presence(c)
	rm, in, err := readAbout(c, func(ctx context.Context, u *user.User, id string) (*room.Room, error) {
		return s.Moderation.Mutable(ctx, u, by, id)
	})
	if err != nil {
		return err
	}
	var errs fieldErrors
	identity := errs.text(in, "participant_identity", 0)
	track := errs.text(in, "track_sid", 255)
	if errs != nil {
		return errs
	}
	if err := s.Moderation.Mute(c.Request().Context(), rm, by, identity, track); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}

// text reads a field and notes what is wrong with it.
func (f *fieldErrors) text(in *object, name string, maxLength int) string {
	text, bad := textField(in, name, maxLength)
	if bad != nil {
		*f = append(*f, fieldError{name, bad})
	}
	return text
}

func (s *Server) updateParticipant(c echo.Context) error {
	rm, in, err := readAbout(c, s.Moderation.Moderated)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	identity, change, err := s.readParticipantChange(c, in)
	if err != nil {
		return err
	}
	if err := s.Moderation.Change(ctx, rm, identity, change); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}

// readParticipantChange reads http-users-rooms.md §9.2.
func (s *Server) readParticipantChange(c echo.Context, in *object) (identity string, change ports.ParticipantChange, err error) {
	var errs fieldErrors
	note := func(field string, bad []string) {
		if bad != nil {
			errs = append(errs, fieldError{field, bad})
		}
	}
	identity = errs.text(in, "participant_identity", 0)
	metadata, bad := dictField(in, "metadata")
	note("metadata", bad)
	attributes, wrong := attributesField(in)
	if wrong != nil {
		errs = append(errs, fieldError{"attributes", wrong})
	}
	permission, given, wrongs := permissionField(in)
	if wrongs != nil {
		errs = append(errs, fieldError{"permission", wrongs})
	}
	if v, ok := in.get("name"); ok && v != nil && v != "" {
		change.Name, bad = textField(in, "name", 255)
		if text, isText := v.(string); isText && strings.TrimSpace(text) == "" {
			bad = nil
		}
		note("name", bad)
	}
	if errs != nil {
		return "", change, errs
	}
	if err := s.checkPermissions(c, given); err != nil {
		return "", change, err
	}
	if metadata == nil && attributes == nil && permission == nil && change.Name == "" {
		return "", change, fieldErrors{{"non_field_errors", []string{
			"At least one of the following fields must be provided: metadata, attributes, permission, name.",
		}}}
	}
	if metadata != nil {
		text, err := marshal(metadata.plain())
		if err != nil {
			return "", change, err
		}
		change.Metadata = string(text)
	}
	change.Attributes, change.Permission = attributes, permission
	return identity, change, nil
}

// checkPermissions refuses what the installation forbids, whatever its value.
func (s *Server) checkPermissions(c echo.Context, given []string) error {
	var forbidden []string
	for _, name := range permissionFields {
		if slices.Contains(given, name) && slices.Contains(s.Config.ForbiddenPermissions, name) {
			forbidden = append(forbidden, name)
		}
	}
	if forbidden == nil {
		return nil
	}
	names := strings.Join(forbidden, ", ")
	s.Log.WarnContext(c.Request().Context(), "Setting the following participant permissions is not allowed: "+names+".")
	return fault.About(fault.Invalid, "participant_permission", names)
}

// dictField reads an object; nil when it is absent or null.
func dictField(in *object, name string) (*object, []string) {
	v, _ := in.get(name)
	if v == nil {
		return nil, nil
	}
	o, ok := v.(*object)
	if !ok {
		return nil, []string{`Expected a dictionary of items but got type "` + pythonType(v) + `".`}
	}
	return o, nil
}

// attributesField reads an object of texts. The second result is nil when it is
// fine: what is wrong is said of each attribute.
func attributesField(in *object) (map[string]string, any) {
	o, bad := dictField(in, "attributes")
	if o == nil {
		return nil, orNil(bad)
	}
	out := make(map[string]string, len(o.keys))
	wrong := map[string][]string{}
	for name, v := range o.values {
		text, ok := v.(string)
		if !ok {
			wrong[name] = []string{"Not a valid string."}
		}
		out[name] = text
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return out, nil
}

// permissionFields are the keys of a permission in the order of the contract.
var permissionFields = []string{
	"can_subscribe", "can_publish", "can_publish_data", "can_publish_sources", "hidden", "recorder",
	"can_update_metadata", "agent", "can_subscribe_metrics",
}

// permissionField reads a permission, which may also be an object inside a
// text. given lists the keys that are not null; the last result is nil when all
// is fine.
func permissionField(in *object) (p *ports.Permission, given []string, wrong any) {
	v, _ := in.get("permission")
	if v == nil {
		return nil, nil, nil
	}
	if text, isText := v.(string); isText {
		decoded, err := decodeAny([]byte(text))
		if err != nil {
			const why = "expected value at line 1 column 1"
			e := structured("json_invalid", "Invalid JSON: "+why, v)
			e.Ctx = map[string]string{"error": why}
			return nil, nil, []structuredError{e}
		}
		v = decoded
	}
	o, ok := v.(*object)
	if !ok {
		const class = "ParticipantPermission"
		e := structured("model_type", "Input should be a valid dictionary or instance of "+class, v)
		e.Ctx = map[string]string{"class_name": class}
		return nil, nil, []structuredError{e}
	}
	p = &ports.Permission{}
	flags := map[string]*bool{
		"can_subscribe": &p.Subscribe, "can_publish": &p.Publish, "can_publish_data": &p.PublishData, "hidden": &p.Hidden,
		"recorder": &p.Recorder, "can_update_metadata": &p.UpdateMetadata, "agent": &p.Agent, "can_subscribe_metrics": &p.SubscribeToMetrics,
	}
	var errs []structuredError
	for _, name := range permissionFields {
		v, ok := o.get(name)
		switch flag := flags[name]; {
		case !ok:
			continue
		case flag == nil:
			errs = append(errs, sourceErrors(v)...)
			p.Sources = sources(v)
		default:
			errs = append(errs, boolErrors(v, name)...)
			*flag, _ = laxBool(v)
		}
		if v != nil {
			given = append(given, name)
		}
	}
	if errs = unknownKeys(errs, o, permissionFields...); errs != nil {
		return nil, nil, errs
	}
	return p, given, nil
}

func sources(v any) []room.Source {
	list, _ := v.([]any)
	out := make([]room.Source, len(list))
	for i, item := range list {
		out[i] = room.Source(pythonText(item))
	}
	return out
}

func (s *Server) removeParticipant(c echo.Context) error {
	rm, in, err := readAbout(c, s.Moderation.Moderated)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	var errs fieldErrors
	identity := errs.text(in, "participant_identity", 0)
	if errs != nil {
		return errs
	}
	if err := s.Moderation.Remove(ctx, current(c), rm, identity); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}

type roleBody struct {
	Role   access.Role `json:"role"`
	Synced bool        `json:"livekit_synced"`
}

func (s *Server) assignRole(c echo.Context) error {
	rm, in, err := readAbout(c, s.Moderation.Attended)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	var errs fieldErrors
	identity := errs.text(in, "participant_identity", 0)
	role, bad := choiceField(in, "role", string(access.Member), string(access.Administrator))
	if _, ok := in.get("role"); !ok {
		bad = []string{"This field is required."}
	}
	if bad != nil {
		errs = append(errs, fieldError{"role", bad})
	}
	if errs != nil {
		return errs
	}
	shown, err := s.Moderation.Assign(ctx, current(c), rm, identity, access.Role(role))
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, roleBody{access.Role(role), shown})
}

// joined finds the room that the participant who asks is in; accounts do not
// matter.
func (s *Server) joined(c echo.Context) func(context.Context, *user.User, string) (*room.Room, error) {
	return func(ctx context.Context, _ *user.User, id string) (*room.Room, error) {
		return s.Moderation.Joined(ctx, presence(c), id)
	}
}

func (s *Server) renameParticipant(c echo.Context) error {
	_, in, err := readAbout(c, s.joined(c))
	if err != nil {
		return err
	}
	var errs fieldErrors
	name := errs.text(in, "name", 255)
	if errs != nil {
		return errs
	}
	if err := s.Moderation.Rename(c.Request().Context(), *presence(c), name); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}

func (s *Server) toggleHand(c echo.Context) error {
	_, in, err := readAbout(c, s.joined(c))
	if err != nil {
		return err
	}
	raised, bad := boolField(in, "raised")
	if bad != nil {
		return fieldErrors{{"raised", bad}}
	}
	if err := s.Moderation.RaiseHand(c.Request().Context(), *presence(c), raised); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}

// boolField reads a boolean. The second result is empty when it is fine.
func boolField(in *object, name string) (bool, []string) {
	v, ok := in.get(name)
	switch {
	case !ok:
		return false, []string{"This field is required."}
	case v == nil:
		return false, []string{"This field may not be null."}
	}
	value, ok := laxBool(v)
	if !ok {
		return false, []string{"Must be a valid boolean."}
	}
	return value, nil
}

func (s *Server) startSubtitle(c echo.Context) error {
	if err := s.Moderation.SubtitlesAvailable(); err != nil {
		return err
	}
	rm, err := about(c, s.joined(c))
	if err != nil {
		return err
	}
	if err := s.Moderation.StartSubtitles(c.Request().Context(), rm); err != nil {
		return err
	}
	return respond(c, http.StatusOK, success)
}
