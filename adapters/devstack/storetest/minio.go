package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	apicontainer "github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/minio"

	"meetd/adapters/devstack/programs"
)

const (
	defaultImage = "minio/minio:RELEASE.2025-09-07T16-13-09Z"
	engineHost   = "host.docker.internal" // this machine, seen from a container
	hookARN      = "arn:minio:sqs::meet:webhook"
	startTimeout = 30 * time.Second
	stopPatience = 5 * time.Second
)

// settings is MinIO's environment. With a queue folder it offers an event again
// until it is taken; without one it forgets it.
func settings(hook Hook, queueDir string) map[string]string {
	env := map[string]string{
		"MINIO_ROOT_USER": accessKey, "MINIO_ROOT_PASSWORD": secretKey, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off",
	}
	if hook.URL != "" {
		env["MINIO_NOTIFY_WEBHOOK_ENABLE_meet"] = "on"
		env["MINIO_NOTIFY_WEBHOOK_ENDPOINT_meet"] = hook.URL
		env["MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_meet"] = queueDir
		if hook.Token != "" {
			env["MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_meet"] = "Bearer " + hook.Token
		}
	}
	return env
}

// prepare creates the bucket and subscribes the hook.
func prepare(t *testing.T, s Store, hook Hook) Store {
	t.Helper()
	client := s.Client()
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(s.Bucket)}); err != nil {
		t.Fatalf("create a bucket in MinIO: %v", err)
	}
	if hook.URL == "" {
		return s
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		_, err := client.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{
			Bucket: aws.String(s.Bucket),
			NotificationConfiguration: &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{{
				QueueArn: aws.String(hookARN), Events: []types.Event{"s3:ObjectCreated:*"},
			}}},
		})
		if err == nil {
			return s
		}
		// MinIO serves before it knows the targets of its configuration.
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "InvalidArgument" || ctx.Err() != nil {
			t.Fatalf("subscribe to the events of MinIO: %v", err)
		}
		<-tick.C
	}
}

// process starts MinIO as a program.
func process(t *testing.T, hook Hook, program string) Store {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close() // held nothing

	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, //nolint:gosec // a program the developer chose
		"server", "--address", addr, "--quiet", t.TempDir())
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	for name, value := range settings(hook, t.TempDir()) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	p, err := programs.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(stopPatience); err != nil {
			t.Error(err)
		}
	})
	s := at("minio", "http://"+addr)
	if err := waitLive(t.Context(), s.Endpoint, p.Exited()); err != nil {
		t.Fatalf("MinIO is not ready: %v", err)
	}
	return prepare(t, s, hook)
}

func waitLive(ctx context.Context, endpoint string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/minio/health/live", nil)
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-exited:
			return errors.New("the program has ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				continue
			}
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

// container starts MinIO in a container.
func container(t *testing.T, hook Hook) Store {
	t.Helper()
	prepareEngine()
	image := cmp.Or(os.Getenv("MEETD_TEST_MINIO_IMAGE"), defaultImage)
	if hook.URL != "" {
		hook.URL = relay(t, hook.URL)
	}
	c, err := minio.Run(t.Context(), image,
		testcontainers.WithEnv(settings(hook, "/tmp/events")),
		testcontainers.WithHostConfigModifier(func(h *apicontainer.HostConfig) {
			h.ExtraHosts = append(h.ExtraHosts, engineHost+":host-gateway")
		}))
	testcontainers.CleanupContainer(t, c)
	if err != nil {
		t.Fatalf("MEETD_TEST_SERVERS=docker asks for MinIO in a container, but %s cannot be run; "+
			"install and start a container engine (Debian: apt-get install docker.io) and pull or load that image, "+
			"name another one in MEETD_TEST_MINIO_IMAGE, or unset MEETD_TEST_SERVERS: %v", image, err)
	}
	endpoint, err := c.ConnectionString(t.Context())
	if err != nil {
		t.Fatalf("find the port of MinIO: %v", err)
	}
	return prepare(t, at("minio", "http://"+endpoint), hook)
}

// prepareEngine sets what testcontainers reads from the environment once.
var prepareEngine = sync.OnceFunc(func() {
	set := func(name, value string) {
		if _, ok := os.LookupEnv(name); !ok {
			_ = os.Setenv(name, value) // fails for impossible names only
		}
	}
	set("TESTCONTAINERS_RYUK_DISABLED", "true")
	if engine := os.Getenv("DOCKER_HOST"); engine == "" || strings.HasPrefix(engine, "unix://") {
		set("TESTCONTAINERS_HOST_OVERRIDE", "localhost")
	}
})

// relay lets a container reach a URL that may be on the loopback interface.
func relay(t *testing.T, target string) (reachable string) {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatalf("hook URL: %v", err)
	}
	l, err := net.Listen("tcp", "0.0.0.0:0") //nolint:gosec,noctx // containers come from another network
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httptest.Server{Listener: l, Config: &http.Server{ //nolint:gosec // ends with the test
		Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL, r.Out.Host = to, to.Host }},
	}}
	proxy.Start()
	t.Cleanup(proxy.Close)
	return fmt.Sprintf("http://%s/", net.JoinHostPort(engineHost, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)))
}
