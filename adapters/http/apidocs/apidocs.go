package apidocs

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the files below
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

var (
	//go:embed openapi.yaml
	source []byte
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	style string
)

// Document is the description as a tree.
var Document = sync.OnceValues(func() (map[string]any, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(source, &doc); err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return doc, nil
})

// JSON is the description as programs read it.
var JSON = sync.OnceValues(func() ([]byte, error) {
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("openapi.yaml: %w", err)
	}
	return text, nil
})

// Policy is the Content-Security-Policy of the page: its own style and nothing else.
func Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// Page is the description as people read it, without any script.
var Page = sync.OnceValues(func() ([]byte, error) {
	doc, err := Document()
	if err != nil {
		return nil, err
	}
	t, err := template.New("page").Funcs(template.FuncMap{"json": indented, "last": last}).Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("page.html: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, map[string]any{
		"Info": doc["info"], "Groups": groups(doc), "Schemas": doc["components"].(map[string]any)["schemas"], "Style": template.CSS(style), //nolint:forcetypeassert,gosec // our own files
	}); err != nil {
		return nil, fmt.Errorf("page.html: %w", err)
	}
	return b.Bytes(), nil
})

type group struct {
	Name, Description string
	Operations        []operation
}

type operation struct {
	ID, Method, Path string
	About            map[string]any
	Parameters       []map[string]any
	Answers          []reply
}

type reply struct {
	Status string
	About  map[string]any
}

// groups puts the operations under their tags, in the order of the tags.
func groups(doc map[string]any) []*group {
	var out []*group
	byTag := map[string]*group{}
	for _, item := range list(doc["tags"]) {
		g := &group{Name: text(item["name"]), Description: text(item["description"])}
		out, byTag[g.Name] = append(out, g), g
	}
	paths := object(doc["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := object(paths[path])
		for _, method := range []string{"get", "head", "post", "put", "patch", "delete"} {
			about := object(item[method])
			if about == nil {
				continue
			}
			op := operation{
				ID: strings.Trim(strings.NewReplacer("/", "-", "{", "", "}", "").Replace(method+path), "-"), Method: strings.ToUpper(method), Path: path, About: about,
			}
			for _, p := range slices.Concat(list(item["parameters"]), list(about["parameters"])) {
				op.Parameters = append(op.Parameters, resolve(doc, p))
			}
			answers := object(about["responses"])
			for _, status := range slices.Sorted(maps.Keys(answers)) {
				op.Answers = append(op.Answers, reply{status, resolve(doc, object(answers[status]))})
			}
			if tags, ok := about["tags"].([]any); ok && len(tags) > 0 {
				if g := byTag[text(tags[0])]; g != nil {
					g.Operations = append(g.Operations, op)
				}
			}
		}
	}
	return out
}

// resolve follows a reference inside the document.
func resolve(doc, in map[string]any) map[string]any {
	ref, ok := in["$ref"].(string)
	if !ok {
		return in
	}
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		doc = object(doc[step])
	}
	return doc
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []map[string]any {
	items, _ := v.([]any)
	out := make([]map[string]any, len(items))
	for i, item := range items {
		out[i] = object(item)
	}
	return out
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// indented writes a schema for people.
func indented(v any) (string, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "", fmt.Errorf("openapi.yaml: %w", err)
	}
	return strings.ReplaceAll(string(b), "#/components/schemas/", ""), nil
}

// last is the name at the end of a reference.
func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
