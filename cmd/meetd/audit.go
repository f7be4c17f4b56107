package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"meetd/app"
)

const auditUsage = `Usage: meetd audit verify [--expect HASH]
       meetd audit export [--since TIME] [--until TIME] [--actor ID] [--subject TEXT] [--format jsonl|csv]

verify checks that nobody changed, removed, added or moved what is in the audit trail.
It prints the hash of the newest seal: note it down elsewhere, and give it to a later
verify, which then also finds a trail that was cut off or written anew.
export writes the events that are wanted, one line each.

`

// auditTrail checks the audit trail or writes it out.
func auditTrail(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	what := ""
	if len(args) > 0 {
		what = args[0]
	}
	switch what {
	case "verify":
		return auditVerify(ctx, c, args[1:], stdout, stderr)
	case "export":
		return auditExport(ctx, c, args[1:], stdout, stderr)
	case "-h", "--help", "help":
		fmt.Fprint(stderr, auditUsage) //nolint:errcheck // nobody is left to tell
		return flag.ErrHelp
	}
	fmt.Fprint(stderr, auditUsage) //nolint:errcheck // nobody is left to tell
	return errUsage
}

func auditVerify(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("audit verify", auditUsage)
	expected := set.String("expect", "", "`hash` that verify printed before; the chain must hold it")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	return app.VerifyAudit(ctx, c, *expected, stdout)
}

func auditExport(ctx context.Context, c *app.Config, args []string, stdout, stderr io.Writer) error {
	set := withUsage("audit export", auditUsage)
	var o app.AuditExport
	set.StringVar(&o.Since, "since", "", "from this `time` on, as 2026-01-31T00:00:00Z")
	set.StringVar(&o.Until, "until", "", "before this `time`")
	set.StringVar(&o.Actor, "actor", "", "what the account with this `id` did")
	set.StringVar(&o.Subject, "subject", "", "what was done to this: the `id` of an account, a recording or a room")
	set.StringVar(&o.Format, "format", "jsonl", "jsonl or csv")
	if err := parse(set, args, stderr); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		fmt.Fprintln(stderr, err) //nolint:errcheck // nobody is left to tell
		return errUsage
	}
	return app.ExportAudit(ctx, c, o, stdout)
}
