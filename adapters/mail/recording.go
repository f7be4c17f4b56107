package mail

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"meetd/ports"
)

// recordingTexts tells in one language that a recording is ready. The verbs of
// Sentence stand for room, date and time, those of Days for a number.
type recordingTexts struct {
	Subject, Title, Sentence string
	Day, Days                string // it can be downloaded for so long
	OnlyFor                  string
	StepsTitle               string
	Steps                    [3]string
	Button, Help             string
}

// readies has the texts by the language, as commons. Subjects and titles are
// those of integrations.md §1.
var readies = map[string]recordingTexts{
	"en": {
		"Your recording is ready", "Your recording is ready!", "What you recorded in “%s” on %s at %s can now be downloaded.",
		"The file stays for %d day; after that it is gone.", "The file stays for %d days; after that it is gone.",
		"The link works for the organizers of the meeting only.", "How to keep it:",
		[3]string{"Open the link below and log in.", "Download the file.", "Save it in a place of your own, from where you can share it."},
		"Open", "Questions? Write to",
	},
	"fr": {
		"Votre enregistrement est prêt", "Votre enregistrement est prêt !", "Ce que vous avez enregistré dans « %s » le %s à %s peut maintenant être téléchargé.",
		"Le fichier reste disponible %d jour, puis il disparaît.", "Le fichier reste disponible %d jours, puis il disparaît.",
		"Le lien ne fonctionne que pour les organisateurs de la réunion.", "Pour le conserver :",
		[3]string{"Ouvrez le lien ci-dessous et connectez-vous.", "Téléchargez le fichier.", "Enregistrez-le dans un endroit à vous, d’où vous pourrez le partager."},
		"Ouvrir", "Des questions ? Écrivez à",
	},
	"nl": {
		"Je opname is klaar", "Je opname is klaar!", "Wat je in ‘%s’ hebt opgenomen op %s om %s kan nu worden gedownload.",
		"Het bestand blijft %d dag beschikbaar; daarna is het weg.", "Het bestand blijft %d dagen beschikbaar; daarna is het weg.",
		"De link werkt alleen voor de organisatoren van de vergadering.", "Zo bewaar je de opname:",
		[3]string{"Open de link hieronder en log in.", "Download het bestand.", "Sla het op een eigen plek op, vanwaar je het kunt delen."},
		"Openen", "Vragen? Schrijf naar",
	},
	"de": {
		"Ihre Aufzeichnung ist bereit", "Ihre Aufzeichnung ist fertig!", "Was Sie in „%s“ am %s um %s aufgezeichnet haben, kann jetzt heruntergeladen werden.",
		"Die Datei bleibt %d Tag lang liegen, danach ist sie fort.", "Die Datei bleibt %d Tage lang liegen, danach ist sie fort.",
		"Der Link funktioniert nur für die Organisatoren der Besprechung.", "So behalten Sie sie:",
		[3]string{"Öffnen Sie den Link unten und melden Sie sich an.", "Laden Sie die Datei herunter.", "Speichern Sie sie an einem eigenen Ort, von dem aus Sie sie teilen können."},
		"Öffnen", "Fragen? Schreiben Sie an",
	},
}

var recordingLayout = newLayout("recording")

// recordingReady writes the mail.
func (c Config) recordingReady(r ports.RecordingReady) (letter, error) {
	same := c.common(r.Language)
	texts := readies[same.Language]
	expiry := ""
	switch {
	case r.ExpirationDays == 1:
		expiry = fmt.Sprintf(texts.Day, r.ExpirationDays)
	case r.ExpirationDays > 1:
		expiry = fmt.Sprintf(texts.Days, r.ExpirationDays)
	}
	room := strings.Join(strings.Fields(r.Room), " ") // a name adds no paragraph of its own
	return recordingLayout.write(capitalize(texts.Subject), struct {
		common
		recordingTexts
		What, Expiry, URL string
	}{same, texts, fmt.Sprintf(texts.Sentence, room, r.At.Format("2006-01-02"), r.At.Format("15:04")), expiry, r.Link})
}

// capitalize makes the first letter upper and the rest lower case: subjects are
// so, in German too (integrations.md §1).
func capitalize(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + strings.ToLower(s[size:])
}
