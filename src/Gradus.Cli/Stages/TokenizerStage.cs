using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Cli.Verbs;
using Gradus.Text;
using Gradus.Training.Data;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Trains a byte-level BPE tokenizer with the special tokens that the chat template needs.</summary>
internal static class TokenizerStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(TokenizerRecipe recipe, StageContext context)
    {
        long start = Stopwatch.GetTimestamp();
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        Corpus corpus = Corpus.FromTexts(TextFiles.Documents(context.Files(recipe.Data), recipe.Columns));
        TrainedTokenizer trained = TokenizerTraining.TrainBpe(
            corpus, new TokenizerTrainingSettings(TokenizerKind.Bpe, recipe.VocabularySize, TokenizerTraining.ChatTokens, recipe.MinFrequency));
        trained.Tokenizer.Save(run.FullPath);
        TokenizerTrainingReport report = trained.Report;
        run.WriteResult(TokenizerTraining.ReportFile, TokenizerTraining.Report(report));
        RunDescription.Write(run, "tokenizer", RecipeJson.Default.TokenizerRecipe, recipe, 0, context.Device);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        List<(string, string)> facts =
        [
            ("Vocabulary", report.VocabularySize.ToString("N0", CultureInfo.InvariantCulture)),
            ("Bytes per token", report.BytesPerToken.ToString("0.00", CultureInfo.InvariantCulture)),
            ("Text", $"{report.TextBytes / 1e6:0.0} MB"),
        ];
        context.Say($"tokenizer: {report.VocabularySize:N0} tokens, {report.BytesPerToken:0.00} bytes per token, {StageContext.Duration(seconds)} → {recipe.Run}");
        context.Emit(new JsonObject { ["kind"] = "tokenizer", ["vocabulary_size"] = report.VocabularySize, ["bytes_per_token"] = report.BytesPerToken });
        return new StageResult(run.FullPath, facts);
    }
}
