package app

import (
	"time"

	"meetd/app/files"
	"meetd/domain/file"
)

// S3 is the object store.
type S3 struct {
	Endpoint        string
	PresignEndpoint string // for URLs given to browsers; equals Endpoint unless replaced
	Region          string // may be empty
	Bucket          string
	AccessKeyID     Secret // empty: the SDK's own credential chain
	SecretAccessKey Secret
	SessionToken    Secret
	KeyFiles        KeyFiles
	UploadExpiry    time.Duration
}

// KeyFiles are where keys of the store came from; they may change there. Empty:
// from no file.
type KeyFiles struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Media is how stored objects reach browsers.
type Media struct {
	BaseURL        string        // prefix of /media/… in answers, may be empty
	Proxy          string        // whose questions are understood: nginx, traefik, caddy or envoy
	Delivery       string        // of /media/ without a proxy: stream, redirect or none
	RedirectExpiry time.Duration // how long a link to the store works
}

func loadS3(r *reader) S3 {
	s := S3{
		Endpoint:        r.text("AWS_S3_ENDPOINT_URL", ""),
		PresignEndpoint: r.text("AWS_S3_DOMAIN_REPLACE", ""),
		Region:          r.text("AWS_S3_REGION_NAME", ""),
		Bucket:          r.text("AWS_STORAGE_BUCKET_NAME", "meet-media-storage"),
		AccessKeyID:     r.secret("AWS_S3_ACCESS_KEY_ID", ""),
		SecretAccessKey: r.secret("AWS_S3_SECRET_ACCESS_KEY", ""),
		SessionToken:    r.secret("MEETD_AWS_SESSION_TOKEN", ""),
		KeyFiles: KeyFiles{
			AccessKeyID: r.file("AWS_S3_ACCESS_KEY_ID"), SecretAccessKey: r.file("AWS_S3_SECRET_ACCESS_KEY"),
			SessionToken: r.file("MEETD_AWS_SESSION_TOKEN"),
		},
		UploadExpiry: r.seconds("AWS_S3_UPLOAD_POLICY_EXPIRATION", time.Minute),
	}
	r.absoluteURL("AWS_S3_ENDPOINT_URL", s.Endpoint, "https", "http")
	r.absoluteURL("AWS_S3_DOMAIN_REPLACE", s.PresignEndpoint, "https", "http")
	if s.PresignEndpoint == "" {
		s.PresignEndpoint = s.Endpoint
	}
	if v := r.text("AWS_S3_SIGNATURE_VERSION", "s3v4"); v != "s3v4" {
		r.warnf("AWS_S3_SIGNATURE_VERSION: %s is not supported, URLs are signed as s3v4; remove the variable", quote(v))
	}
	if s.Bucket == "" {
		r.faultf("AWS_STORAGE_BUCKET_NAME: it is empty; set it or remove the variable")
	}
	if (s.AccessKeyID == "") != (s.SecretAccessKey == "") {
		r.warnf("AWS_S3_ACCESS_KEY_ID and AWS_S3_SECRET_ACCESS_KEY: only one of them is set; set both or none")
	}
	return s
}

func loadMedia(r *reader) Media {
	m := Media{
		BaseURL:        r.text("MEDIA_BASE_URL", ""),
		Proxy:          r.text("MEETD_MEDIA_PROXY", "nginx"),
		Delivery:       r.text("MEETD_MEDIA_DELIVERY", "stream"),
		RedirectExpiry: r.seconds("MEETD_MEDIA_REDIRECT_EXPIRY", time.Minute),
	}
	r.oneOf("MEETD_MEDIA_PROXY", m.Proxy, "nginx", "traefik", "caddy", "envoy")
	r.oneOf("MEETD_MEDIA_DELIVERY", m.Delivery, "stream", "redirect", "none")
	if m.RedirectExpiry < time.Second || m.RedirectExpiry > 7*24*time.Hour {
		r.faultf("MEETD_MEDIA_REDIRECT_EXPIRY: %d seconds is not possible; use 1 to 604800", int(m.RedirectExpiry/time.Second))
	}
	return m
}

func loadFiles(r *reader) files.Config {
	c := files.Config{
		Folders: file.Folders{Final: r.text("FILE_UPLOAD_PATH", "files"), Upload: r.text("FILE_UPLOAD_TMP_PATH", "tmp/files")},
		Grace:   time.Duration(r.unsigned("FILE_PURGE_GRACE_DAYS", 7)) * 24 * time.Hour,
	}
	if c.Folders.Final == c.Folders.Upload {
		r.faultf("FILE_UPLOAD_TMP_PATH cannot be the same as FILE_UPLOAD_PATH; choose another folder")
	}
	return c
}
