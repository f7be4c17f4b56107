package app

import (
	"strings"
	"time"
)

// WorkerKind says how a recording is made.
type WorkerKind string

// The kinds of workers.
const (
	WorkerVideoComposite WorkerKind = "video_composite"
	WorkerAudioComposite WorkerKind = "audio_composite"
)

// RecordingWorker maps a recording mode to its kind of worker.
type RecordingWorker struct {
	Mode string
	Kind WorkerKind
}

// EventParser names the dialect of storage events.
type EventParser string

// The dialects of storage events.
const (
	EventParserMinio EventParser = "minio"
	EventParserS3    EventParser = "s3"
	EventParserAuto  EventParser = "auto" // decided for each record
)

// Recording are the rules for recordings.
type Recording struct {
	Enabled      bool
	OutputFolder string
	Workers      []RecordingWorker // in the order of the available modes

	EventParser         EventParser
	StorageEventEnabled bool
	StorageEventAuth    bool
	StorageEventToken   Secret // may be empty: every event is then refused
	// StorageEventTolerant takes duplicates and events about unknown recordings.
	StorageEventTolerant bool

	ExpirationDays    *int // nil = not set; nil and 0 = never
	MaxDurationMillis *int // nil = not set; only told to browsers
	Encoding          Encoding
	DownloadBaseURL   string

	VerifyObject    bool          // look for the file before a recording counts as saved
	ReconcilePeriod time.Duration // between two comparisons with the media server

	CollectMetadata bool   // where it was asked for
	CollectorAgent  string // name of the agent that does it
	MetadataFolder  string // that it writes to
}

// Encoding are the advanced encoding options of video recordings.
type Encoding struct {
	Enabled          bool
	Width, Height    int
	Framerate        int
	VideoBitrateKbps int
	AudioBitrateKbps int
	KeyFrameInterval time.Duration
}

const (
	workerClasses = "core.recording.worker.services."
	parserClasses = "core.recording.event.parsers."
)

// maxExpirationDays is a hundred years. Fewer than none would delete everything.
const maxExpirationDays = 36500

func loadRecording(r *reader) Recording {
	c := Recording{
		Enabled:              r.boolean("RECORDING_ENABLE", false),
		OutputFolder:         r.text("RECORDING_OUTPUT_FOLDER", "recordings"),
		Workers:              loadWorkers(r),
		EventParser:          loadEventParser(r),
		StorageEventEnabled:  r.boolean("RECORDING_STORAGE_EVENT_ENABLE", false),
		StorageEventAuth:     r.boolean("RECORDING_ENABLE_STORAGE_EVENT_AUTH", true),
		StorageEventToken:    r.secret("RECORDING_STORAGE_EVENT_TOKEN", ""),
		StorageEventTolerant: r.boolean("MEETD_STORAGE_EVENT_TOLERANT", false),
		ExpirationDays:       r.optionalInteger("RECORDING_EXPIRATION_DAYS"),
		MaxDurationMillis:    r.optionalInteger("RECORDING_MAX_DURATION"),
		Encoding:             loadEncoding(r),
		DownloadBaseURL:      r.text("RECORDING_DOWNLOAD_BASE_URL", ""),
		VerifyObject:         r.boolean("MEETD_RECORDING_VERIFY_OBJECT", true),
		ReconcilePeriod:      r.seconds("MEETD_RECONCILE_PERIOD", time.Minute),
		CollectMetadata:      r.boolean("METADATA_COLLECTOR_ENABLED", false),
		CollectorAgent:       r.text("METADATA_COLLECTOR_AGENT_NAME", "metadata-collector"),
		MetadataFolder:       r.text("METADATA_COLLECTOR_OUTPUT_FOLDER", "metadata"),
	}
	if old := r.text("SCREEN_RECORDING_BASE_URL", ""); old != "" {
		r.warnf("SCREEN_RECORDING_BASE_URL: it is deprecated; use RECORDING_DOWNLOAD_BASE_URL")
		if c.DownloadBaseURL == "" {
			c.DownloadBaseURL = old
		}
	}
	if days := c.ExpirationDays; days != nil && (*days < 0 || *days > maxExpirationDays) {
		r.faultf("RECORDING_EXPIRATION_DAYS: %d is out of range; use 1 to %d days, or 0 for never", *days, maxExpirationDays)
	}
	if c.ReconcilePeriod == 0 {
		r.faultf("MEETD_RECONCILE_PERIOD: 0 is not a period; use 1 or more seconds")
	}
	if c.StorageEventEnabled && c.StorageEventAuth && c.StorageEventToken == "" {
		r.warnf("RECORDING_STORAGE_EVENT_TOKEN: it is not set, so every storage event is refused; set it or turn RECORDING_ENABLE_STORAGE_EVENT_AUTH off")
	}
	return c
}

func loadWorkers(r *reader) []RecordingWorker {
	const name = "RECORDING_WORKER_CLASSES"
	var workers []RecordingWorker
	for _, item := range r.dict(name, Dict{
		{"screen_recording", workerClasses + "VideoCompositeEgressService"},
		{"transcript", workerClasses + "AudioCompositeEgressService"},
	}) {
		class, _ := item.Value.(string)
		switch strings.TrimPrefix(class, workerClasses) {
		case "VideoCompositeEgressService":
			workers = append(workers, RecordingWorker{item.Key, WorkerVideoComposite})
		case "AudioCompositeEgressService":
			workers = append(workers, RecordingWorker{item.Key, WorkerAudioComposite})
		default:
			r.faultf("%s: the worker of %s is unknown; use %[3]sVideoCompositeEgressService or %[3]sAudioCompositeEgressService", name, quote(item.Key), workerClasses)
		}
	}
	return workers
}

func loadEventParser(r *reader) EventParser {
	const name = "RECORDING_EVENT_PARSER_CLASS"
	class := r.text(name, parserClasses+"MinioParser")
	switch strings.TrimPrefix(class, parserClasses) {
	case "MinioParser", "minio":
		return EventParserMinio
	case "S3Parser", "s3":
		return EventParserS3
	case "auto":
		return EventParserAuto
	}
	r.oneOf(name, class, parserClasses+"MinioParser", parserClasses+"S3Parser", "minio", "s3", "auto")
	return ""
}

func loadEncoding(r *reader) Encoding {
	e := Encoding{
		Enabled:          r.boolean("RECORDING_ENCODING_ENABLED", false),
		Width:            r.unsigned("RECORDING_ENCODING_WIDTH", 1280),
		Height:           r.unsigned("RECORDING_ENCODING_HEIGHT", 720),
		Framerate:        r.unsigned("RECORDING_ENCODING_FRAMERATE", 30),
		VideoBitrateKbps: r.unsigned("RECORDING_ENCODING_VIDEO_BITRATE_KBPS", 3000),
		AudioBitrateKbps: r.unsigned("RECORDING_ENCODING_AUDIO_BITRATE_KBPS", 128),
	}
	seconds := r.float("RECORDING_ENCODING_KEY_FRAME_INTERVAL_S", 4)
	if !(seconds >= 0 && seconds <= 3600) { // also refuses what is not a number
		r.faultf("RECORDING_ENCODING_KEY_FRAME_INTERVAL_S: %g is out of range; use 0 to 3600 seconds", seconds)
		return e
	}
	e.KeyFrameInterval = time.Duration(seconds * float64(time.Second))
	return e
}
