using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training.Data;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Trains a byte-level BPE tokenizer with the special tokens that the chat template needs.</summary>
internal static class TokenizerStage
{
    /// <summary>Ends a document in pre-training.</summary>
    public const string EndOfText = "<|endoftext|>";

    private const string TurnStart = "<|im_start|>";
    private const string TurnEnd = "<|im_end|>";

    /// <summary>Runs the stage.</summary>
    public static StageResult Run(TokenizerRecipe recipe, StageContext context)
    {
        long start = Stopwatch.GetTimestamp();
        using RunFolder run = RunFolder.Open(recipe.Run, context.Resume);
        Corpus corpus = Corpus.FromTexts(recipe.Data.SelectMany(Texts));
        TrainedTokenizer trained = ByteLevelBpeTrainer.Train(
            corpus, new ByteLevelBpeOptions(recipe.VocabularySize, [EndOfText, TurnStart, TurnEnd], recipe.MinFrequency));
        Tokenizer tokenizer = WithChat(trained.Tokenizer);
        tokenizer.Save(run.FullPath);
        TokenizerTrainingReport report = trained.Report;
        run.WriteResult("tokenizer-report.json", new JsonObject
        {
            ["vocabulary_size"] = report.VocabularySize,
            ["bytes_per_token"] = report.BytesPerToken,
            ["longest_tokens"] = new JsonArray([.. report.LongestTokens.Select(t => (JsonNode)t)]),
            ["unused"] = report.VocabularySize - report.UsedTokens,
        });
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

    /// <summary>The tokenizer with the template and the special tokens of models that Gradus trains.</summary>
    private static Tokenizer WithChat(Tokenizer tokenizer) => new(tokenizer.Parts with
    {
        ChatTemplate = ChatTemplate.ChatMl,
        SpecialTokens = tokenizer.Parts.SpecialTokens with { Eos = EndOfText, Pad = EndOfText },
    });

    // Conversations give their words; their special tokens are in the vocabulary already.
    private static IEnumerable<string> Texts(string path)
    {
        if (!path.Contains(".jsonl", StringComparison.OrdinalIgnoreCase))
            return TextFiles.Documents([path]);
        return TextFiles.Records(path).SelectMany(r => r.Has("text")
            ? [r.Text("text")]
            : Conversations.Parse(r).Messages.Select(m => m.Text ?? ""));
    }
}
