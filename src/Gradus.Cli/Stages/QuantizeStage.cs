using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Gradus.Cli.Reports;
using Gradus.Cli.Verbs;
using Gradus.Files.Gguf;
using Gradus.Training.Compression;
using Gradus.Training.Data.Tokens;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Write a model in fewer bits, in several types, with the loss of each.</summary>
public sealed record QuantizeRecipe : StageRecipe
{
    /// <summary>The model: a checkpoint, a run's folder, an adapter's, a GGUF file.</summary>
    [MinLength(1)]
    public string Model { get; init; } = "";

    /// <summary>The types of GGUF files to write: q8_0, q4_0, q4_k …</summary>
    [MinLength(1)]
    public string[] Targets { get; init; } = ["q8_0", "q4_0"];

    /// <summary>How values are chosen: rtn, imatrix, gptq, awq, hqq, smoothquant.</summary>
    public string Method { get; init; } = "rtn";

    /// <summary>Text to measure activations on; none for rtn and hqq.</summary>
    public string[] Data { get; init; } = [];

    /// <summary>Text to measure the loss on; the last tenth of the data where there is none.</summary>
    public string[] Test { get; init; } = [];

    /// <summary>The most tokens to measure the loss on.</summary>
    [Range(2, int.MaxValue)]
    public int TestTokens { get; init; } = 1 << 14;

    internal override string Summary => "Write a model in fewer bits, in several types, with the loss of each.";

    internal override string CommandLine(string recipe) =>
        $"gradus quantize {Model} {Run}/model-{Targets[0]}.gguf --target {Targets[0]} --method {Method}{Files("--data", Data)}{Files("--test", Test)}";

    // gradus quantize does it without a recipe.
    internal override bool HasRecipeVerb => false;

    internal override StageResult Execute(StageContext context) => QuantizeStage.Run(this, context);

    private static string Files(string option, string[] files) => files.Length == 0 ? "" : $" {option} {string.Join(' ', files)}";
}

/// <summary>Quantizes a model for a recipe of several stages.</summary>
internal static class QuantizeStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(QuantizeRecipe recipe, StageContext context)
    {
        if (!QuantizeVerb.Methods.TryGetValue(recipe.Method, out QuantizationMethod method))
            throw new InvalidDataException($"method: {recipe.Method} is none; there are {string.Join(", ", QuantizeVerb.Methods.Keys)}.");
        if (recipe.Targets.FirstOrDefault(t => !GgufStorage.Names.Contains(t)) is { } unknown)
            throw new InvalidDataException($"targets: {unknown} is no type of a GGUF file; there are {string.Join(", ", GgufStorage.Names)}.");
        using RunFolder run = context.OpenRun(recipe);
        List<(string, string)> facts = [];
        foreach (string target in recipe.Targets)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            using ConvertSource source = ConvertSource.Open(recipe.Model, tokenizer: null, cancel: context.Cancellation);
            (TokenSequence? tokens, int[]? test) = recipe.Data.Length + recipe.Test.Length == 0 || source.Tokenizer is null
                ? (null, null)
                : CompressionText.Read(context.Command, context.Files(recipe.Data), context.Files(recipe.Test), source.Tokenizer, recipe.TestTokens);
            string file = Path.Combine(run.FullPath, $"model-{target}.gguf");
            CompressionReport report = new QuantizeRun(context.Command, source, new QuantizeSettings(recipe.Model, file, target, new QuantizationOptions(method), GgufStorage.Get(target))
            {
                Report = Path.Combine(run.FullPath, $"model-{target}.loss"),
                Quiet = true,
            }).Run(tokens, test);
            JsonObject told = report.ToJson();
            told["kind"] = "quantized";
            told.Remove("layers");
            context.Tell(told, $"quantize: {target}: {string.Join("; ", report.Rows().Select(r => $"{r.Label} {r.Value}"))}");
            facts.AddRange(report.Rows().Take(3).Select(r => ($"{target}: {r.Label}", r.Value)));
        }
        RunDescription.Write(run, recipe, 0, context.Device);
        return new StageResult(run.FullPath, facts);
    }
}
