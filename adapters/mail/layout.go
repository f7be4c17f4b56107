package mail

import (
	"bytes"
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"
)

//go:embed *.html *.txt
var files embed.FS

// layout is what one kind of mail looks like, as plain text and as HTML. All
// kinds share the frame of layout.txt and layout.html.
type layout struct {
	plain *texttemplate.Template
	page  *htmltemplate.Template
}

// newLayout puts the contents of a kind of mail into the frame.
func newLayout(kind string) layout {
	return layout{
		texttemplate.Must(texttemplate.ParseFS(files, "layout.txt", kind+".txt")),
		htmltemplate.Must(htmltemplate.ParseFS(files, "layout.html", kind+".html")),
	}
}

// common stands in every mail.
type common struct {
	Language  string // as HTML names it
	Copy      string
	ThanksFor string

	Brand, Logo, Support string // of the configuration
}

// commons has the texts of every mail by the language, without its region.
var commons = map[string]common{
	"en": {Language: "en", Copy: "If the button does not work, copy this address into your browser:", ThanksFor: "Thank you for using"},
	"fr": {Language: "fr", Copy: "Si le bouton ne fonctionne pas, copiez cette adresse dans votre navigateur :", ThanksFor: "Merci d’utiliser"},
	"nl": {Language: "nl", Copy: "Werkt de knop niet? Kopieer deze link naar je browser:", ThanksFor: "Bedankt voor het gebruik van"},
	"de": {
		Language: "de", Copy: "Falls die Schaltfläche nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:",
		ThanksFor: "Danke, dass Sie dies benutzen:",
	},
}

// common gives what stands in every mail of a language. A language nobody has
// written mails in gives English.
func (c Config) common(language string) common {
	short, _, _ := strings.Cut(strings.ToLower(language), "-")
	texts, ok := commons[short]
	if !ok {
		texts = commons["en"]
	}
	texts.Brand, texts.Logo, texts.Support = c.Brand, c.Logo, c.Support
	return texts
}

// letter is a mail without its addresses.
type letter struct{ subject, plain, html string }

// write fills the layout with data.
func (l layout) write(subject string, data any) (letter, error) {
	var text, page bytes.Buffer
	if err := l.plain.Execute(&text, data); err != nil {
		return letter{}, fmt.Errorf("write a mail: %w", err)
	}
	if err := l.page.Execute(&page, data); err != nil {
		return letter{}, fmt.Errorf("write a mail: %w", err)
	}
	return letter{subject, text.String(), page.String()}, nil
}
