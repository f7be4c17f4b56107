package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"meetd/adapters/s3"
)

// storeKeys is who we are to the store: the keys of the configuration, or
// without any whoever the AWS SDK finds that we are.
func storeKeys(ctx context.Context, c S3, now func() time.Time, readFile func(string) ([]byte, error), log *slog.Logger) (aws.CredentialsProvider, error) {
	keys := aws.Credentials{
		AccessKeyID: c.AccessKeyID.Reveal(), SecretAccessKey: c.SecretAccessKey.Reveal(), SessionToken: c.SessionToken.Reveal(),
	}
	switch {
	case keys.AccessKeyID == "":
		conf, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(orDefault(c.Region, defaultRegion)))
		if err != nil {
			return nil, fmt.Errorf("AWS credentials: %w", err)
		}
		return conf.Credentials, nil
	case c.KeyFiles != KeyFiles{}:
		return &keysInFiles{files: c.KeyFiles, readFile: readFile, now: now, log: log, keys: keys, read: now()}, nil
	}
	return credentials.NewStaticCredentialsProvider(keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken), nil
}

const (
	defaultRegion = "us-east-1"
	// keysAge is how old keys from files may be. Temporary ones are renewed
	// minutes before they end.
	keysAge = 30 * time.Second
)

// keysInFiles looks into the files of the keys again and again, so that keys
// can be changed without a restart.
type keysInFiles struct {
	files    KeyFiles
	readFile func(string) ([]byte, error)
	now      func() time.Time
	log      *slog.Logger

	mu   sync.Mutex
	keys aws.Credentials
	read time.Time
}

// Retrieve returns the keys of at most half a minute ago. Files that cannot be
// read, or are empty, change nothing.
func (k *keysInFiles) Retrieve(ctx context.Context) (aws.Credentials, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if now.Sub(k.read) < keysAge {
		return k.keys, nil
	}
	k.read = now
	fresh := k.keys
	for _, f := range []struct {
		path  string
		value *string
	}{
		{k.files.AccessKeyID, &fresh.AccessKeyID}, {k.files.SecretAccessKey, &fresh.SecretAccessKey}, {k.files.SessionToken, &fresh.SessionToken},
	} {
		if f.path == "" {
			continue
		}
		text, err := k.readFile(f.path)
		value := strings.TrimSuffix(string(text), "\n")
		if err == nil && value == "" {
			err = fmt.Errorf("%s is empty", f.path)
		}
		if err != nil {
			k.log.WarnContext(ctx, "the keys of the store could not be read again, the old ones are used", "error", err)
			return k.keys, nil
		}
		*f.value = value
	}
	k.keys = fresh
	return k.keys, nil
}

// commandBucket is the bucket for a command, which nobody watches.
func commandBucket(ctx context.Context, c S3, now func() time.Time) (*s3.Bucket, error) {
	creds, err := storeKeys(ctx, c, now, os.ReadFile, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return newBucket(c, creds, nil, now)
}

func newBucket(c S3, creds aws.CredentialsProvider, wrap wrapper, now func() time.Time) (*s3.Bucket, error) {
	region := orDefault(c.Region, defaultRegion)
	endpoint, err := url.Parse(orDefault(c.Endpoint, "https://s3."+region+".amazonaws.com"))
	if err != nil || endpoint.Host == "" {
		return nil, fmt.Errorf("AWS_S3_ENDPOINT_URL %q is no address: write it like http://minio:9000", c.Endpoint)
	}
	public := endpoint
	if c.PresignEndpoint != "" {
		if public, err = url.Parse(c.PresignEndpoint); err != nil || public.Host == "" {
			return nil, fmt.Errorf("AWS_S3_DOMAIN_REPLACE %q is no address: write it like https://media.example.org", c.PresignEndpoint)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // net/http promises it
	transport.MaxIdleConnsPerHost = 64
	transport.ResponseHeaderTimeout = 15 * time.Second
	return s3.New(s3.Config{
		Endpoint: endpoint, Public: public, Region: region, Bucket: c.Bucket, Credentials: creds, Now: now,
		Client: &http.Client{Transport: wrap.around(transport)},
	}), nil
}
