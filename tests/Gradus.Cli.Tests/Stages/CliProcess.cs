using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Training.Runs;

namespace Gradus.Cli.Tests.Stages;

/// <summary>The built command as its own process, in a folder of its own with a small text and a recipe that takes a second.</summary>
internal sealed class CliProcess : IDisposable
{
    /// <summary>A process that takes longer hangs.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <summary>A character-level model that learns 6 steps of a made-up text, with dropout and a checkpoint after each.</summary>
    public const string Recipe =
        """
        {
          "run": "run", "tokenizer": "character",
          "data": { "train": ["text.txt"], "validation_fraction": 0.2 },
          "model": { "model_type": "gpt2", "n_layer": 1, "n_head": 2, "n_embd": 16, "n_positions": 16, "resid_pdrop": 0.1, "embd_pdrop": 0, "attn_pdrop": 0.1 },
          "batching": { "kind": "blocks", "length": 16, "count": 4 },
          "training": { "steps": 6, "checkpoint_every": 1, "evaluate_every": 4, "seed": 5, "optimizer": { "kind": "adamw", "learning_rate": 0.01 } }
        }
        """;

    public CliProcess()
    {
        FullPath = Directory.CreateTempSubdirectory("gradus-cli-").FullName;
        StringBuilder text = new();
        foreach (string who in new[] { "cat", "dog", "owl", "fox" })
        {
            foreach (string what in new[] { "bird", "tree", "moon", "star", "leaf", "pond" })
                text.Append(who).Append(" sees a ").Append(what).Append(". the ").Append(what).Append(" is near the ").Append(who).Append(".\n");
        }
        Write("text.txt", text.ToString());
        Write("recipe.json", Recipe);
    }

    public string FullPath { get; }

    public string this[string name] => Path.Combine(FullPath, name);

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(this[name], bytes);
        return this[name];
    }

    /// <summary>Runs a command line to its end.</summary>
    public CliResult Run(params string[] arguments) => Run([], arguments);

    /// <summary>Runs a command line to its end with more environment variables.</summary>
    public CliResult Run((string Name, string Value)[] environment, params string[] arguments) => Run(FullPath, environment, arguments);

    /// <summary>Runs a command line to its end in a folder.</summary>
    public static CliResult Run(string folder, (string Name, string Value)[] environment, params string[] arguments)
    {
        using Process process = Start(folder, environment, arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        WaitForExit(process);
        return new CliResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts a command line.</summary>
    public Process Start(params string[] arguments) => Start(FullPath, [], arguments);

    public static void WaitForExit(Process process)
    {
        if (process.WaitForExit(Limit))
            return;
        process.Kill();
        Assert.Fail($"{string.Join(' ', process.StartInfo.ArgumentList)} does not end");
    }

    /// <summary>Reads what a process prints up to a line with a text.</summary>
    public static string ReadTo(Process process, string text)
    {
        while (process.StandardOutput.ReadLine() is { } line)
        {
            if (line.Contains(text, StringComparison.Ordinal))
                return line;
        }
        Assert.Fail($"the process ended without \"{text}\": {process.StandardError.ReadToEnd()}");
        return "";
    }

    /// <summary>Runs a recipe to its end as it should.</summary>
    public void Train(string run, params string[] options) => Run(["pretrain", "recipe.json", $"--run={run}", .. options]).Succeeded();

    /// <summary>What two equal runs share: the newest checkpoint's weights and trainer.</summary>
    public string Sha(string run, string weights = "model.safetensors")
    {
        string checkpoint = RunFolder.LatestCheckpoint(this[run])!;
        return string.Join(' ', new[] { weights, "trainer/optimizer.safetensors", "trainer/state.json" }
            .Select(f => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(Path.Combine(checkpoint, f)))))
            .Prepend(Path.GetFileName(checkpoint)));
    }

    /// <summary>The log without what depends on the clock.</summary>
    public string[] Log(string run) => [.. File.ReadLines(Path.Combine(this[run], "log.jsonl")).Select(line =>
    {
        JsonObject json = JsonNode.Parse(line)!.AsObject();
        json.Remove("tokens_per_second");
        json.Remove("seconds");
        return json.ToJsonString();
    })];

    public void Dispose() => Directory.Delete(FullPath, recursive: true);

    private static Process Start(string folder, (string Name, string Value)[] environment, string[] arguments)
    {
        ProcessStartInfo start = new("dotnet") { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["exec", typeof(Gradus.Cli.Console.Application).Assembly.Location, .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment.Remove("GRADUS_THREADS");
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }
}

/// <summary>What a process left behind.</summary>
internal sealed record CliResult(int ExitCode, string Output, string Error)
{
    public void Succeeded() => Assert.True(ExitCode == 0 && Error.Length == 0, $"exit code {ExitCode}\n{Error}\n{Output}");

    /// <summary>The one line that says what is wrong.</summary>
    public string Failed(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}, not {exitCode}\n{Error}\n{Output}");
        string line = Assert.Single(Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("gradus: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("unforeseen", line, StringComparison.Ordinal);
        Assert.DoesNotContain(" at Gradus.", Error, StringComparison.Ordinal);
        return line;
    }
}
