using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Cli.Docs;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus docs</c>: the documentation of a clone as a folder of HTML pages.</summary>
internal static class DocsVerb
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Argument<string> root = new("REPOSITORY") { Description = "The clone whose documentation is written.", DefaultValueFactory = _ => "." };
        Option<string> output = new("--output", "-o") { Description = "The folder of the pages.", HelpName = "FOLDER", DefaultValueFactory = _ => "artifacts/docs" };
        Verb verb = new("docs", "Write the documentation as HTML pages that open offline.") { root, output };
        verb.Examples = [("docs", "writes artifacts/docs/index.html from a clone's README.md and docs/")];
        verb.SetAction(parse =>
        {
            string folder = parse.GetRequiredValue(output);
            int pages = new DocumentSite(parse.GetRequiredValue(root)).Write(folder);
            context.Out.WriteLine($"{pages} pages → {Path.Combine(folder, "index.html")}");
            return ExitCode.Done;
        });
        return verb;
    }
}
