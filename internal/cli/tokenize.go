package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"spotlighter/textenc"
)

func tokenizeCommand() *cobra.Command {
	var context int
	var truncate, pad bool
	c := &cobra.Command{
		Use:   "tokenize TEXT...",
		Short: "Print CLIP's token ids of texts as JSON, a line a text",
		Long: `Print CLIP's token ids of texts as JSON, a line a text, with the marks for start
and end. Without TEXT, or with -, each line of standard input is a text.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if context < 2 {
				return usageError{fmt.Errorf("--context %d: at least the two marks must fit", context)}
			}
			tok, err := textenc.NewTokenizer()
			if err != nil {
				return err
			}
			out := bufio.NewWriter(os.Stdout)
			encode := func(text string) error {
				ids, err := tok.Tokens(text, context)
				if err != nil && truncate {
					ids, err = tok.Truncated(text, context), nil
				}
				if err != nil {
					return err
				}
				if !pad {
					ids = ids[:slices.Index(ids, textenc.EOT)+1]
				}
				line, err := json.Marshal(ids)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(out, "%s\n", line)
				return err
			}
			if len(args) == 0 || len(args) == 1 && args[0] == "-" {
				err = eachLine(os.Stdin, "standard input", encode)
			} else {
				for _, text := range args {
					if err = encode(text); err != nil {
						break
					}
				}
			}
			if err != nil {
				out.Flush()
				return err
			}
			return out.Flush()
		},
	}
	c.Flags().IntVar(&context, "context", textenc.ContextLength, "the most ids of a text, marks included")
	c.Flags().BoolVar(&truncate, "truncate", false, "cut longer texts, in place of an error")
	c.Flags().BoolVar(&pad, "pad", false, "fill up with zeros to the context")
	return c
}

// maxLine bounds a line of text, which no encoder reads as a whole anyway.
const maxLine = 1 << 20

// eachLine calls use with each line that is not empty. An error names the line.
func eachLine(r io.Reader, name string, use func(string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if lines.Text() == "" {
			continue
		}
		if err := use(lines.Text()); err != nil {
			return fmt.Errorf("%s, line %d: %w", name, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s, line %d: %w", name, n+1, err)
	}
	return nil
}
