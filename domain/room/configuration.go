package room

import (
	"fmt"
	"slices"
	"strings"
)

// Source is a kind of track a participant may publish.
type Source string

// The sources, as configuration and tokens spell them.
const (
	Camera           Source = "camera"
	Microphone       Source = "microphone"
	ScreenShare      Source = "screen_share"
	ScreenShareAudio Source = "screen_share_audio"
)

// AllSources are the sources in the order of the contract.
func AllSources() []Source { return []Source{Camera, Microphone, ScreenShare, ScreenShareAudio} }

// Configuration is the room's own settings, kept exactly as they were sent
// (http-users-rooms.md §2.3).
type Configuration map[string]any

// PublishSources is what people without privileges may publish; ok is false
// when the room does not say.
func (c Configuration) PublishSources() (sources []Source, ok bool) {
	list, ok := c["can_publish_sources"].([]any)
	if !ok {
		return nil, false
	}
	sources = make([]Source, 0, len(list))
	for _, item := range list {
		if s, isText := item.(string); isText {
			sources = append(sources, Source(s))
		}
	}
	return sources, true
}

// EveryoneCanMute reports whether any participant may mute others: yes, unless
// the room says no, in whichever of the ways in which it could be sent. null is
// a no too (http-users-rooms.md §9.1).
func (c Configuration) EveryoneCanMute() bool {
	v, ok := c["everyone_can_mute"]
	if !ok {
		return true
	}
	switch strings.ToLower(fmt.Sprint(v)) {
	case "true", "t", "yes", "y", "on", "1":
		return true
	}
	return false
}

// Problem says what is wrong with the settings that are known; empty when nothing
// is.
func (c Configuration) Problem() string {
	if v := c["can_publish_sources"]; v != nil {
		list, ok := v.([]any)
		for _, item := range list {
			s, isText := item.(string)
			ok = ok && isText && slices.Contains(AllSources(), Source(s))
		}
		if !ok {
			return "can_publish_sources must be a list of camera, microphone, screen_share and screen_share_audio."
		}
	}
	if v := c["everyone_can_mute"]; v != nil {
		if _, ok := v.(bool); !ok {
			return "everyone_can_mute must be true or false."
		}
	}
	return ""
}
