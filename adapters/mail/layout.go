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
	Picture              any    // the logo in HTML
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
	texts.Brand, texts.Support = c.Brand, c.Support
	texts.Logo, texts.Picture = logo(c.Logo)
	return texts
}

// logo is the address of the logo as text and in HTML. One that holds the picture
// itself is nothing to read; html/template would take it for an attack, which it is
// not: it comes from the configuration.
func logo(address string) (text string, picture any) {
	if scheme := "data:image/"; len(address) > len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
		return "", htmltemplate.URL(address) //nolint:gosec // see above
	}
	return address, address
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
