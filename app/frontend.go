package app

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/nyaruka/phonenumbers"
)

// FrontEnd is what only the front end uses: it gets it from the config endpoint
// (http-recordings-files.md §4). nil is a text that is not set.
type FrontEnd struct {
	CustomCSS                *string
	Analytics                Dict
	Support                  Dict
	SilenceLiveKitLogs       bool
	SilentLogin              bool
	IdleWarningDelay         *int // milliseconds
	Feedback                 Dict
	Documentation            *string
	ExternalHome             *string
	FrenchGovFooter          bool
	ProConnectButton         bool
	Manifest                 *string
	TranscriptionDestination *string
	MaxParticipantsForSound  int
	AutoMuteThreshold        int
	ForceWSS                 bool
	FirefoxProxyWorkaround   bool
	Subtitles                bool
	ConnectionTest           bool
	Phone                    Phone
	BackgroundImage          UploadLimits
}

// Phone is the number by which people call in. The zero Phone is none.
type Phone struct {
	Country string // region of the number, e.g. FR
	Number  string // as it is written internationally
}

// UploadLimits are the limits of one type of files.
type UploadLimits struct {
	MaxCount   int64 // for each user
	MaxSize    int64 // bytes
	Extensions []string
	MIMETypes  []string
}

func loadFrontEnd(r *reader, p Profile) FrontEnd {
	f := FrontEnd{
		CustomCSS:                r.optionalText("FRONTEND_CUSTOM_CSS_URL"),
		Analytics:                r.dict("FRONTEND_ANALYTICS", Dict{}),
		Support:                  r.dict("FRONTEND_SUPPORT", Dict{}),
		SilenceLiveKitLogs:       r.boolean("FRONTEND_SILENCE_LIVEKIT_DEBUG", false),
		SilentLogin:              r.boolean("FRONTEND_IS_SILENT_LOGIN_ENABLED", true),
		IdleWarningDelay:         r.optionalUnsigned("FRONTEND_IDLE_DISCONNECT_WARNING_DELAY"),
		Feedback:                 r.dict("FRONTEND_FEEDBACK", Dict{}),
		Documentation:            r.optionalText("FRONTEND_DOCUMENTATION_URL"),
		ExternalHome:             r.optionalText("FRONTEND_EXTERNAL_HOME_URL"),
		FrenchGovFooter:          r.boolean("FRONTEND_USE_FRENCH_GOV_FOOTER", false),
		ProConnectButton:         r.boolean("FRONTEND_USE_PROCONNECT_BUTTON", false),
		Manifest:                 r.optionalText("FRONTEND_MANIFEST_LINK"),
		TranscriptionDestination: r.optionalText("FRONTEND_TRANSCRIPTION_DESTINATION"),
		MaxParticipantsForSound:  r.unsigned("FRONTEND_MAX_PARTICIPANTS_FOR_SOUND", 5),
		AutoMuteThreshold:        r.unsigned("FRONTEND_AUTO_MUTE_ON_JOIN_THRESHOLD", 50),
		ForceWSS:                 r.boolean("LIVEKIT_FORCE_WSS_PROTOCOL", false),
		FirefoxProxyWorkaround:   r.boolean("LIVEKIT_ENABLE_FIREFOX_PROXY_WORKAROUND", false),
		Subtitles:                r.boolean("ROOM_SUBTITLE_ENABLED", false),
		ConnectionTest:           r.forcedOn("CONNECTION_TEST_ENABLED", p.Testing),
		Phone:                    loadPhone(r),
		BackgroundImage:          loadUploadLimits(r),
	}
	return f
}

// loadPhone reads a number as people write it, in the default country unless it
// names its own. What is no number is left out, as the Django backend does.
func loadPhone(r *reader) Phone {
	text := r.text("ROOM_TELEPHONY_PHONE_NUMBER", "")
	country := r.text("ROOM_TELEPHONY_DEFAULT_COUNTRY", "US")
	if text == "" {
		return Phone{}
	}
	number, err := phonenumbers.Parse(text, country)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		r.warnf("ROOM_TELEPHONY_PHONE_NUMBER: %s is no telephone number, so none is shown; write it as +33 1 23 45 67 89", quote(text))
		return Phone{}
	}
	return Phone{
		Country: phonenumbers.GetRegionCodeForNumber(number),
		Number:  phonenumbers.Format(number, phonenumbers.INTERNATIONAL),
	}
}

// loadUploadLimits reads what may be uploaded as a background image. The whole
// dict replaces the default (settings.md).
func loadUploadLimits(r *reader) UploadLimits {
	if r.boolean("FILE_UPLOAD_ENABLED", false) {
		r.warnf("FILE_UPLOAD_ENABLED: the files API is not there yet, so the front end is told that nothing can be uploaded; turn it off")
	}
	const name = "FILE_UPLOAD_RESTRICTIONS"
	dict := r.dict(name, Dict{{"background_image", Dict{
		{"max_size", int64(2097152)},
		{"max_count_by_user", int64(10)},
		{"allowed_extensions", []any{".jpeg", ".jpg", ".png"}},
		{"allowed_mimetypes", []any{"image/jpeg", "image/png"}},
	}}})
	var l UploadLimits
	var wire struct {
		BackgroundImage *struct {
			MaxSize    *int64    `json:"max_size"`
			MaxCount   *int64    `json:"max_count_by_user"`
			Extensions *[]string `json:"allowed_extensions"`
			MIMETypes  *[]string `json:"allowed_mimetypes"`
		} `json:"background_image"`
	}
	text, err := json.Marshal(dict)
	if err == nil {
		err = json.Unmarshal(text, &wire)
	}
	b := wire.BackgroundImage
	if err != nil || b == nil || b.MaxSize == nil || b.MaxCount == nil || b.Extensions == nil || b.MIMETypes == nil {
		r.faultf("%s: it needs 'background_image' with max_size, max_count_by_user, allowed_extensions and allowed_mimetypes; see its default", name)
		return l
	}
	return UploadLimits{MaxCount: *b.MaxCount, MaxSize: *b.MaxSize, Extensions: *b.Extensions, MIMETypes: *b.MIMETypes}
}

// frontEndBody is the answer of the config endpoint, its keys in the contract's
// order. analytics and support must be objects: the front end breaks on null.
func frontEndBody(c *Config) (json.RawMessage, error) {
	type enabled struct {
		Enabled bool `json:"enabled"`
	}
	var phone any = enabled{}
	if f := c.FrontEnd.Phone; c.Rooms.TelephonyEnabled && f.Number != "" {
		phone = struct {
			Enabled bool   `json:"enabled"`
			Country string `json:"default_country"`
			Number  string `json:"international_phone_number"`
		}{true, f.Country, f.Number}
	}
	modes := make([]string, len(c.Recording.Workers))
	for i, w := range c.Recording.Workers {
		modes[i] = w.Mode
	}
	var liveKitURL *string
	if c.LiveKit.APIURL != "" {
		liveKitURL = &c.LiveKit.APIURL
	}
	f := c.FrontEnd
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false) // as every answer
	err := out.Encode(Dict{
		{"LANGUAGE_CODE", c.Users.LanguageCode},
		{"recording", Dict{
			{"is_enabled", c.Recording.Enabled},
			{"available_modes", modes},
			{"expiration_days", c.Recording.ExpirationDays},
			{"max_duration", c.Recording.MaxDurationMillis},
		}},
		{"background_image", Dict{
			{"upload_is_enabled", false}, // there is no files API,
			{"max_count_by_user", f.BackgroundImage.MaxCount},
			{"max_size", f.BackgroundImage.MaxSize},
			{"allowed_extensions", f.BackgroundImage.Extensions},
			{"allowed_mimetypes", f.BackgroundImage.MIMETypes},
		}},
		{"telephony", phone},
		{"resource", Dict{{"default_access_level", c.Rooms.DefaultAccessLevel}}},
		{"subtitle", enabled{f.Subtitles}},
		{"diagnostics", Dict{{"connection_test_enabled", f.ConnectionTest}}},
		{"livekit", Dict{
			{"url", liveKitURL},
			{"force_wss_protocol", f.ForceWSS},
			{"enable_firefox_proxy_workaround", f.FirefoxProxyWorkaround},
			{"default_sources", c.LiveKit.DefaultSources},
		}},
		{"authenticated_users_can_edit_display_name", c.Rooms.CanEditDisplayName},
		{"custom_css_url", f.CustomCSS},
		{"analytics", f.Analytics},
		{"support", f.Support},
		{"silence_livekit_debug_logs", f.SilenceLiveKitLogs},
		{"is_silent_login_enabled", f.SilentLogin},
		{"idle_disconnect_warning_delay", f.IdleWarningDelay},
		{"feedback", f.Feedback},
		{"documentation_url", f.Documentation},
		{"external_home_url", f.ExternalHome},
		{"use_french_gov_footer", f.FrenchGovFooter},
		{"use_proconnect_button", f.ProConnectButton},
		{"manifest_link", f.Manifest},
		{"transcription_destination", f.TranscriptionDestination},
		{"max_participants_for_sound", f.MaxParticipantsForSound},
		{"auto_mute_on_join_threshold", f.AutoMuteThreshold},
	})
	if err != nil {
		return nil, fmt.Errorf("the configuration of the front end: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
