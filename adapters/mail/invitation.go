package mail

import (
	"bytes"
	_ "embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"meetd/ports"
)

// invitationTexts is an invitation in one language. %s in the subject stands for
// who invites.
type invitationTexts struct {
	Language                     string // as HTML names it
	Subject, Invites, Join, Copy string
	TipsTitle                    string
	Tips                         [3]string
	ThanksFor                    string
}

// invitations has the texts by the language, without its region.
var invitations = map[string]invitationTexts{
	"en": {
		"en", "Video call in progress: %s is waiting for you to connect", "invites you to join an ongoing video call", "JOIN THE CALL",
		"If the button does not work, copy this address into your browser:", "Good to know:",
		[3]string{"You need nothing but a recent browser.", "Your camera and microphone can be tried before you enter.", "In a noisy place, headphones help everybody."},
		"Thank you for using",
	},
	"fr": {
		"fr", "Appel vidéo en cours : %s attend que vous vous connectiez", "vous invite à rejoindre un appel vidéo en cours", "REJOINDRE L’APPEL",
		"Si le bouton ne fonctionne pas, copiez cette adresse dans votre navigateur :", "Bon à savoir :",
		[3]string{"Un navigateur récent suffit.", "Vous pouvez essayer votre caméra et votre micro avant d’entrer.", "Dans un lieu bruyant, un casque aide tout le monde."},
		"Merci d’utiliser",
	},
	"nl": {
		"nl", "Videogesprek bezig: %s wacht op je", "nodigt je uit voor een lopend videogesprek", "DEELNEMEN",
		"Werkt de knop niet? Kopieer deze link naar je browser:", "Goed om te weten:",
		[3]string{"Een recente browser is genoeg.", "Je kunt je camera en microfoon testen voordat je binnenkomt.", "In een drukke omgeving helpt een koptelefoon iedereen."},
		"Bedankt voor het gebruik van",
	},
	"de": {
		"de", "Videoanruf läuft: %s wartet auf Sie", "lädt Sie zu einem laufenden Videoanruf ein", "TEILNEHMEN",
		"Falls die Schaltfläche nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:", "Gut zu wissen:",
		[3]string{"Ein aktueller Browser genügt.", "Kamera und Mikrofon lassen sich vor dem Eintreten ausprobieren.", "In lauter Umgebung helfen Kopfhörer allen."},
		"Danke, dass Sie dies benutzen:",
	},
}

//go:embed invitation.txt
var invitationText string

//go:embed invitation.html
var invitationHTML string

var (
	invitationPlain = texttemplate.Must(texttemplate.New("invitation.txt").Parse(invitationText))
	invitationPage  = htmltemplate.Must(htmltemplate.New("invitation.html").Parse(invitationHTML))
)

// invitation writes the mail. A language nobody has written it in gives English.
func (c Config) invitation(i ports.Invitation) (subject, plain, html string, err error) {
	short, _, _ := strings.Cut(strings.ToLower(i.Language), "-")
	texts, ok := invitations[short]
	if !ok {
		texts = invitations["en"]
	}
	data := struct {
		invitationTexts
		Sender, URL, Link, Brand, Logo string
	}{texts, i.Sender, c.BaseURL + "/" + i.Slug, c.Domain + "/" + i.Slug, c.Brand, c.Logo}
	var text, page bytes.Buffer
	if err := invitationPlain.Execute(&text, data); err != nil {
		return "", "", "", fmt.Errorf("write an invitation: %w", err)
	}
	if err := invitationPage.Execute(&page, data); err != nil {
		return "", "", "", fmt.Errorf("write an invitation: %w", err)
	}
	return fmt.Sprintf(texts.Subject, i.Sender), text.String(), page.String(), nil
}
