package pg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

const (
	defaultImage  = "postgres:16-alpine"
	containerPort = "5432/tcp"
	password      = "meetd"
)

// box is a server in a container.
type box struct {
	c    testcontainers.Container
	dsn  string
	ctx  func() (context.Context, context.CancelFunc)
	down bool
}

func startContainer(ctx context.Context, opts Options) (_ *Server, err error) {
	defer func() {
		// The library panics when it finds no engine at all.
		if r := recover(); r != nil {
			err = fmt.Errorf("run PostgreSQL in a container: no container engine answers, start Docker (%v)", r)
		}
	}()
	// A port of our choice stays the same over a restart.
	port, err := choosePort(ctx, opts.Port)
	if err != nil {
		return nil, err
	}
	var volumes []string
	if opts.Dir != "" {
		base, _, err := workDir(opts.Dir)
		if err != nil {
			return nil, err
		}
		volumes = []string{filepath.Join(base, "container") + ":/var/lib/postgresql/data"}
	}
	custom := []testcontainers.ContainerCustomizer{
		postgres.WithDatabase("postgres"), postgres.WithUsername("meetd"), postgres.WithPassword(password),
		testcontainers.WithHostConfigModifier(func(hc *container.HostConfig) {
			hc.Binds = append(hc.Binds, volumes...)
			hc.PortBindings = network.PortMap{network.MustParsePort(containerPort): {
				{HostIP: netip.AddrFrom4([4]byte{127, 0, 0, 1}), HostPort: strconv.Itoa(port)},
			}}
		}),
	}
	flush := "off"
	if opts.Durable {
		flush = "on"
	}
	custom = append(custom, testcontainers.WithCmdArgs(
		"-c", "max_connections=200", "-c", "fsync="+flush, "-c", "full_page_writes="+flush))
	c, err := postgres.Run(ctx, opts.Image, custom...)
	if err != nil {
		return nil, errors.Join(
			fmt.Errorf("run PostgreSQL in a container: start Docker and see that it has the image %s: %w", opts.Image, err),
			testcontainers.TerminateContainer(c),
		)
	}
	b := &box{c: c, ctx: func() (context.Context, context.CancelFunc) {
		return context.WithTimeout(context.WithoutCancel(ctx), startLimit)
	}}
	host, err := c.Host(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("find the container of PostgreSQL: %w", err), b.remove())
	}
	s := &Server{
		engine: b,
		addr:   net.JoinHostPort(host, strconv.Itoa(port)),
		user:   url.UserPassword("meetd", password),
	}
	b.dsn = s.DSN("postgres")
	if err := b.answers(ctx); err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return s, nil
}

func (b *box) start(ctx context.Context) error {
	if err := b.c.Start(ctx); err != nil {
		return fmt.Errorf("start the container of PostgreSQL: %w", err)
	}
	b.down = false
	return b.answers(ctx)
}

// answers waits for the server that stays: while it prepares its data, the image
// runs another one that listens inside the container only.
func (b *box) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, b.dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL in the container does not answer: %w", errors.Join(context.Cause(ctx), err))
		case <-tick.C:
		}
	}
}

func (b *box) stop(crash bool) error {
	if b.down {
		return nil
	}
	ctx, cancel := b.ctx()
	defer cancel()
	limit := patience
	if crash {
		limit = 0
	}
	if err := b.c.Stop(ctx, &limit); err != nil {
		return fmt.Errorf("stop the container of PostgreSQL: %w", err)
	}
	b.down = true
	return nil
}

func (b *box) remove() error {
	if err := testcontainers.TerminateContainer(b.c); err != nil {
		return fmt.Errorf("remove the container of PostgreSQL: %w", err)
	}
	return nil
}
