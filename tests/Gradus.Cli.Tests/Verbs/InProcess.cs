using Gradus.Cli.Console;
using Gradus.Cli.Verbs;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Runs verbs that read models within the test's process, where hundreds of files would take too long with a process each.</summary>
internal static class InProcess
{
    /// <summary>Runs one command line.</summary>
    public static CommandLineRun Of(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        using CommandContext context = new(output, error);
        int code = new Application(context, [InspectVerb.Create(context), ConvertVerb.Create(context), GenerateVerb.Create(context), TokenizerVerb.Create(context)]).Run(arguments);
        return new CommandLineRun(code, output.ToString(), error.ToString());
    }

    /// <summary>Whatever is wrong with a model's files, every verb does its work or says in one line what is wrong.</summary>
    /// <param name="model">A folder or a file.</param>
    /// <param name="written">Where to convert it to; removed afterwards.</param>
    /// <param name="what">What was done to the files, for messages.</param>
    public static void EveryVerbFinishes(string model, string written, string what)
    {
        foreach (string[] arguments in (string[][])[
            ["inspect", model, "--tensors"], ["inspect", model, "--json"], ["convert", model, written], ["convert", model, $"{written}.gguf"],
            ["generate", model, "-p", "ab", "--greedy", "--max-tokens", "2"]])
        {
            CommandLineRun run = Of(arguments);
            string told = $"{what}: {string.Join(' ', arguments)}\nexit code {run.ExitCode}\n{run.Error}";
            Assert.False(run.Error.Contains("unforeseen failure", StringComparison.Ordinal), told);
            Assert.True(run.ExitCode is ExitCode.Done || (run.Error.Split("gradus: ").Length > 1 && run.Error.TrimEnd('\n').Split('\n')[^1].Length < 900), told);
        }
        if (Directory.Exists(written))
            Directory.Delete(written, recursive: true);
        File.Delete($"{written}.gguf");
    }
}
