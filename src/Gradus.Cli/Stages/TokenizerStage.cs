using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Verbs;
using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Train a tokenizer.</summary>
public sealed record TokenizerRecipe : StageRecipe
{
    /// <summary>Files of text, or of records with text, messages, or other known fields.</summary>
    [MinLength(1)]
    public string[] Data { get; init; } = [];

    /// <summary>What the files call a field, and the name that it is read as: <c>{"content": "text"}</c>.</summary>
    public Dictionary<string, string> Columns { get; init; } = [];

    /// <summary>Tokens of the vocabulary, the special ones included.</summary>
    [Range(256, 10_000_000)]
    public int VocabularySize { get; init; } = 4096;

    /// <summary>A pair of tokens must occur so often to be joined.</summary>
    [Range(1, int.MaxValue)]
    public int MinFrequency { get; init; } = 2;

    internal override string Summary => "Train a tokenizer.";

    internal override string CommandLine(string recipe) =>
        $"gradus tokenizer train {string.Join(' ', Data)} -o {Run} --vocabulary-size {VocabularySize} --min-frequency {MinFrequency}"
        + string.Concat(TokenizerTraining.ChatTokens.Select(t => $" --special-token '{t}'"));

    // gradus tokenizer train trains tokenizers of every kind.
    internal override bool HasRecipeVerb => false;

    internal override StageResult Execute(StageContext context) => TokenizerStage.Run(this, context);
}

/// <summary>Trains a byte-level BPE tokenizer with the special tokens that the chat template needs.</summary>
internal static class TokenizerStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(TokenizerRecipe recipe, StageContext context)
    {
        long start = Stopwatch.GetTimestamp();
        using RunFolder run = context.OpenRun(recipe);
        Corpus corpus = Corpus.FromTexts(TextFiles.Documents(context.Files(recipe.Data), recipe.Columns));
        TrainedTokenizer trained = TokenizerTraining.TrainBpe(
            corpus, new TokenizerTrainingSettings(TokenizerKind.Bpe, recipe.VocabularySize, TokenizerTraining.ChatTokens, recipe.MinFrequency));
        trained.Tokenizer.Save(run.FullPath);
        TokenizerTrainingReport report = trained.Report;
        run.WriteResult(TokenizerTraining.ReportFile, TokenizerTraining.Report(report));
        RunDescription.Write(run, recipe, 0, context.Device);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        List<(string, string)> facts =
        [
            ("Vocabulary", report.VocabularySize.ToString("N0", CultureInfo.InvariantCulture)),
            ("Bytes per token", report.BytesPerToken.ToString("0.00", CultureInfo.InvariantCulture)),
            ("Text", $"{report.TextBytes / 1e6:0.0} MB"),
        ];
        context.Tell(
            new JsonObject { ["kind"] = "tokenizer", ["vocabulary_size"] = report.VocabularySize, ["bytes_per_token"] = report.BytesPerToken },
            $"tokenizer: {report.VocabularySize:N0} tokens, {report.BytesPerToken:0.00} bytes per token, {StageContext.Duration(seconds)} → {recipe.Run}");
        return new StageResult(run.FullPath, facts);
    }
}
