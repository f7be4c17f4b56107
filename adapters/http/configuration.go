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

const (
	// maxErrors bounds what is said about one configuration.
	maxErrors = 100
	// maxSources bounds a list of sources, of which there are four.
	maxSources = 100
)

// unknownKeys are the errors about keys that are not known, as many as errs
// leaves room for.
func unknownKeys(errs []structuredError, o *object, known ...string) []structuredError {
	for _, key := range o.keys {
		if len(errs) < maxErrors && !slices.Contains(known, key) {
			errs = append(errs, structured("extra_forbidden", "Extra inputs are not permitted", o.values[key], key))
		}
	}
	return errs
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
	if errs = unknownKeys(errs, conf, "can_publish_sources", "everyone_can_mute"); errs != nil {
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
	if len(list) > maxSources {
		most, got := strconv.Itoa(maxSources), strconv.Itoa(len(list))
		e := structured("too_long", "List should have at most "+most+" items after validation, not "+got, v, field)
		e.Ctx = map[string]string{"field_type": "List", "max_length": most, "actual_length": got}
		return []structuredError{e}
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
