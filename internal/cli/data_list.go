package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"spotlighter/internal/datasets"
)

// dataLine is one data set of the list.
type dataLine struct {
	Name    string `json:"name"`
	Folder  string `json:"folder"`
	State   string `json:"state"` // "here", "not here", or what is wrong
	Classes int    `json:"classes"`
	Train   int    `json:"train"`
	Val     int    `json:"val"`
	Test    int    `json:"test"`

	notes []string
	size  datasets.Size
}

func dataListCommand(f *dataFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "list [NAME...]",
		Short: "Which data sets are here, their classes and images; by name, also where to get them",
		Args:  cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, names []string) error {
			if err := checkNames(names); err != nil {
				return err
			}
			named := len(names) > 0
			if !named {
				names = datasets.Names()
				names = names[:len(names)-1] // the root itself is a data set only if the user says so
			}
			lines := make([]dataLine, len(names))
			for i, name := range names {
				lines[i] = f.line(name)
			}
			if f.json {
				text, err := json.MarshalIndent(lines, "", "  ")
				if err == nil {
					_, err = fmt.Printf("%s\n", text)
				}
				return err
			}
			return printData(f.root, lines, named)
		},
	}
	c.Flags().BoolVar(&f.json, "json", false, "print the list as JSON")
	return c
}

func (f *dataFlags) line(name string) dataLine {
	guide, _ := datasets.Describe(name)
	l := dataLine{Name: name, Folder: guide.Folder, State: "here"}
	if f.absent(name) {
		l.State = "not here"
		return l
	}
	d, err := datasets.Load(name, f.root, f.seed)
	if err != nil {
		l.State = oneLine(err)
		return l
	}
	l.size, l.notes, l.Folder = d.Size(), d.Notes, d.Folder
	l.Classes, l.Train, l.Val, l.Test = l.size.Classes, l.size.Train, l.size.Val, l.size.Test
	return l
}

func printData(root string, lines []dataLine, named bool) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "data set\tclasses\ttrain\tval\ttest\t\n")
	for _, l := range lines {
		if l.State == "here" {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", l.Name, l.Classes, l.Train, l.Val, l.Test, l.Folder)
		} else {
			fmt.Fprintf(w, "%s\t-\t-\t-\t-\t%s\n", l.Name, l.State)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Println()
	for _, l := range lines {
		for _, n := range append(l.notes, unpublished(l)...) {
			fmt.Printf("%s: %s\n", l.Name, n)
		}
	}
	if !named {
		fmt.Printf("Data sets are looked for in %s (--root). \"spotlighter data list NAME\" says where to get one.\n", root)
		return nil
	}
	for _, l := range lines {
		guide, _ := datasets.Describe(l.Name)
		if guide.Steps[0] == "" {
			continue
		}
		fmt.Printf("%s, in %s:\n  %s\n", l.Name, root, strings.Join(guide.Steps[:], "\n  "))
	}
	return nil
}

// unpublished compares sizes with the published ones.
func unpublished(l dataLine) []string {
	guide, _ := datasets.Describe(l.Name)
	want := guide.Size
	if l.State != "here" || want.Classes == 0 || l.size == want {
		return nil
	}
	return []string{fmt.Sprintf("%d classes, %d + %d + %d images; as published: %d classes, %d + %d + %d images",
		l.Classes, l.Train, l.Val, l.Test, want.Classes, want.Train, want.Val, want.Test)}
}
