using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gradus.Applications.Python;
using Gradus.Testing;

namespace Gradus.Applications.Tests.Python;

/// <summary>Programs that people wrote, with their tests: HumanEval's and MBPP's solutions, and the steps of GSM8K's answers.</summary>
public sealed partial class SharedProgramTests
{
    [SharedFact("data", "humaneval")]
    public void HumanEvalsSolutionsPassTheirTests() => Run(1.0, Records("humaneval").Select(r => (
        r.GetProperty("task_id").GetString()!,
        $"{r.GetProperty("prompt").GetString()}{r.GetProperty("canonical_solution").GetString()}{r.GetProperty("test").GetString()}\ncheck({r.GetProperty("entry_point").GetString()})\n")));

    /// <summary>What is left: complex numbers, the order in which CPython's sets happen to be walked through, and one record that is wrong.</summary>
    [SharedFact("data", "mbpp")]
    public void MbppsSolutionsPassTheirTests() => Run(0.975, Records("mbpp").Select(r => (
        $"{r.GetProperty("task_id").GetInt32()}",
        $"{r.GetProperty("test_setup_code").GetString()}\n{r.GetProperty("code").GetString()}\n{string.Join('\n', r.GetProperty("test_list").EnumerateArray().Select(t => t.GetString()))}")));

    [SharedFact("data", "gsm8k")]
    public void TheStepsOfGsm8kComeOutAsWritten() => Run(1.0, Records("gsm8k").Select((r, i) => ($"{i}", Steps(r.GetProperty("answer").GetString()!))));

    private static string Steps(string answer)
    {
        StringBuilder program = new();
        foreach (Match step in Calculation().Matches(answer))
            program.Append($"value = {step.Groups[1].Value}\nassert abs(value - ({step.Groups[2].Value})) < 1e-2, value\n");
        return program.ToString();
    }

    private static void Run(double least, IEnumerable<(string Name, string Program)> programs)
    {
        int count = 0;
        List<string> failed = [];
        foreach ((string name, string program) in programs)
        {
            count++;
            if (Interpreter.Run(program).Error is { } error)
                failed.Add($"{name}: {error.Split('\n')[^1]}");
        }
        Assert.True(count > 0 && failed.Count <= count * (1 - least), $"{failed.Count} of {count} failed:\n{string.Join('\n', failed)}");
    }

    private static IEnumerable<JsonElement> Records(string name)
    {
        foreach (string file in Directory.GetFiles(SharedFolder.Find("data", name)!).Where(f => f.EndsWith(".jsonl", StringComparison.Ordinal) || f.EndsWith(".jsonl.gz", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using Stream stream = file.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(File.OpenRead(file), CompressionMode.Decompress) : File.OpenRead(file);
            using StreamReader reader = new(stream);
            while (reader.ReadLine() is { } line)
                yield return JsonDocument.Parse(line).RootElement;
        }
    }

    [GeneratedRegex("<<(.*?)=([^=>]*)>>")]
    private static partial Regex Calculation();
}
