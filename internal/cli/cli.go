// Package cli is the program's command line.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"spotlighter/graph/cpu"
	"spotlighter/internal/version"
)

// Main runs the command line and returns the exit code: 0, 1 for an error, 2
// for bad usage.
func Main(args []string) (code int) {
	defer func() { // a mistake of ours is still one line to a user
		if r := recover(); r != nil && os.Getenv(debugVariable) == "" {
			fmt.Fprintf(os.Stderr, "spotlighter: internal error: %v (%s=1 shows where)\n", r, debugVariable)
			code = 1
		} else if r != nil {
			panic(r)
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "spotlighter:", oneLine(err))
	var usage usageError
	if errors.As(err, &usage) {
		return 2
	}
	return 1
}

// debugVariable makes an internal error show its stack.
const debugVariable = "SPOTLIGHTER_DEBUG"

// usageError is a command line that is wrong in itself.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "spotlighter",
		Short:         "Prompt tuning of CLIP with the few image tokens that matter",
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // an unknown command is for RunE to name
		PersistentPreRunE: func(*cobra.Command, []string) error {
			_, err := cpu.Path()
			return err
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q; see spotlighter --help", args[0])}
			}
			return cmd.Help()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(quickstartCommand(), runCommand(), sweepCommand(), paramsCommand(), pretrainCommand(), dataCommand(),
		weightsCommand(), tokenizeCommand(), encodeCommand())
	root.AddCommand(newCommand(), configCommand(), tableCommand(), ablationsCommand(), reportCommand(), plotCommand(), benchCommand(), doctorCommand(), cacheCommand(), lookCommand(), predictCommand())
	root.AddCommand(gradcheckCommand(), graphCommand(), onnxCommand())
	root.SetHelpCommand(helpCommand(root))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	checkUsage(root)
	return root
}

// checkUsage makes wrong arguments of the commands below c bad usage.
func checkUsage(c *cobra.Command) {
	for _, c := range c.Commands() {
		check := c.Args
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
			}
			return nil
		}
		checkUsage(c)
	}
}

// helpCommand is cobra's, but for a command that does not exist, which is bad usage.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usageError{fmt.Errorf("help: unknown command %q; see spotlighter --help", strings.Join(args, " "))}
			}
			return c.Help()
		},
	}
}

// wantAtLeast refuses a flag's value below least.
func wantAtLeast(flag string, value, least int) error {
	if value < least {
		return usageError{fmt.Errorf("%s: found %d, want at least %d", flag, value, least)}
	}
	return nil
}

// oneLine keeps an error's text to one line.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}
