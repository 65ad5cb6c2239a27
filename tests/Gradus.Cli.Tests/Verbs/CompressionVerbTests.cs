using System.Text.Json;
using Gradus.Testing;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>A real model made smaller, with the commands that people use.</summary>
public sealed class CompressionVerbTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("gradus-compression-");

    private static string Model => SharedFolder.Find("data", "stories260k-weights")!;

    public void Dispose() => _folder.Delete(recursive: true);

    [SharedTheory("data", "stories260k-weights")]
    [InlineData("rtn", "q8_0", 0.01)]
    [InlineData("imatrix", "q4_0", 0.2)]
    [InlineData("gptq", "q4_0", 0.2)]
    public void AQuantizedFileIsReadAgainAndItsLossReported(string method, string target, double most)
    {
        string file = Path.Combine(_folder.FullName, "stories.gguf");
        JsonElement report = CommandLineRun.Of("quantize", Model, file, "--method", method, "--target", target, "--data", Text(), "--test-tokens", "512", "--sample-tokens", "64", "--json").Json();
        Assert.True(report.GetProperty("bytes").GetInt64() < report.GetProperty("bytes_original").GetInt64());
        Assert.InRange(report.GetProperty("loss").GetProperty("kl_divergence").GetProperty("value").GetDouble(), 0, most);
        Assert.NotEmpty(report.GetProperty("layers").EnumerateArray());
        Assert.Contains("What it costs", File.ReadAllText(Path.Combine(_folder.FullName, "stories.loss.html")), StringComparison.Ordinal);
        Assert.NotEqual("", CommandLineRun.Of("generate", file, "-p", "Once upon a time", "--greedy", "--max-tokens", "8", "--json").Json().GetProperty("text").GetString());
    }

    [SharedTheory("data", "stories260k-weights")]
    [InlineData("gptq", "gptq")]
    [InlineData("awq", "awq")]
    public void AFolderOfIntegersIsReadAgain(string method, string target)
    {
        string folder = Path.Combine(_folder.FullName, "integers");
        JsonElement report = CommandLineRun.Of("quantize", Model, folder, "--method", method, "--target", target, "--group-size", "32", "--data", Text(), "--test-tokens", "512", "--sample-tokens", "64", "--json").Json();
        Assert.InRange(report.GetProperty("loss").GetProperty("kl_divergence").GetProperty("value").GetDouble(), 0, 0.3);
        Assert.Contains($"\"{target}\"", File.ReadAllText(Path.Combine(folder, "config.json")), StringComparison.Ordinal);
    }

    [SharedFact("data", "stories260k-weights")]
    public void AnImportanceMatrixAndASmallerModelAreMade()
    {
        string matrix = Path.Combine(_folder.FullName, "matrix.gguf"), file = Path.Combine(_folder.FullName, "stories.gguf"), small = Path.Combine(_folder.FullName, "small");
        CommandLineRun.Of("imatrix", Model, matrix, "--data", Text(), "--sample-tokens", "64").Succeeds();
        CommandLineRun.Of("quantize", Model, file, "--method", "imatrix", "--imatrix", matrix, "--tensor-type", "ffn_down=q8_0").Succeeds();
        JsonElement report = CommandLineRun.Of("prune", Model, small, "--keep-layers", "4", "--keep-ffn", "128", "--data", Text(), "--test-tokens", "256", "--sample-tokens", "64", "--json").Json();
        Assert.True(report.GetProperty("bytes").GetInt64() < report.GetProperty("bytes_original").GetInt64());
        CommandLineRun.Of("generate", small, "-p", "Once", "--greedy", "--max-tokens", "4").Succeeds();
    }

    [SharedFact("data", "stories260k-weights")]
    public void WhatCannotBeDoneIsSaidInOneLine()
    {
        string file = Path.Combine(_folder.FullName, "stories.gguf");
        CommandLineRun.Of("quantize", Model, file, "--method", "gptq").Fails(2, "give text with --data");
        CommandLineRun.Of("quantize", Model, "folder", "--target", "q4_0").Fails(2, "ends with .gguf");
        CommandLineRun.Of("quantize", Model, file, "--method", "hqq", "--target", "q4_0").Fails(2, "q4_1 or q5_1");
        CommandLineRun.Of("quantize", Model, file, "--tensor-type", "ffn_down").Fails(2, "ffn_down=q6_k");
        CommandLineRun.Of("quantize", Model, file, "--act-order").Fails(2, "--method gptq only");
        CommandLineRun.Of("quantize", Model, file, "--target-bpw", "1.5").Fails(2, "too few");
        CommandLineRun.Of("prune", Model, "sparse").Fails(2, "--sparsity or --pattern");
        CommandLineRun.Of("prune", Model, "sparse", "--pattern", "4:2", "--method", "magnitude").Fails(2, "no pattern");
        Assert.False(File.Exists(file));
    }

    private string Text()
    {
        string path = Path.Combine(_folder.FullName, "text.txt");
        File.WriteAllText(path, string.Join('\n', Enumerable.Range(0, 60).Select(i => $"Once upon a time there was a little {(i % 2 == 0 ? "girl" : "boy")} who had {i} red balls. One day she went to the park and played with a dog.")));
        return path;
    }
}
