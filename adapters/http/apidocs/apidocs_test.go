package apidocs

import (
	"strings"
	"testing"
)

// Every reference leads somewhere, and every operation says what it is and may answer.
func TestDocument(t *testing.T) {
	t.Parallel()
	doc, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	var walk func(at string, v any)
	references := 0
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				references++
				if len(resolve(doc, v)) == 0 {
					t.Errorf("%s: %s leads nowhere", at, ref)
				}
			}
			for k, item := range v {
				walk(at+"/"+k, item)
			}
		case []any:
			for _, item := range v {
				walk(at, item)
			}
		}
	}
	walk("#", doc)
	if references < 100 {
		t.Errorf("only %d references", references)
	}
	operations := 0
	for _, g := range groups(doc) {
		if len(g.Operations) == 0 {
			t.Errorf("nothing belongs to %s", g.Name)
		}
		for _, op := range g.Operations {
			operations++
			if text(op.About["summary"]) == "" || len(op.Answers) < 2 {
				t.Errorf("%s says too little", op.ID)
			}
			for _, p := range op.Parameters {
				if p["in"] == "path" && !strings.Contains(op.Path, "{"+text(p["name"])+"}") {
					t.Errorf("%s has no %v", op.ID, p["name"])
				}
			}
		}
	}
	if operations < 50 {
		t.Errorf("only %d operations have a tag that exists", operations)
	}
}

// What the page shows is text, whatever stands in the description.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`<a href="#schema-Recording">Recording</a>`, `id="schema-Recording"`, `<span class="method DELETE">DELETE</span>`, "<style>:root {"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page has no %s", part)
		}
	}
	if strings.Contains(string(page), "<script") || strings.Contains(string(page), "ZgotmplZ") {
		t.Error("the page has a script, or something that was not trusted")
	}
}
