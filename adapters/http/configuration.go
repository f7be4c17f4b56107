package http

import (
	"encoding/json"
	"slices"
	"strconv"

	"meetd/domain/room"
)

// structuredError is one error inside a configuration (http-overview.md §4.1).
// Every leaf is a string.
type structuredError struct {
	Type  string            `json:"type"`
	Loc   []string          `json:"loc"`
	Msg   string            `json:"msg"`
	Input any               `json:"input"`
	Ctx   map[string]string `json:"ctx,omitempty"`
	URL   string            `json:"url"`
}

func structured(kind, msg string, input any, loc ...string) structuredError {
	if loc == nil {
		loc = []string{}
	}
	return structuredError{
		Type: kind, Loc: loc, Msg: msg, Input: leaves(input), URL: "https://errors.pydantic.dev/2.13/v/" + kind,
	}
}

// leaves turns every leaf into text and keeps the shape of containers.
func leaves(v any) any {
	switch v := v.(type) {
	case *object:
		out := make(map[string]any, len(v.keys))
		for k, item := range v.values {
			out[k] = leaves(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = leaves(item)
		}
		return out
	}
	return pythonText(v)
}

const expectedSources = "'camera', 'microphone', 'screen_share' or 'screen_share_audio'"

// configurationField reads a room configuration, which is kept exactly as sent
// (http-users-rooms.md §2.3). The second result is nil when it is fine.
func configurationField(o *object, name string) (room.Configuration, any) {
	v, ok := o.get(name)
	if !ok {
		return nil, nil
	}
	if v == nil {
		return nil, []string{"This field may not be null."}
	}
	conf, ok := v.(*object)
	if !ok {
		e := structured("model_type", "Input should be a valid dictionary or instance of RoomConfiguration", v)
		e.Ctx = map[string]string{"class_name": "RoomConfiguration"}
		return nil, []structuredError{e}
	}
	var errs []structuredError
	if v, ok := conf.get("can_publish_sources"); ok && v != nil {
		errs = append(errs, sourceErrors(v)...)
	}
	if v, ok := conf.get("everyone_can_mute"); ok {
		errs = append(errs, boolErrors(v, "everyone_can_mute")...)
		if _, isNumber := v.(json.Number); isNumber {
			conf.set("everyone_can_mute", plainBit(v))
		}
	}
	for _, key := range conf.keys {
		if key != "can_publish_sources" && key != "everyone_can_mute" {
			errs = append(errs, structured("extra_forbidden", "Extra inputs are not permitted", conf.values[key], key))
		}
	}
	if errs != nil {
		return nil, errs
	}
	return conf.plain(), nil
}

// plainBit is 0 or 1, however it was written: as 1e-20000, which counts as 0, or
// with thousands of decimals, no database takes it.
func plainBit(v any) float64 {
	if yes, _ := laxBool(v); yes {
		return 1
	}
	return 0
}

func sourceErrors(v any) []structuredError {
	const field = "can_publish_sources"
	list, ok := v.([]any)
	if !ok {
		return []structuredError{structured("list_type", "Input should be a valid list", v, field)}
	}
	var errs []structuredError
	for i, item := range list {
		if s, ok := item.(string); !ok || !slices.Contains(room.AllSources(), room.Source(s)) {
			e := structured("literal_error", "Input should be "+expectedSources, item, field, strconv.Itoa(i))
			e.Ctx = map[string]string{"expected": expectedSources}
			errs = append(errs, e)
		}
	}
	return errs
}

func boolErrors(v any, field string) []structuredError {
	if _, ok := laxBool(v); ok || v == nil {
		return nil
	}
	n, isNumber := v.(json.Number)
	if _, isText := v.(string); isText || (isNumber && !isFraction(n)) {
		return []structuredError{structured("bool_parsing", "Input should be a valid boolean, unable to interpret input", v, field)}
	}
	return []structuredError{structured("bool_type", "Input should be a valid boolean", v, field)}
}
