package mail

import (
	"fmt"

	"meetd/ports"
)

// invitationTexts is an invitation in one language. %s in the subject stands for
// who invites.
type invitationTexts struct {
	Subject, Invites, Button string
	TipsTitle                string
	Tips                     [3]string
}

// invitations has the texts by the language, as commons.
var invitations = map[string]invitationTexts{
	"en": {
		"Video call in progress: %s is waiting for you to connect", "invites you to join an ongoing video call", "JOIN THE CALL", "Good to know:",
		[3]string{"You need nothing but a recent browser.", "Your camera and microphone can be tried before you enter.", "In a noisy place, headphones help everybody."},
	},
	"fr": {
		"Appel vidéo en cours : %s attend que vous vous connectiez", "vous invite à rejoindre un appel vidéo en cours", "REJOINDRE L’APPEL", "Bon à savoir :",
		[3]string{"Un navigateur récent suffit.", "Vous pouvez essayer votre caméra et votre micro avant d’entrer.", "Dans un lieu bruyant, un casque aide tout le monde."},
	},
	"nl": {
		"Videogesprek bezig: %s wacht op je", "nodigt je uit voor een lopend videogesprek", "DEELNEMEN", "Goed om te weten:",
		[3]string{"Een recente browser is genoeg.", "Je kunt je camera en microfoon testen voordat je binnenkomt.", "In een drukke omgeving helpt een koptelefoon iedereen."},
	},
	"de": {
		"Videoanruf läuft: %s wartet auf Sie", "lädt Sie zu einem laufenden Videoanruf ein", "TEILNEHMEN", "Gut zu wissen:",
		[3]string{"Ein aktueller Browser genügt.", "Kamera und Mikrofon lassen sich vor dem Eintreten ausprobieren.", "In lauter Umgebung helfen Kopfhörer allen."},
	},
}

var invitationLayout = newLayout("invitation")

// invitation writes the mail.
func (c Config) invitation(i ports.Invitation) (letter, error) {
	same := c.common(i.Language)
	texts := invitations[same.Language]
	return invitationLayout.write(fmt.Sprintf(texts.Subject, i.Sender), struct {
		common
		invitationTexts
		Sender, URL, Link string
	}{same, texts, i.Sender, c.BaseURL + "/" + i.Slug, c.Domain + "/" + i.Slug})
}
