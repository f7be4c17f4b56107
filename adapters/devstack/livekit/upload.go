package livekit

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/livekit/protocol/livekit"
)

// media are three seconds of test picture and tone (H.264 and AAC, Opus).
//
//go:embed media
var media embed.FS

// Media returns what the worker uploads as a recording, with or without picture.
func Media(audioOnly bool) (data []byte, contentType string) {
	name, contentType := "recording.mp4", "video/mp4"
	if audioOnly {
		name, contentType = "recording.ogg", "audio/ogg"
	}
	data, err := media.ReadFile("media/" + name)
	if err != nil {
		panic(err) // embedded: cannot be absent
	}
	return data, contentType
}

// upload puts the recording where the request says, and adds the results.
func (e *egress) upload(ctx context.Context) error {
	files := outputs(e.request)
	if len(files) == 0 {
		return errors.New("the request asks for no file")
	}
	for _, file := range files {
		if err := e.uploadFile(ctx, file); err != nil {
			return fmt.Errorf("upload %s: %w", file.GetFilepath(), err)
		}
	}
	return nil
}

func (e *egress) uploadFile(ctx context.Context, file *livekit.EncodedFileOutput) error {
	target := file.GetS3()
	if target == nil {
		return errors.New("the development worker uploads to S3 only, and the request names no S3 target")
	}
	audio := file.GetFileType() == livekit.EncodedFileType_OGG ||
		file.GetFileType() == livekit.EncodedFileType_DEFAULT_FILETYPE && e.request.GetAudioOnly()
	data, contentType := Media(audio)
	extension := ".mp4"
	if audio {
		extension = ".ogg"
	}
	key := file.GetFilepath()
	if !strings.HasSuffix(key, extension) {
		key += extension
	}
	location, err := put(ctx, target, key, contentType, data)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.info.FileResults = append(e.info.FileResults, &livekit.FileInfo{
		Filename: key, Size: int64(len(data)), Location: location,
	})
	e.mu.Unlock()
	if !e.w.manifest || file.GetDisableManifest() {
		return nil
	}
	return e.uploadManifest(ctx, target, path.Dir(key), location)
}

// uploadManifest puts the recorder's description beside the recording.
func (e *egress) uploadManifest(ctx context.Context, target *livekit.S3Upload, dir, location string) error {
	info := e.snapshot()
	data, err := json.Marshal(map[string]any{
		"egress_id": info.GetEgressId(), "room_id": info.GetRoomId(), "room_name": info.GetRoomName(),
		"started_at": info.GetStartedAt(), "ended_at": info.GetUpdatedAt(),
		"files": []map[string]string{{"location": location}},
	})
	if err != nil {
		return err
	}
	location, err = put(ctx, target, path.Join(dir, info.GetEgressId()+".json"), "application/json", data)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	e.mu.Lock()
	e.info.ManifestLocation = location
	e.mu.Unlock()
	return nil
}

// put uploads one object and returns its URL.
func put(ctx context.Context, target *livekit.S3Upload, key, contentType string, data []byte) (string, error) {
	options := s3.Options{
		Region:       cmp.Or(target.GetRegion(), "us-east-1"),
		UsePathStyle: target.GetForcePathStyle(),
		Credentials:  credentials.NewStaticCredentialsProvider(target.GetAccessKey(), target.GetSecret(), target.GetSessionToken()),
	}
	if endpoint := target.GetEndpoint(); endpoint != "" {
		options.BaseEndpoint = aws.String(endpoint)
	}
	_, err := s3.New(options).PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(target.GetBucket()), Key: aws.String(key), Body: bytes.NewReader(data),
		ContentType:        aws.String(contentType),
		ContentDisposition: aws.String(cmp.Or(target.GetContentDisposition(), "inline")),
		Metadata:           target.GetMetadata(),
	})
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(target.GetEndpoint(), "/") + "/" + target.GetBucket() + "/" + key, nil
}
