using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Gradus.Cli.Console;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>What one run of the real command printed and returned.</summary>
internal sealed record CommandLineRun(int ExitCode, string Output, string Error)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Runs <c>gradus</c> in a process of its own, with an empty standard input.</summary>
    public static CommandLineRun Of(params string[] arguments) => With([], arguments);

    /// <summary>Runs it with a text piped in.</summary>
    public static CommandLineRun Piped(string input, params string[] arguments) => With(Utf8.GetBytes(input), arguments);

    /// <summary>Runs it with bytes piped in.</summary>
    public static CommandLineRun With(byte[] input, string[] arguments, params (string Name, string Value)[] environment)
    {
        using Process process = Start(arguments, environment);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        try
        {
            process.StandardInput.BaseStream.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading, which is its right.
        }
        process.WaitForExit();
        return new CommandLineRun(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts it and leaves the rest to the caller.</summary>
    public static Process Start(string[] arguments, params (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new("dotnet", ["exec", typeof(CommandContext).Assembly.Location, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = Utf8,
            StandardOutputEncoding = Utf8,
            StandardErrorEncoding = Utf8,
        };
        start.Environment["GRADUS_THREADS"] = "1";
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>It did its work, and had nothing to complain about.</summary>
    public CommandLineRun Succeeds()
    {
        Assert.True(ExitCode == 0 && Error.Length == 0, $"exit code {ExitCode}\n{Error}");
        return this;
    }

    /// <summary>It failed as it should: the exit code, one line on standard error with these words, no stack trace.</summary>
    public void Fails(int code, params string[] words)
    {
        Assert.True(ExitCode == code, $"exit code {ExitCode}\n{Error}");
        string line = Assert.Single(Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("gradus: ", line, StringComparison.Ordinal);
        Assert.All(words, word => Assert.Contains(word, line, StringComparison.Ordinal));
    }

    /// <summary>The output as one JSON value.</summary>
    public JsonElement Json()
    {
        Succeeds();
        using JsonDocument document = JsonDocument.Parse(Output);
        return document.RootElement.Clone();
    }

    /// <summary>The output as one JSON value a line.</summary>
    public JsonElement[] JsonLines()
    {
        Succeeds();
        return [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
    }
}
