package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"meetd/app"
)

const usage = `Usage: meetd COMMAND [OPTIONS]

Commands:
  serve                  answer HTTP and work on jobs
  migrate                bring the database to what this version needs
  config                 show the effective configuration; secrets are masked
  check                  name what is risky about it, and what to do
  doctor                 try out everything it leads to, and say what does not work
  health                 ask the service of this machine whether it runs
  createsuperuser        let somebody use the administration
  end-sessions           log somebody out everywhere
  hold                   keep a recording from being deleted
  release                let it be deleted again
  holds                  list what is on hold
  jobs                   list background jobs, and have them done again
  audit                  check who did what, or write it out
  person                 give somebody all that is stored about him, or erase it
  merge-duplicate-users  merge accounts with the same e-mail
  unmerge-users          undo a merge
  clean-pending-files    delete uploads that never ended
  purge-deleted-files    delete what was in the trash for long enough
  create-demo            make a hundred accounts to try it with

meetd COMMAND --help tells the options of a command. Names may also be written with
underscores, as for manage.py.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	commands := map[string]func(context.Context, *app.Config, []string, io.Writer, io.Writer) error{
		"serve": serve, "migrate": migrate, "config": showConfig, "check": check, "doctor": doctor, "health": health,
		"createsuperuser": createSuperuser, "end-sessions": endSessions,
		"hold": hold, "release": release, "holds": listHolds,
		"jobs": jobs, "audit": auditTrail, "person": onePerson, "merge-duplicate-users": mergeUsers, "unmerge-users": unmergeUsers,
		"clean-pending-files": cleanPendingFiles, "purge-deleted-files": purgeDeletedFiles, "create-demo": createDemo,
	}
	do, ok := commands[strings.ReplaceAll(command, "_", "-")]
	switch {
	case command == "help" || command == "-h" || command == "--help":
		fmt.Fprint(stdout, usage) //nolint:errcheck // nobody is left to tell
		return 0
	case !ok:
		fmt.Fprint(stderr, usage) //nolint:errcheck // nobody is left to tell
		return 2
	}
	c, err := app.Load(lookup, os.ReadFile)
	if err == nil {
		err = do(ctx, c, args[1:], stdout, stderr)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintf(stderr, "meetd %s: %v\n", command, err) //nolint:errcheck // nobody is left to tell
	return 1
}

var errUsage = errors.New("wrong usage")

// flags makes the options of a command, which explain themselves.
func flags(command string) *flag.FlagSet {
	return withUsage(command, fmt.Sprintf("Usage: meetd %s [OPTIONS]\n\n%s\n", command, purpose(command)))
}

// withUsage makes the options of a command that explains more than them.
func withUsage(command, usage string) *flag.FlagSet {
	set := flag.NewFlagSet("meetd "+command, flag.ContinueOnError)
	set.Usage = func() {
		fmt.Fprint(set.Output(), usage) //nolint:errcheck // nobody is left to tell
		set.PrintDefaults()
	}
	return set
}

// purpose is what the list of commands says of one.
func purpose(command string) string {
	for line := range strings.Lines(usage) {
		if text, ok := strings.CutPrefix(line, "  "+command+" "); ok {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// parse reads the options of a command; the flag package explains what is wrong.
func parse(set *flag.FlagSet, args []string, stderr io.Writer) error {
	set.SetOutput(stderr)
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if set.NArg() > 0 {
		fmt.Fprintf(stderr, "%s takes no argument %q\n", set.Name(), set.Arg(0)) //nolint:errcheck // nobody is left to tell
		return errUsage
	}
	return nil
}

// one reads the options of a command, and the one thing that it is about before or
// behind them.
func one(set *flag.FlagSet, args []string, stderr io.Writer) (string, error) {
	set.SetOutput(stderr)
	text := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		text, args = args[0], args[1:]
	}
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return "", err
		}
		return "", errUsage
	}
	rest := set.Args()
	if text == "" && len(rest) > 0 {
		text, rest = rest[0], rest[1:]
	}
	if text == "" || len(rest) > 0 {
		set.Usage()
		return "", errUsage
	}
	return text, nil
}

func serve(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("serve")
	listen := set.String("listen", c.Server.Listen, "address to listen on, as HOST:PORT")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	log := app.NewLogger(stdout, c.Log)
	a, err := app.New(ctx, c, log, time.Now)
	if err != nil {
		return err
	}
	defer a.Close()
	l, err := app.Listen(ctx, *listen)
	if err != nil {
		return err
	}
	return a.Run(ctx, l)
}

func migrate(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	if err := parse(flags("migrate"), args, stderr); err != nil {
		return err
	}
	return app.Migrate(ctx, c, app.NewLogger(stdout, c.Log))
}

func showConfig(_ context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := flags("config")
	docs := set.Bool("docs", false, "explain all variables instead, in Markdown")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	if *docs {
		return c.WriteDocs(stdout)
	}
	return c.WriteTable(stdout)
}
