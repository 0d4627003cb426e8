// Command entropy is spotlighter with one more activation: spotlight.activation:
// entropy.
//
//	go run ./docs/extend/entropy run docs/extend/entropy/entropy.yaml
package main

import (
	"os"

	"spotlighter/internal/cli"
	"spotlighter/spotlight"
)

func init() { spotlight.RegisterActivation("entropy", activation) }

func main() { os.Exit(cli.Main(os.Args[1:])) }
