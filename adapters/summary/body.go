package summary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"meetd/ports"
)

// bodyV1 is what version 1 takes; the order of its members is the contract's.
type bodyV1 struct {
	OwnerID           string  `json:"owner_id"`
	RecordingFilename string  `json:"recording_filename"`
	MetadataFilename  *string `json:"metadata_filename"`
	Email             *string `json:"email"`
	Sub               *string `json:"sub"`
	Room              string  `json:"room"`
	Language          *string `json:"language"`
	OwnerTimezone     string  `json:"owner_timezone"`
	DownloadLink      string  `json:"download_link"`
	ContextLanguage   *string `json:"context_language"`
	RecordingStartAt  *string `json:"recording_start_at"`
	RecordingEndAt    *string `json:"recording_end_at"`
}

// bodyV2 is what version 2 takes.
type bodyV2 struct {
	UserSub          *string     `json:"user_sub"`
	UserEmail        *string     `json:"user_email"`
	CloudStorageURL  string      `json:"cloud_storage_url"`
	Language         string      `json:"language"`
	ContextLanguage  *string     `json:"context_language"`
	PushToDocsConfig pushToDocs  `json:"push_to_docs_config"`
	Metadata         *metadataV2 `json:"metadata"`
}

type pushToDocs struct {
	UserEmail         *string `json:"user_email"`
	Title             string  `json:"title"`
	DownloadLink      string  `json:"download_link"`
	FormLink          *string `json:"form_link"`
	AutoCreateSummary bool    `json:"auto_create_summary"`
}

type metadataV2 struct {
	CloudStorageURL string  `json:"cloud_storage_url"`
	StartedAt       *string `json:"started_at"`
	EndedAt         *string `json:"ended_at"`
}

func (c *Client) body(r ports.SummaryRequest) ([]byte, error) {
	var body any = v1(r)
	if c.config.Version == 2 {
		body = c.config.v2(r)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // signed links are full of ampersands
	if err := e.Encode(body); err != nil {
		return nil, fmt.Errorf("write what the summary service is told: %w", err)
	}
	return bytes.TrimRight(text.Bytes(), "\n"), nil
}

func v1(r ports.SummaryRequest) bodyV1 {
	return bodyV1{
		OwnerID: r.Owner.ID.String(), RecordingFilename: r.Key, MetadataFilename: orNull(r.MetadataKey),
		Email: orNull(r.Owner.Email), Sub: orNull(r.Owner.Sub), Room: r.RoomName, Language: orNull(r.Language),
		OwnerTimezone: r.Owner.Timezone, DownloadLink: r.DownloadLink, ContextLanguage: orNull(r.Owner.Language),
		RecordingStartAt: iso(r.StartedAt), RecordingEndAt: iso(r.EndedAt),
	}
}

func (c Config) v2(r ports.SummaryRequest) bodyV2 {
	b := bodyV2{
		UserSub: orNull(r.Owner.Sub), UserEmail: orNull(r.Owner.Email), CloudStorageURL: r.URL,
		Language: r.Language, ContextLanguage: orNull(r.Owner.Language),
		PushToDocsConfig: pushToDocs{
			UserEmail: orNull(r.Owner.Email), Title: title(r), DownloadLink: r.DownloadLink, AutoCreateSummary: r.WantsSummary,
		},
	}
	if b.Language == "" { // a choice is passed on as it is, with its region too
		b.Language = short(c.Language)
	}
	if c.FormURL != "" && r.MetadataKey != "" {
		b.PushToDocsConfig.FormLink = orNull(c.FormURL + "?room_id=" + r.RoomID.String())
	}
	if r.MetadataKey != "" && !r.StartedAt.IsZero() && !r.EndedAt.IsZero() {
		b.Metadata = &metadataV2{r.MetadataURL, iso(r.StartedAt), iso(r.EndedAt)}
	}
	return b
}

// titles are what documents are called: without a time, and with room, date and
// time (integrations.md §1).
var titles = map[string]struct{ plain, dated string }{
	"en": {"Transcription", `Meeting "%s" on %s at %s`},
	"fr": {"Transcription", `Réunion "%s" du %s à %s`},
	"nl": {"Transcriptie", `Vergadering "%s" op %s om %s`},
	"de": {"Transkription", `Besprechung "%s" am %s um %s`},
}

// title is in the language and the time zone of the owner; English and UTC stand
// in for those that are not known.
func title(r ports.SummaryRequest) string {
	texts, ok := titles[short(r.Owner.Language)]
	if !ok {
		texts = titles["en"]
	}
	if r.StartedAt.IsZero() {
		return texts.plain
	}
	zone, err := time.LoadLocation(r.Owner.Timezone)
	if err != nil {
		zone = time.UTC
	}
	at := r.StartedAt.In(zone)
	return fmt.Sprintf(texts.dated, r.RoomName, at.Format("2006-01-02"), at.Format("15:04"))
}

// short is a language without its region.
func short(code string) string {
	language, _, _ := strings.Cut(strings.ToLower(code), "-")
	return language
}

// iso writes a time as Python's isoformat writes a datetime in UTC: with the
// offset in figures, and with microseconds only where there are some. A time
// that is not known is null.
func iso(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	layout := "2006-01-02T15:04:05.000000+00:00"
	if t = t.UTC().Truncate(time.Microsecond); t.Nanosecond() == 0 {
		layout = "2006-01-02T15:04:05+00:00"
	}
	text := t.Format(layout)
	return &text
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
