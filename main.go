// Command spotlighter tunes prompts of CLIP-like models: it trains, evaluates
// and compares, from a YAML file to a table.
package main

import (
	"os"

	"spotlighter/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
