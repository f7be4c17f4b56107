package app

import (
	_ "embed" // the text below
	"fmt"
	"io"
	"slices"
	"strings"
)

// settingsText says what each variable is for, in the order of docs/settings.md,
// and why some of the Django backend have no effect.
//
//go:embed settings.txt
var settingsText string

// withoutEffect is the section of variables that are not read.
const withoutEffect = "Without effect"

// section is a part of settingsText.
type section struct {
	title   string
	entries []Param // a name and what it means, or why it has no effect
}

func settingsSections() []section {
	var sections []section
	for line := range strings.Lines(settingsText) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			sections = append(sections, section{title: title})
		} else if name, text, ok := strings.Cut(line, ": "); ok {
			last := &sections[len(sections)-1]
			last.entries = append(last.entries, Param{name, text})
		}
	}
	return sections
}

// inert are the variables of the Django backend that have no effect, and why.
func inert() []Param {
	sections := settingsSections()
	last := sections[len(sections)-1].entries
	for i := range last {
		if last[i].Value == "as above" {
			last[i].Value = last[i-1].Value
		}
	}
	return last
}

// mistaken are names that people set and nothing ever read, with the name that
// they mean; empty: nothing.
var mistaken = []Param{
	{"SENTRY_DSN", "DJANGO_SENTRY_DSN"},
	{"DATA_DIR", ""},
	{"STORAGES_STATICFILES_BACKEND", ""},
	{"LIVEKIT_INTERNAL_URL", "LIVEKIT_API_URL"},
	{"MEET_BASE_URL", "DJANGO_EMAIL_APP_BASE_URL"},
	{"SUSTAINED_THROTTLE_RATES", ""},
	{"BURST_THROTTLE_RATES", ""},
	{"DJANGO_JWT_PRIVATE_SIGNING_KEY", ""},
	{"OIDC_OP_BASE_URL", "OIDC_OP_URL"},
	{"DJANGO_OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION", "OIDC_FALLBACK_TO_EMAIL_FOR_IDENTIFICATION"},
	{"DJANGO_CELERY_BROKER_URL", ""},
	{"DJANGO_CELERY_BROKER_TRANSPORT_OPTIONS", ""},
	{"RECORDING_VERIFY_SSL", "LIVEKIT_VERIFY_SSL"},
}

// unread notes which variables are set and have no effect.
func unread(lookup func(string) (string, bool)) []string {
	var out []string
	for _, v := range inert() {
		if _, ok := lookup(v.Name); ok {
			out = append(out, fmt.Sprintf("%s has no effect: %s", v.Name, v.Value))
		}
	}
	for _, v := range mistaken {
		if _, ok := lookup(v.Name); !ok {
			continue
		}
		if text := v.Name + " has no effect: nothing reads it"; v.Value != "" {
			out = append(out, text+"; "+v.Value+" is meant")
		} else {
			out = append(out, text)
		}
	}
	return out
}

// WriteDocs writes docs/settings.md: every variable, its kind, its default and
// what it is for.
func (c *Config) WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString("# Settings\n\n" +
		"meetd is configured by the environment variables of the Django backend v1.27.0, with their syntax; those that\n" +
		"begin with `MEETD_` are its own. This page is generated: `meetd config --docs` writes it, `meetd config` shows what\n" +
		"is in effect, and `meetd check` what is risky about it.\n\n" +
		"| Kind | Syntax |\n|---|---|\n" +
		"| text | taken as it is |\n" +
		"| boolean | `yes`, `y`, `true`, `1`; `no`, `n`, `false`, `0` or nothing |\n" +
		"| integer, unsigned integer, number | digits; `_` between them is allowed |\n" +
		"| list | items separated by commas |\n" +
		"| list of tuples | tuples separated by `;`, their parts by commas |\n" +
		"| dict | a Python or JSON dict; it replaces the default |\n" +
		"| secret | text; or `<NAME>_FILE` names a file that holds it, and wins |\n" +
		"| database URL | `postgres://user:password@host:port/name?option=value` |\n")
	sections := settingsSections()
	for _, s := range sections[:len(sections)-1] {
		fmt.Fprintf(&b, "\n## %s\n\n| Variable | Kind | Default | |\n|---|---|---|---|\n", s.title)
		for _, e := range s.entries {
			i := slices.IndexFunc(c.settings, func(s Setting) bool { return s.Name == e.Name })
			if i < 0 {
				return fmt.Errorf("settings.txt: %s is not read", e.Name)
			}
			def := ""
			if d := c.settings[i].Default; d != "" {
				def = "`" + strings.ReplaceAll(d, "|", `\|`) + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Name, c.settings[i].Kind, def, e.Value)
		}
	}
	fmt.Fprintf(&b, "\n## %s\n\nThese are accepted and ignored.\n\n| Variable | Why |\n|---|---|\n", withoutEffect)
	for _, e := range inert() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, e.Value)
	}
	b.WriteString("\nThese are often set, and nothing reads them, neither here nor there:\n\n| Variable | Meant |\n|---|---|\n")
	for _, e := range mistaken {
		meant := ""
		if e.Value != "" {
			meant = "`" + e.Value + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", e.Name, meant)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	return nil
}
